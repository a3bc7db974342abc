"""Adaptive-p: bends the distribution towards tokens of a wanted probability, and corrects for what it drew before.

Knows nothing about other stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from playground.sampling.columns import Number, column, remembered
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import softmax

WIDTH = 0.3  # of the bell around the wanted probability
PEAK, SHARPNESS = 5.0, 10.0  # its height on the scale of logits, and how steeply it falls


class Mean(NamedTuple):
    """A fading mean of the probabilities that were drawn: their weighted sum, and the sum of the weights."""

    total: float
    weight: float


@dataclass(frozen=True)
class AdaptiveP(Sampler):
    """Its memory is the fading mean of what the drawn tokens' probabilities were when they arrived here."""

    target: Number = param(
        0.5, 0, 1, 0.01, label="Target", unit="probability", help="The probability to draw from; below 0 it is off.",
        hard_low=-1,
    )  # fmt: skip
    decay: Number = param(0.9, 0, 0.99, 0.01, label="Decay", help="How long it remembers: 0.9 is about ten tokens.")

    name = "adaptive_p"
    title = "Adaptive-p"
    slot = 220
    kind = "draw"
    keeps_argmax = False
    off = {"target": -1.0}
    stateful = True
    summary = (
        "Prefers tokens of about a wanted probability, and aims higher after unlikely ones, lower after likely ones."
    )
    formula = (
        "ℓ′ᵢ = 5 − 10 d² / (1 + d), d = |pᵢ − t*| / 0.3, t* = 2t − the fading mean of what was drawn, within 0 … 1"
    )
    source = "MrJackSpade and ddh0, llama.cpp #17927"
    examples = (
        Example(
            "t = 0.6, nothing drawn yet: 0.6 is on it (5), 0.3 one width off (5 − 10/2 = 0), 0.1 five thirds (−5.42).",
            {"target": 0.6},
            survivors=(0, 1, 2),
            probs=(0.6, 0.3, 0.1),
            expected_probs=(0.9932776, 0.0066927, 0.0000297),
        ),
    )
    demo = Demo(
        "The best way to spend a rainy day is",
        "Set the target low: the obvious tokens lose to those of middling probability. Walk along the text and see "
        "the target move against what was drawn.",
        {"target": 0.3},
        before=({"sampler": "min_p", "min_p": 0.05},),
    )

    @property
    def may_forbid(self) -> bool:
        return False  # scores are bent to between 5 and about -21, and none is removed

    def start(self) -> Any:
        weight = 1 / (1 - self.decay)
        return Mean(self.target * weight, weight)  # type: ignore[arg-type]  # columns too, for rows that lack it

    def apply(self, scores: torch.Tensor, context: Context, states: Sequence[Mean] | None = None) -> torch.Tensor:
        target = column(self.target, scores)
        if (target < 0).all():
            return scores
        mean = target if states is None else _mean(states, scores)
        aim = (2 * target - mean).clamp(0, 1)
        distance = (softmax(scores) - aim).abs() / WIDTH
        bent = (PEAK - SHARPNESS * distance.square() / (1 + distance)).to(scores.dtype)
        return torch.where((target < 0) | (scores == -torch.inf), scores, bent)

    def observe(self, state: Any, before: torch.Tensor, after: torch.Tensor, column: int) -> Any:
        if self.target < 0:
            return state
        drawn = float(softmax(before[None])[0, column])
        return Mean(float(drawn + self.decay * state.total), float(1 + self.decay * state.weight))

    def cut(self, probs: torch.Tensor, alive: torch.Tensor, state: Any = None) -> Cut:
        return Cut("target", self._aim(self.start() if state is None else state)) if self.target >= 0 else Cut()

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        mean = state.total / state.weight
        return f"drawn lately: {mean:.1%} on average, so it aims at {self._aim(state):.1%}"

    def _aim(self, state: Mean) -> float:
        return float(min(1.0, max(0.0, 2 * self.target - state.total / state.weight)))


def _mean(states: Sequence[Mean], like: torch.Tensor) -> torch.Tensor:
    return remembered([state.total / state.weight for state in states], like)
