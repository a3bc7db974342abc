"""Top-nσ: a token survives if its score is within n standard deviations of the best one.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import flavour, param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import total

LOOKED_AT_BY_KOBOLDCPP = 3000  # it drops all further tokens before it samples


@dataclass(frozen=True)
class TopNSigma(Sampler):
    """Cuts in the space of scores: a temperature before it scales the scores and σ alike and changes nothing."""

    n: Number = param(
        1.0, 0, 5, 0.01, label="n", unit="σ", help="How far below the best score; 0 is off.", hard_high=1e6
    )

    flavour: str = flavour(
        {
            "ours": "σ over the tokens that are left, as in llama.cpp",
            "textgen": "text-generation-webui: σ over the whole vocabulary, removed tokens counting as score 0",
            "koboldcpp": "σ over the 3,000 largest scores: smaller, so it cuts deeper",
        },
        "Over which scores σ is taken.",
    )

    name = "top_n_sigma"
    title = "Top-nσ"
    slot = 46
    kind = "truncate"
    keeps_argmax = True
    off = {"n": 0.0}
    shifting_flavours = ("textgen",)
    summary = "Keeps the tokens whose scores lie within n standard deviations of the best one, at any temperature."
    formula = "keep i where ℓᵢ ≥ ℓ_max − n · σ(ℓ)"
    source = "Tang et al. 2024, arXiv 2411.07641; llama.cpp #11223"
    examples = (
        Example(
            "Scores 4, 2, 0, 2: their mean is 2, σ = √2, so all above 4 − √2 = 2.59 stay.",
            {"n": 1.0},
            survivors=(0,),
            logits=(4.0, 2.0, 0.0, 2.0),
        ),
        Example("n = 2 reaches down to 4 − 2√2 = 1.17.", {"n": 2.0}, survivors=(0, 1, 3), logits=(4.0, 2.0, 0.0, 2.0)),
        Example(
            "text-generation-webui divides by one less: σ = √(8/3) = 1.63, n = 1.3 reaches down to 1.88 (ours: 2.16).",
            {"n": 1.3, "flavour": "textgen"},
            survivors=(0, 1, 3),
            logits=(4.0, 2.0, 0.0, 2.0),
        ),
        Example(
            "A 6, 2,998 fours, a 2, and 3,000 scores of −100 that KoboldCpp does not see: its σ is √(8/3000) = 0.05, "
            "so the 6 is alone. Ours is 52 and would reach down to −46.",
            {"n": 1.0, "flavour": "koboldcpp"},
            survivors=(0,),
            logits=(6.0, 2.0, *[4.0] * 2998, *[-100.0] * 3000),
        ),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "After a temperature of 3 the probabilities are all but flat, and still the same 179 tokens stay: σ "
        "shrinks with the scores. Move the temperature and watch.",
        {"n": 1.0},
        before=({"sampler": "temperature", "temperature": 3.0},),
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        reach = column(self.n, scores)
        if not bool((reach > 0).any()):
            return scores
        # Distances to the best are exact where the scores are, so a constant on all of them changes nothing.
        distance = scores.double() - scores.amax(-1, keepdim=True)
        far = distance < -reach * self.sigma(scores, distance, context.vocabulary_size)
        return scores.masked_fill((reach > 0) & far, -torch.inf)

    def sigma(self, scores: torch.Tensor, distance: torch.Tensor, vocabulary_size: int) -> torch.Tensor:
        """float[B,K] and float64[B,K] (the same below the best one) -> float64[B,1], nats."""
        if self.flavour == "textgen":
            return _deviation_with_zeros(scores.double(), vocabulary_size)
        if self.flavour == "koboldcpp":
            return deviation(distance.topk(min(LOOKED_AT_BY_KOBOLDCPP, distance.shape[1]), dim=-1).values)
        return deviation(distance)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        best = float(probs.max())
        if self.flavour == "textgen":  # its σ depends on the scores themselves; the line lies just below what stays
            return Cut("probability", float(probs[alive].min()), marks=(best,))
        distance = (probs / best).log()[None]
        sigma = float(self.sigma(distance, distance, probs.numel()))
        steps = [step for step in range(1, 6) if step < float(self.n)]
        marks = tuple(best * float(torch.tensor(-step * sigma).exp()) for step in [0, *steps])
        return Cut("probability", best * float(torch.tensor(-float(self.n) * sigma).exp()), marks=marks)


def deviation(values: torch.Tensor) -> torch.Tensor:
    """float64[B,K], removed = -inf -> float64[B,1]: the standard deviation of the others, divided by their number."""
    here = values > -torch.inf
    count = here.sum(-1, keepdim=True)
    centred = torch.where(here, values, 0.0)
    centred = torch.where(here, centred - total(centred) / count, 0.0)
    return (total(centred * centred) / count).sqrt()


def _deviation_with_zeros(values: torch.Tensor, count: int) -> torch.Tensor:
    """float64[B,K] -> float64[B,1]: the deviation (ddof 1) of ``count`` values, 0 where one is removed."""
    here = values > -torch.inf
    num_zeros = count - here.sum(-1, keepdim=True)
    mean = total(torch.where(here, values, 0.0)) / count
    centred = torch.where(here, values - mean, 0.0)
    return ((total(centred * centred) + num_zeros * mean * mean) / max(1, count - 1)).sqrt()
