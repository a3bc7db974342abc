"""How sure the curve is: 95 % of what pools like this one would show, from its rows drawn again.

Knows nothing about pages. The exponents stay as they are: this is the error of what is measured at a target, not that
of the target. Only made once nothing is dragged.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from playground.control.arrays import Floats
from playground.control.bootstrap import curve_intervals
from playground.control.curve import Curve

NUM_RESAMPLES = 79
"""So that the 95 % are bounded by the second from either end; 60 gave 90 %."""
NUM_JS_BETAS = 13
"""JS has no prefix sums, so its band is made at so many β's and straight between them."""

Between = tuple[float, float]


class PointBands(TypedDict):
    """Of the chosen β."""

    acceptance_rate: Between
    divergence: tuple[float | None, float | None]
    """Of the measure that is shown, nats but for TVD; None: infinite."""
    moments: list[Between]
    """Each feature's mean among the accepted."""


def curve_band(curve: Curve, measure: str) -> tuple[Floats, Floats]:
    """float64[M] twice: low and high of a divergence at each β of the curve."""
    if measure != "js":
        band = curve_intervals(curve, lambda one: getattr(one, measure), num_resamples=NUM_RESAMPLES)
        return band.low, band.high
    places = np.unique(np.linspace(0, len(curve.log_betas) - 1, NUM_JS_BETAS).round().astype(int))
    at = curve.log_betas[places]
    band = curve_intervals(Curve(curve.ratios, at), lambda one: one.js, num_resamples=NUM_RESAMPLES)
    return np.interp(curve.log_betas, at, band.low), np.interp(curve.log_betas, at, band.high)


def point_bands(point: Curve, measure: str, values: Floats) -> PointBands:
    """``point``: a curve of one β; ``values`` float64[N,F], the features of its rows."""

    def figures(one: Curve) -> Floats:
        return np.concatenate([one.acceptance_rate, getattr(one, measure), one.moments(values)[0]])

    band = curve_intervals(point, figures, num_resamples=NUM_RESAMPLES)
    pairs = list(zip(band.low.tolist(), band.high.tolist(), strict=True))
    low, high = (value if np.isfinite(value) else None for value in pairs[1])
    return PointBands(acceptance_rate=pairs[0], divergence=(low, high), moments=pairs[2:])
