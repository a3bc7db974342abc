"""Cut: the geometry of a truncation, as it is drawn on the distribution that arrives at the stage.

Knows nothing about samplers, pixels or charts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Cut:
    """Where a stage cuts.

    ``axis`` says which line to draw: "rank" (a vertical line after that many tokens), "probability" (a horizontal
    line: tokens below it go), "cumulative" (a level on a staircase over the ranks), "band" (two horizontal lines,
    ``value`` and ``high``: tokens outside go), "tokens" (single tokens, wherever they stand), "ceiling" (a horizontal
    line: tokens above it go, but for the least of them), "target" (a horizontal line that probabilities are drawn
    towards, nothing goes) or "none".
    """

    axis: str = "none"
    value: float | None = None
    high: float | None = None
    marks: tuple[float, ...] = ()  # probabilities of further, dashed lines that the cut is measured by
    # float64[N] of a "cumulative" cut: the height after each of the N likeliest tokens, likeliest first. None: the
    # summed probability.
    staircase: torch.Tensor | None = None
