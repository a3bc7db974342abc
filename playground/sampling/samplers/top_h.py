"""Top-h: keeps the likeliest tokens as long as they hold no more than a share of the entropy.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.ranked import largest
from playground.sampling.sampler import Example, Sampler
from playground.sampling.softmax import softmax

NUM_LOOKED_AT = 100  # transformers looks at no more tokens than that


@dataclass(frozen=True)
class TopH(Sampler):
    """Bounds the randomness itself: what survives may be only so much more uncertain."""

    top_h: Number = param(0.4, 0, 1, 0.01, label="h", unit="of the entropy", help="What may be kept; 0 is greedy.")

    name = "top_h"
    title = "Top-h"
    slot = 48
    kind = "truncate"
    keeps_argmax = True
    off = None
    summary = "Of the 100 likeliest tokens keeps the first ones whose shares of the entropy add up to at most h of it."
    formula = "keep the longest prefix (at least 1) with Σ −pᵢ ln pᵢ ≤ h · H, p over the 100 likeliest"
    source = "Baghaei Potraghloo et al. 2025, arXiv 2509.02510; transformers #40837"
    examples = (
        Example(
            "In bits: ½·1, ¼·2, ⅛·3, ⅛·3 sum up to 1.75. Half of that is 0.875: ½ fits, ½ + ½ does not.",
            {"top_h": 0.5},
            survivors=(0,),
            probs=(0.5, 0.25, 0.125, 0.125),
        ),
        Example(
            "0.6 of 1.75 bits is 1.05: two tokens fit.",
            {"top_h": 0.6},
            survivors=(0, 1),
            probs=(0.5, 0.25, 0.125, 0.125),
        ),
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        best = scores.topk(min(NUM_LOOKED_AT, scores.shape[1]), dim=-1).values
        parts = torch.special.entr(softmax(best)).cumsum(-1)
        counts = (parts <= column(self.top_h, scores) * parts[:, -1:]).sum(-1, keepdim=True)
        return scores.masked_fill(~largest(scores, counts), -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        best = probs.topk(min(NUM_LOOKED_AT, probs.numel())).values
        parts = torch.special.entr(best / best.sum()).cumsum(0)
        return Cut("cumulative", float(self.top_h), staircase=parts / parts[-1].clamp(min=1e-300))
