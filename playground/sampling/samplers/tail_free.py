"""Tail-free: cuts where the curve of the sorted probabilities has stopped bending.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import flavour, param
from playground.sampling.prefix import SLACK
from playground.sampling.ranked import Answer, largest, settled
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import total, weights

FLAT = 1e-6  # less curvature than this in all is none: every token then counts for the same
DRAWN = 4096  # ranks of the staircase; by there it has long reached its level


@dataclass(frozen=True)
class TailFree(Sampler):
    """The second difference of the sorted probabilities is large at the head and nothing in the tail."""

    z: Number = param(0.95, 0, 1, 0.001, label="z", unit="of the bends", help="What must be kept; 1 is off.")
    flavour: str = flavour(
        {
            "ours": "KoboldCpp's rule: the token that passes z goes",
            "textgen": "text-generation-webui: one token more stays, and the very last of the vocabulary always goes",
        }
    )

    name = "tail_free"
    title = "Tail-free"
    slot = 81
    kind = "truncate"
    keeps_argmax = True
    off = {"z": 1.0}
    summary = "Keeps the likeliest tokens until a share z of the bends in the curve of sorted probabilities is used up."
    formula = "keep the i likeliest, i ≥ 1 the first with Σ_{j≤i} |p″ⱼ| > z · Σ |p″|, counted from 0"
    source = "Phénix and Egan 2019, Tail Free Sampling; the rule of KoboldCpp"
    examples = (
        Example(
            "0.5, 0.3, 0.1, 0.06, 0.04: differences 0.2, 0.2, 0.04, 0.02; theirs 0, 0.16, 0.02. Shares 0, 0.889, 1: "
            "the second passes 0.8, so one token stays.",
            {"z": 0.8},
            survivors=(0,),
            probs=(0.5, 0.3, 0.1, 0.06, 0.04),
        ),
        Example("0.9 is passed by the third.", {"z": 0.9}, survivors=(0, 1), probs=(0.5, 0.3, 0.1, 0.06, 0.04)),
        Example(
            "text-generation-webui keeps the token at which 0.8 is passed, and one more than we do.",
            {"z": 0.8, "flavour": "textgen"},
            survivors=(0, 1),
            probs=(0.5, 0.3, 0.1, 0.06, 0.04),
        ),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "The curve of sorted probabilities bends at its head and then runs straight: what comes after the "
        "last bend, half of the mass here, is called tail.",
        {"z": 0.95},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        share = column(self.z, scores)
        if not bool((share < 1).any()):
            return scores
        textgen = self.flavour == "textgen"
        whole = total(weights(scores))
        num_ranks = num_left = (scores > -torch.inf).sum(-1, keepdim=True)
        if textgen:  # removed tokens stand at the end of the curve with probability 0; two of them hold all its bends
            num_ranks = (num_left + 2).clamp(max=context.vocabulary_size)

        def ask(best: torch.Tensor) -> Answer:
            probs = weights(best) / whole
            if probs.shape[1] == scores.shape[1]:
                probs = torch.nn.functional.pad(probs, (0, 2))
            return _first_past(share, probs, num_ranks, 0 if textgen else 1)

        counts = settled(scores, ask)
        if textgen:
            counts = torch.minimum(counts + 1, context.vocabulary_size - (num_left == context.vocabulary_size).long())
        return scores.masked_fill((share < 1) & ~largest(scores, counts), -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        best = probs.topk(min(DRAWN, probs.numel())).values
        climbed = torch.cat([torch.zeros(1), _bends(best[None])[0].cumsum(0)])
        return Cut("cumulative", float(self.z), staircase=climbed / climbed[-1].clamp(min=1e-300))


def _bends(probs: torch.Tensor) -> torch.Tensor:
    """float64[B,W], likeliest first -> float64[B,W-2] (no column where W < 3): the sizes of the second differences."""
    return probs.diff(dim=-1).diff(dim=-1).abs() if probs.shape[1] > 2 else probs[:, :0]


def _first_past(share: torch.Tensor, probs: torch.Tensor, num_ranks: torch.Tensor, first: int) -> Answer:
    """The first bend, from ``first`` on, at which the sum of the bends passes its share; all ranks where none does.

    probs float64[B,W]: the largest of a curve of ``num_ranks`` int64[B,1] probabilities. What the unseen rest adds to
    the sum lies between 0 and twice the last probability but one; the answer is certain where both ends give the same.
    """
    bends = _bends(probs)
    num_bends = (num_ranks - 2).clamp(min=0)
    seen_all = num_ranks <= probs.shape[1]
    climbed = torch.where(torch.arange(bends.shape[1], device=bends.device) < num_bends, bends, 0.0).cumsum(-1)
    least = climbed[:, -1:] if climbed.shape[1] else torch.zeros_like(share)
    most = torch.where(seen_all, least, least + 2 * probs[:, -2:-1] if probs.shape[1] > 1 else least)
    share = share + SLACK
    early, late = ((climbed <= share * whole).sum(-1, keepdim=True) for whole in (least, most))
    flat = least <= FLAT
    found = torch.where(flat, (share * num_bends).floor().long(), early).clamp(min=first)
    certain = seen_all | ((early == late) & ~flat)
    return torch.where(found < num_bends, found, num_ranks)[:, 0], certain[:, 0]
