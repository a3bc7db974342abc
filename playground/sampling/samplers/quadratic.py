"""Quadratic smoothing: pulls the scores near the top together and pushes the far ones away, by a parabola.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.errors import PlaygroundError
from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.divide import HEADROOM
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler

STEEPEST = 3.0  # the curve beyond which the square changes its sign and lifts tokens above the likeliest one


@dataclass(frozen=True)
class Quadratic(Sampler):
    """One nat below the top counts as ``factor`` nats, two as four times that. A factor near 0 flattens everything."""

    factor: Number = param(
        0.3, 0, 10, 0.01, label="Factor", help="0 is off by definition: a factor just above 0 flattens.", hard_high=1000
    )
    curve: Number = param(
        1.0, 1, STEEPEST, 0.01, label="Curve", help="1 is a parabola, 3 a cubic; beyond 3 the ranking would turn over."
    )

    name = "quadratic"
    title = "Quadratic smoothing"
    slot = 44
    kind = "shape"
    keeps_argmax = True
    off = {"factor": 0.0}
    summary = "Replaces each score's distance d to the best one by f · d²: the best come closer, the rest fall away."
    formula = "ℓ′ = ℓ_max − f · (3 − c)/2 · d² + f · (c − 1)/2 · d³ with d = ℓ − ℓ_max ≤ 0"
    source = "text-generation-webui #5403 (square) and #5551 (curve)"
    examples = (
        Example(
            "f = 2: distances of ½ and 1 become 2 · ¼ = ½ and 2 · 1 = 2.",
            {"factor": 2.0},
            survivors=(0, 1, 2),
            logits=(3.0, 2.5, 2.0),
            expected_probs=(0.5740970, 0.3482074, 0.0776956),
        ),
        Example(
            "c = 3 leaves the cube alone: a distance of ½ becomes 8 · ⅛ = 1, odds of e : 1.",
            {"factor": 8.0, "curve": 3.0},
            survivors=(0, 1),
            logits=(0.5, 0.0),
            expected_probs=(0.7310586, 0.2689414),
        ),
    )
    demo = Demo(
        "Once upon a time, there was a",
        "The ten best beginnings come level while thousands of far ones fall away: 280 effective choices "
        "become 55, and yet no single one is favoured.",
        {"factor": 0.3},
    )

    def __post_init__(self) -> None:
        if isinstance(self.curve, float | int) and self.curve > STEEPEST:
            raise PlaygroundError(
                f"quadratic.curve must be from 1 to {STEEPEST:g}: beyond {STEEPEST:g} tokens just below the likeliest "
                "one would be lifted above it."
            )
        super().__post_init__()

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        factor, curve = column(self.factor, scores), column(self.curve, scores)
        if not bool((factor > 0).any()):
            return scores
        best = scores.amax(-1, keepdim=True).double()
        distance = scores.double() - best
        # −f·d²·(k − s·d), in this order: no two infinities meet.
        bend = distance * (-(curve - 1) / 2)
        bend.add_((3 - curve) / 2).mul_(-factor).mul_(distance).mul_(distance)
        lowest = best.clamp(max=-HEADROOM)  # a survivor must not overflow to -inf, which would remove it
        smooth = bend.add_(best).maximum(lowest).to(scores.dtype)
        return torch.where((factor > 0) & (scores > -torch.inf), smooth, scores)
