"""Targets at the edge of what is possible: a share of 1 or 0 is a filter on the rows, not an exponent to be found.

Knows nothing about Newton's method. In the limit λ → ±∞ only the rows with the extreme value keep weight; that limit
is taken exactly, and the other exponents are fitted among the rows that are left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from playground.control import refusals
from playground.control.arrays import Floats

EDGE, ROUNDING = 1e-12, 1e-14
"""Of the range, and of the values themselves: nearer than this to the extreme counts as at it."""


def filtered(
    features: Floats, targets: Floats, support: NDArray[np.bool_], names: Sequence[str]
) -> tuple[NDArray[np.bool_], Floats]:
    """The rows that keep weight, and signed unit directions float64[K,F] that say why; PlaygroundError where a target
    is out of range. A filter changes the ranges of the other features, hence the rounds."""
    directions: list[Floats] = []
    # Of all rows: what a filter leaves is so near to its target, whatever else may vary less now.
    slacks = [_slack(float(column.min()), float(column.max())) for column in features[support].T]
    while True:
        before = int(support.sum())
        for j, target in enumerate(targets):
            values = features[support, j]
            low, high = float(values.min()), float(values.max())
            slack = slacks[j]
            if target < low - slack or target > high + slack:
                yes_no = bool(np.isin(values, (0.0, 1.0)).all())
                raise refusals.out_of_range(names[j], float(target), low, high, before, yes_no)
            if low == high or low + slack < target < high - slack:
                continue
            sign = 1.0 if target >= high - slack else -1.0
            directions.append(sign * np.eye(len(targets))[j])
            support = support & (np.abs(features[:, j] - target) <= slack)
        if int(support.sum()) == before:
            return support, np.array(directions).reshape(len(directions), len(targets))


def _slack(low: float, high: float) -> float:
    """What rounding may do to a mean of such values; never so much that a target between two values is at both."""
    size = max(abs(low), abs(high))
    return EDGE * size if low == high else max(EDGE * (high - low), min(ROUNDING * size, (high - low) / 8))
