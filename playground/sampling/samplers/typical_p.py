"""Typical-p: the tokens whose surprisal is closest to the entropy, until their probability reaches p.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.prefix import SLACK, crossing, up_to
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import log_softmax, total


@dataclass(frozen=True)
class TypicalP(Sampler):
    """May remove the likeliest token: what is far too predictable is as untypical as what is far too surprising."""

    typical_p: Number = param(
        0.95, 0, 1, 0.001, label="p", unit="probability", help="The probability that must be kept; 1 is off."
    )

    name = "typical_p"
    title = "Typical-p"
    slot = 80
    kind = "truncate"
    keeps_argmax = False
    off = {"typical_p": 1.0}
    summary = "Keeps the tokens about as surprising as the model expects to be, until they add up to p."
    formula = "keep the smallest set, smallest |−ln pᵢ − H| first, with Σ pᵢ ≥ p"
    source = "Meister et al. 2022, arXiv 2202.00666"
    examples = (
        Example(
            "H = 0.90 nats; surprisals 0.51, 1.20, 2.30 lie 0.39, 0.31, 1.40 from it: the second alone reaches 0.2.",
            {"typical_p": 0.2},
            survivors=(1,),
            probs=(0.6, 0.3, 0.1),
        ),
        Example("Then the first, and 0.9 is reached.", {"typical_p": 0.85}, survivors=(0, 1), probs=(0.6, 0.3, 0.1)),
    )
    demo = Demo(
        "The answer to the question is",
        "The colon, by far the likeliest, goes: it is less surprising than this model expects to be. The "
        "middle of the ranking stays.",
        {"typical_p": 0.2},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        wanted = column(self.typical_p, scores)
        limited = wanted < 1
        if not limited.any():
            return scores
        log_probs = log_softmax(scores)
        probs = log_probs.exp()
        entropy = -total(torch.where(probs > 0, probs * log_probs, 0.0))
        distance = (log_probs + entropy).abs()  # +inf for removed tokens
        last = crossing(distance, probs, wanted - SLACK)
        return scores.masked_fill(limited & ~up_to(distance, last), -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        kept = probs[alive]
        return Cut("band", float(kept.min()), float(kept.max()))
