"""Mirostat v2: cuts what is too surprising, and moves the cut after every token so that the text stays at a target.

Knows nothing about other stages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from playground.sampling.columns import Number, column, remembered
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import log_softmax


@dataclass(frozen=True)
class MirostatV2(Sampler):
    """Its memory is μ, the largest surprise allowed, in bits; it begins at 2τ."""

    tau: Number = param(
        5.0, 0.1, 10, 0.1, label="Target τ", unit="bits", help="Surprise of a token, on average.",
        hard_low=0, hard_high=100,
    )  # fmt: skip
    eta: Number = param(0.1, 0, 1, 0.01, label="Rate η", help="How fast the cut follows; 0 never moves it.")

    name = "mirostat_v2"
    title = "Mirostat v2"
    slot = 210
    kind = "draw"
    keeps_argmax = True
    off = None
    stateful = True
    summary = "Removes tokens more surprising than μ, then moves μ so that the surprise of what is drawn stays near τ."
    formula = "keep i where −log₂ pᵢ ≤ μ, at least one; after drawing x: μ ← μ − η (−log₂ p′ₓ − τ)"
    source = "Basu et al. 2020, arXiv 2007.14966, algorithm 2; llama.cpp"
    examples = (
        Example(
            "τ = 1, so μ = 2 bits: 1 and 2 bits stay, 3 bits go.",
            {"tau": 1.0},
            survivors=(0, 1),
            probs=(0.5, 0.25, 0.125, 0.125),
            expected_probs=(2 / 3, 1 / 3),
        ),
        Example("τ = 0.1: nothing lies below 0.2 bits; one stays.", {"tau": 0.1}, survivors=(0,), probs=(0.6, 0.4)),
    )
    demo = Demo(
        "The committee met on Tuesday to discuss",
        "Generate, then click along the text: μ sinks after each surprising token and rises after each dull one, so "
        "the cut breathes with the text.",
        {"tau": 3.0, "eta": 0.3},
    )

    def start(self) -> Any:
        return 2 * self.tau

    def apply(self, scores: torch.Tensor, context: Context, states: Sequence[float] | None = None) -> torch.Tensor:
        limit = column(self.start(), scores) if states is None else remembered(states, scores)
        surprise = log_softmax(scores).mul_(-1 / math.log(2))
        # In the scores' own precision, as llama.cpp: see ``min_p``.
        removed = surprise.to(scores.dtype) > limit.to(scores.dtype)
        removed.scatter_(-1, scores.argmax(-1, keepdim=True), False)
        return scores.masked_fill(removed, -torch.inf)

    def observe(self, state: Any, before: torch.Tensor, after: torch.Tensor, column: int) -> Any:
        surprise = -float(log_softmax(after[None])[0, column]) / math.log(2)
        return float(state - self.eta * (surprise - self.tau))

    def cut(self, probs: torch.Tensor, alive: torch.Tensor, state: Any = None) -> Cut:
        return Cut("probability", 2.0 ** -float(self.start() if state is None else state))

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        return f"μ = {state:.2f} bits here: what is less likely than {2.0**-state:.2%} goes"
