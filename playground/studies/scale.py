"""p(token) against the guidance scale: how far each leading token rises or falls as the scale moves.

Knows nothing about drawing. Exact over the full vocabulary at every scale.
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import torch

from playground.errors import PlaygroundError
from playground.sampling import Recipe, mix
from playground.studies.rows import StepRows

LOW, HIGH, NUM_SCALES, NUM_TOKENS = -1.0, 7.0, 33, 10


class ScaleCurve(TypedDict):
    """One token's probability at each scale."""

    token_id: int
    text: str
    p: list[float]


class ScaleView(TypedDict):
    scales: list[float]
    scale: float
    curves: list[ScaleCurve]


def scale_view(rows: StepRows, recipe: Recipe, vocabulary: Any) -> ScaleView:
    """The tokens that lead at any of the scales, at every one of them. PlaygroundError without other branches."""
    if not rows.others:
        raise PlaygroundError("This place has no negative branch, so there is nothing to steer with the scale.")
    scales = np.linspace(LOW, HIGH, NUM_SCALES)
    others = torch.stack([other.logits for other in rows.others])
    probabilities = []
    for at in scales:
        guided = mix([recipe.at(float(at)).guidance], [rows.step], rows.prompt[None], [others])
        probabilities.append(torch.softmax(guided[0].double(), -1))
    best: dict[int, float] = {}
    for row in probabilities:
        top = row.topk(3)
        for p, token in zip(top.values.tolist(), top.indices.tolist(), strict=True):
            best[token] = max(best.get(token, 0.0), p)
    leaders = sorted(best, key=lambda token: -best[token])[:NUM_TOKENS]
    return ScaleView(
        scales=scales.round(4).tolist(),
        scale=recipe.scale,
        curves=[
            ScaleCurve(token_id=token, text=vocabulary.label(token), p=[float(row[token]) for row in probabilities])
            for token in leaders
        ],
    )
