"""Min-p: a token survives if it is at least m times as likely as the likeliest one.

Knows nothing about other stages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler


@dataclass(frozen=True)
class MinP(Sampler):
    """A threshold that scales with the model's confidence."""

    min_p: Number = param(
        0.05, 0, 1, 0.001, label="m", unit="of the top p", help="0 is off, 1 keeps only the likeliest."
    )

    name = "min_p"
    title = "Min-p"
    slot = 70
    kind = "truncate"
    keeps_argmax = True
    off = {"min_p": 0.0}
    summary = "Keeps every token at least m times as likely as the likeliest one."
    formula = "keep i where pᵢ ≥ m · p_max, that is ℓᵢ ≥ ℓ_max + ln m"
    source = "llama.cpp #3841; Nguyen et al. 2024, arXiv 2407.01082"
    examples = (
        Example("Half of 0.4 is 0.2: 0.19 goes.", {"min_p": 0.5}, survivors=(0, 1), probs=(0.4, 0.3, 0.19, 0.11)),
        Example("m = 1 keeps the maximum and its equals.", {"min_p": 1.0}, survivors=(0, 2), logits=(2.0, 1.0, 2.0)),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "The same heat at which top-p lets thousands pass: a tenth of the best one is a bar that about a "
        "hundred tokens clear.",
        {"min_p": 0.1},
        before=({"sampler": "temperature", "temperature": 1.5},),
    )

    def reach(self, scores: torch.Tensor, best: torch.Tensor, scale: Number) -> Number | None:
        if not isinstance(self.min_p, torch.Tensor):
            return -math.log(self.min_p) * scale if self.min_p > 0 else None
        return -column(self.min_p, scores).log() * scale

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        # In the scores' own precision, as llama.cpp: their rounding and the threshold's then agree. Of 132 pairs with
        # p = m·p_max on paper (0.2 against 0.5 · 0.4, ...) float32 keeps 128 and a float64 threshold 38.
        threshold = scores.amax(-1, keepdim=True) + column(self.min_p, scores).log().to(scores.dtype)
        return scores.masked_fill(scores < threshold, -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("probability", float(self.min_p) * float(probs.max()))
