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
from playground.sampling.softmax import softmax, total, weights


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

    @property
    def may_forbid(self) -> bool:
        return bool(self.probability == 1)  # else the other side of the coin leaves every token its chance

    def branches(self) -> tuple[tuple[float, Xtc], ...]:
        probability = float(self.probability)
        if probability in (0.0, 1.0):
            return ((1.0, self),)
        return (probability, replace(self, probability=1.0)), (1.0 - probability, replace(self, probability=0.0))

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        probability = column(self.probability, scores)
        if (probability == 0).all():
            return scores
        asked = (probability > 0).expand(len(scores), 1)[:, 0].nonzero()[:, 0]  # of the two sides of a coin, one is
        threshold = column(self.threshold, scores).expand(len(scores), 1)[asked]
        rows, columns = _top(scores[asked], threshold)
        rows = asked[rows]
        shares = probability.expand(len(scores), 1)[rows, 0]
        left = scores.clone()
        acts = shares == 1
        left[rows[acts], columns[acts]] = -torch.inf
        between = (shares > 0) & ~acts
        return self._marginal(scores, left, rows[between], columns[between]) if bool(between.any()) else left

    def _marginal(
        self, scores: torch.Tensor, left: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
    ) -> torch.Tensor:
        """The mixture of both outcomes, where this stage stands alone: what is excluded keeps the share 1 − P of its
        probability, the others gain in proportion what that frees."""
        probability = column(self.probability, scores).expand(len(scores), 1)
        probs = softmax(scores)
        freed = torch.zeros_like(probability).index_put_((rows, torch.zeros_like(rows)), probs[rows, columns], True)
        kept = probs.index_put((rows, columns), probs.new_zeros(()))
        factor = (1 + probability * freed / total(kept).clamp(min=1e-300)).log()
        mixed = torch.where(freed > 0, scores + factor, left.double())
        mixed[rows, columns] = scores[rows, columns].double() + torch.log1p(-probability)[rows, 0]
        return mixed.to(scores.dtype)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("ceiling", float(self.threshold)) if bool(((probs > 0) & ~alive).any()) else Cut()

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        gone = (before > 0) & (after == 0)
        if not gone.any():
            return "fewer than two tokens reach the threshold, so nothing goes"
        return f"{int(gone.sum()):,} top choices go, {float(before[gone].sum()):.1%} of the mass"


def _top(scores: torch.Tensor, threshold: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells int64[N] of float[B,K], by thresholds float64[B,1]: the top choices that go when it acts, that is all but
    the least likely of a row, ties by column. Few, so whatever follows works on them alone."""
    unnormalised = weights(scores)
    level = scores.double().amax(-1, keepdim=True) + total(unnormalised).log()
    # By logarithms and in the scores' own precision: of the thresholds that are a token's probability on paper,
    # that finds 89 % where comparing probabilities finds 73 %.
    reached = scores >= (level + threshold.log()).to(scores.dtype)
    rows, columns = (reached & (scores > -torch.inf)).nonzero(as_tuple=True)
    goes = torch.ones_like(rows, dtype=torch.bool)
    for row in rows.unique().tolist():
        places = (rows == row).nonzero()[:, 0]
        values = scores[row, columns[places]]
        goes[places[values == values.amin()][-1]] = False
    return rows[goes], columns[goes]
