"""Mirostat: estimates how fast probability falls with rank, and keeps as many tokens as give the wanted surprise.

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
from playground.sampling.ranked import largest
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import log_softmax, total

NEARLY_ONE = 1e-9  # slopes closer to 1 than this: the formula's quotient is 0/0 there and its limit is 1/ln N


@dataclass(frozen=True)
class Mirostat(Sampler):
    """Its memory is μ, the surprise aimed at, in bits; it begins at 2τ. Version 2 does the same without an estimate."""

    tau: Number = param(
        5.0, 0.1, 10, 0.1, label="Target τ", unit="bits", help="Surprise of a token, on average.",
        hard_low=0, hard_high=100,
    )  # fmt: skip
    eta: Number = param(0.1, 0, 1, 0.01, label="Rate η", help="How fast it corrects itself; 0 never does.")
    m: Number = param(
        100, 2, 1000, 1, label="Tokens m", unit="tokens", help="How many of the likeliest the slope is measured on.",
        integer=True, hard_high=100_000,
    )  # fmt: skip

    name = "mirostat"
    title = "Mirostat"
    slot = 200
    kind = "draw"
    keeps_argmax = True
    off = None
    stateful = True
    summary = "Keeps the k likeliest tokens, k found from how steeply they fall, so that the surprise stays near τ."
    formula = (
        "k = ((ε 2^μ) / (1 − N^−ε))^(1/ŝ), ε = ŝ − 1, ŝ = Σtᵢbᵢ / Σtᵢ²; after drawing x: μ ← μ − η (−log₂ p′ₓ − τ)"
    )
    source = "Basu et al. 2020, arXiv 2007.14966, algorithm 1; llama.cpp"
    examples = (
        Example(
            "ŝ = ln 2 / ln 2 = 1, so k = 2^μ / ln 4 = 2.8 at μ = 2τ = 1.96, cut down to 2.",
            {"tau": 0.98, "m": 2},
            survivors=(0, 1),
            probs=(0.5, 0.25, 0.15, 0.1),
            expected_probs=(2 / 3, 1 / 3),
        ),
        Example(
            "At τ = 0.1, k is 0.8 and one token is the least.", {"tau": 0.1}, survivors=(0,), probs=(0.6, 0.3, 0.1)
        ),
    )
    demo = Demo(
        "The recipe for a good story is",
        "Generate, then walk along the text: the line moves by itself, to the left after a surprising token and to "
        "the right after a dull one.",
        {"tau": 4.0, "eta": 0.3},
    )

    def start(self) -> Any:
        return 2 * self.tau

    def apply(self, scores: torch.Tensor, context: Context, states: Sequence[float] | None = None) -> torch.Tensor:
        limit = column(self.start(), scores) if states is None else remembered(states, scores)
        slope = _slope(scores, column(self.m, scores, torch.int64))
        excess, log_size = slope - 1, math.log(max(2, context.vocabulary_size))
        flat = excess.abs() < NEARLY_ONE
        quotient = excess / -torch.expm1(-torch.where(flat, 1.0, excess) * log_size)
        log_k = (torch.where(flat, 1 / log_size, quotient).log() + limit * math.log(2)) / slope
        # A slope of 0 (all equal) makes it ±inf, or NaN where both sides are 0: all of them, or the least there can be.
        k = log_k.nan_to_num(nan=0.0).clamp(0, math.log(scores.shape[-1] + 1)).exp()
        return scores.masked_fill(~largest(scores, (k + 1e-9).long()), -torch.inf)

    def observe(self, state: Any, before: torch.Tensor, after: torch.Tensor, column: int) -> Any:
        surprise = -float(log_softmax(after[None])[0, column]) / math.log(2)
        return float(state - self.eta * (surprise - self.tau))

    def cut(self, probs: torch.Tensor, alive: torch.Tensor, state: Any = None) -> Cut:
        return Cut("rank", float(alive.sum()))

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        return f"μ = {state:.2f} bits here, so k = {int((after > 0).sum()):,}"


def _slope(scores: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
    """float64[B,1]: the exponent of the power law through the ``m`` int64[B,1] or [1,1] largest of float[B,K]."""
    width = min(int(m.max()), scores.shape[-1])
    best = scores.topk(width, dim=-1).values.double()
    falls = best[:, :-1] - best[:, 1:]
    ranks = torch.arange(width - 1, device=scores.device, dtype=torch.float64)
    steps = ((ranks + 2) / (ranks + 1)).log()
    counted = (best[:, 1:] > -torch.inf) & (ranks < m - 1)
    falls, steps = torch.where(counted, falls, 0.0), torch.where(counted, steps, 0.0)
    if width < 2:
        return scores.new_zeros((len(scores), 1), dtype=torch.float64)
    return total(falls * steps) / total(steps * steps)
