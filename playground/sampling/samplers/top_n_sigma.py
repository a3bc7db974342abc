"""Top-nσ: a token survives if its score is within n standard deviations of the best one.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.sampler import Example, Sampler
from playground.sampling.softmax import total


@dataclass(frozen=True)
class TopNSigma(Sampler):
    """Cuts in the space of scores: a temperature before it scales the scores and σ alike and changes nothing."""

    n: Number = param(
        1.0, 0, 5, 0.01, label="n", unit="σ", help="How far below the best score; 0 is off.", hard_high=1e6
    )

    name = "top_n_sigma"
    title = "Top-nσ"
    slot = 46
    kind = "truncate"
    keeps_argmax = True
    off = {"n": 0.0}
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
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        reach = column(self.n, scores)
        if not bool((reach > 0).any()):
            return scores
        # Distances to the best are exact where the scores are, so a constant on all of them changes nothing.
        distance = scores.double().sub_(scores.amax(-1, keepdim=True))
        far = distance < -reach * deviation(distance)
        return scores.masked_fill((reach > 0) & far, -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        best = float(probs.max())
        sigma = float(deviation((probs / best).log()[None]))
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
