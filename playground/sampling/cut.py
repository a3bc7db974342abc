"""Cut: the geometry of a truncation, as it is drawn on the distribution that arrives at the stage.

Knows nothing about samplers, pixels or charts.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """Where a stage cuts.

    ``axis`` says which line to draw: "rank" (a vertical line after that many tokens), "probability" (a horizontal
    line: tokens below it go), "cumulative" (a level on the staircase of summed probability), "band" (two horizontal
    lines, ``value`` and ``high``: tokens outside go) or "none".
    """

    axis: str = "none"
    value: float | None = None
    high: float | None = None
