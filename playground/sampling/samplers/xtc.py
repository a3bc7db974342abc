"""XTC (exclude top choices): now and then, all likely tokens but the least likely of them are taken away.

Knows nothing about other stages, nor about who flips its coin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.draw import Purpose
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import log_softmax, total


@dataclass(frozen=True)
class Xtc(Sampler):
    """The one truncation that removes from the top, and the one that rolls dice about it.

    With a probability between 0 and 1 ``apply`` alone gives the exact mixture of both outcomes; a chain asks for
    ``branches`` instead and carries both through the stages that follow.
    """

    probability: Number = param(
        0.5, 0, 1, 0.01, label="Probability", help="How often it acts: 0 is off, 1 is at every token."
    )
    threshold: Number = param(
        0.1, 0, 0.5, 0.005, label="Threshold", unit="probability", help="From here on a token is a top choice.",
        hard_high=1,
    )  # fmt: skip

    name = "xtc"
    title = "XTC"
    slot = 100
    kind = "truncate"
    keeps_argmax = False
    off = {"probability": 0.0}
    purpose = Purpose.XTC
    branch_names = ("if it acts", "if it does not")
    summary = "With some probability removes every token at or above the threshold except the least likely of them."
    formula = "with probability P: remove i where pᵢ ≥ t, but the smallest such pᵢ, if there are two or more"
    source = "p-e-w, text-generation-webui #6335; marginal as in exllamav3"
    examples = (
        Example(
            "P = 1: 0.4, 0.3 and 0.2 reach 0.15; the least of them stays.",
            {"probability": 1.0, "threshold": 0.15},
            survivors=(2, 3),
            probs=(0.4, 0.3, 0.2, 0.1),
            expected_probs=(2 / 3, 1 / 3),
        ),
        Example(
            "P = ½: the mean of what acts (0, 0, ⅔, ⅓) and what does not.",
            {"probability": 0.5, "threshold": 0.15},
            survivors=(0, 1, 2, 3),
            probs=(0.4, 0.3, 0.2, 0.1),
            expected_probs=(0.2, 0.15, 0.1 + 1 / 3, 0.05 + 1 / 6),
        ),
        Example(
            "Of two equal least choices the later one stays.",
            {"probability": 1.0, "threshold": 0.25},
            survivors=(2, 3),
            probs=(0.4, 0.25, 0.25, 0.1),
            expected_probs=(5 / 7, 2 / 7),
        ),
    )
    demo = Demo(
        "Once upon a time, in a small village nestled in the",
        "The model always says heart, mountains or rolling. When the coin falls for XTC, only the least likely of the "
        "three and what lies below are left, and the tale goes elsewhere.",
        {"probability": 0.5, "threshold": 0.1},
        before=({"sampler": "min_p", "min_p": 0.02},),
    )

    def branches(self) -> tuple[tuple[float, Xtc], ...]:
        probability = float(self.probability)
        if probability in (0.0, 1.0):
            return ((1.0, self),)
        return (probability, replace(self, probability=1.0)), (1.0 - probability, replace(self, probability=0.0))

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        probability = column(self.probability, scores)
        if (probability == 0).all():
            return scores
        log_probs = log_softmax(scores)
        top = self._top(scores, log_probs)
        certain = scores.masked_fill(top & (probability == 1), -torch.inf)
        between = (probability > 0) & (probability < 1) & top.any(-1, keepdim=True)
        if not between.any():
            return certain
        # Excluded tokens keep the share 1 − P of theirs, the others gain what that frees in proportion.
        probs = log_probs.exp()
        freed, left = total(torch.where(top, probs, 0.0)), total(torch.where(top, 0.0, probs))
        factor = torch.where(top, 1 - probability, 1 + probability * freed / left.clamp(min=1e-300))
        return torch.where(between, scores + factor.log(), certain.double()).to(scores.dtype)

    def _top(self, scores: torch.Tensor, log_probs: torch.Tensor) -> torch.Tensor:
        """bool[B,K]: the top choices that go when it acts, that is all but the least likely, ties by column."""
        # By logarithms and in the scores' own precision: of the thresholds that are a token's probability on paper,
        # that finds 89 % where comparing probabilities finds 73 %.
        level = scores.double().amax(-1, keepdim=True) - log_probs.amax(-1, keepdim=True)
        top = scores >= (level + column(self.threshold, scores).log()).to(scores.dtype)
        top &= scores > -torch.inf
        columns = torch.arange(scores.shape[-1], device=scores.device)
        least = torch.where(top, scores, torch.inf).amin(-1, keepdim=True)
        last = torch.where(top & (scores == least), columns, -1).amax(-1, keepdim=True)
        return top & (columns != last)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("ceiling", float(self.threshold)) if bool(((probs > 0) & ~alive).any()) else Cut()

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        gone = (before > 0) & (after == 0)
        if not gone.any():
            return "fewer than two tokens reach the threshold, so nothing goes"
        return f"{int(gone.sum()):,} top choices go, {float(before[gone].sum()):.1%} of the mass"
