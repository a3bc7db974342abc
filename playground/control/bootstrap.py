"""How sure a pool is: the same fit and the same curve on resamples of its rows, as intervals.

Knows nothing about models or drawing. Resampling is counting, so nothing is sorted or scored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from playground.control import arrays
from playground.control.arrays import Floats
from playground.control.curve import Curve
from playground.control.fit import fit
from playground.errors import PlaygroundError


@dataclass(frozen=True)
class Interval:
    """``low`` and ``high`` have the shape of the estimate; ``num_failed`` resamples gave none (their targets were out
    of reach), which is itself a warning."""

    low: Floats
    high: Floats
    num_resamples: int
    num_failed: int


def exponent_intervals(
    features: Any, log_weights: Any, targets: Any, *, num_resamples: int = 200, level: float = 0.95, seed: int = 0
) -> Interval:
    """Intervals of the fitted exponents, float64[F] each, refitted on every resample."""
    table = arrays.table(features, "features")
    weights = arrays.log_values(log_weights, "log_weights", len(table))
    found, num_failed = [], 0
    for counts in resamples(len(table), num_resamples, seed):
        kept = counts > 0
        try:
            refit = fit(table[kept], weights[kept] + np.log(counts[kept]), targets)
        except PlaygroundError:
            num_failed += 1
            continue
        found.append(refit.exponents)
    return _interval(found, (table.shape[1],), level, num_resamples, num_failed)


def curve_intervals(
    curve: Curve,
    figure: Callable[[Curve], Floats] = lambda one: one.acceptance_rate,
    *,
    num_resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Intervals of any figure of the curve, float64[M] each: ``lambda curve: curve.tvd``."""
    found, num_failed = [], 0
    shape = figure(curve).shape
    for counts in resamples(curve.ratios.num_rows, num_resamples, seed):
        if counts[curve.ratios.order].sum() == 0:
            num_failed += 1
            continue
        found.append(figure(Curve(curve.ratios.counted(counts), curve.log_betas)))
    return _interval(found, shape, level, num_resamples, num_failed)


def resamples(num_rows: int, num_resamples: int, seed: int) -> Iterator[Floats]:
    """float64[N] for each resample: how often each of N rows is drawn, with replacement."""
    generator = np.random.default_rng(seed)
    for _ in range(num_resamples):
        yield np.bincount(generator.integers(num_rows, size=num_rows), minlength=num_rows).astype(np.float64)


def _interval(
    found: list[Floats], shape: tuple[int, ...], level: float, num_resamples: int, num_failed: int
) -> Interval:
    if not found:
        nothing = np.full(shape, np.nan)
        return Interval(nothing, nothing, num_resamples, num_failed)
    values = np.sort(np.array(found), axis=0)
    # Of B resamples the k-th from either end, k = (B + 1)(1 - level)/2 (Davison & Hinkley 1997, section 5.3.1).
    place = max(0, round((len(values) + 1) * (1 - level) / 2) - 1)
    return Interval(values[place], values[-1 - place], num_resamples, num_failed)
