"""Whether a point lies inside the convex hull of the rows, on one of its faces, or outside: exactly, by finite steps.

Knows nothing about features or weights. A direction d with d·c ≤ 0 for every row (the point being the origin) says that
the rows with d·c < 0 can carry no weight; taking them away again and again leaves the face the point lies on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats

TOLERANCE = 1e-9
"""Of the largest row: nearer than this to a face counts as on it."""

MAX_STALLED = 40
"""Rounds that may pass without a visibly shorter residual: its direction still improves when its length, a square, no
longer tells."""


@dataclass(frozen=True)
class Face:
    """``support`` bool[N]: the rows that can carry weight, none where the point is outside the hull; ``directions``
    float64[K,R]: those that showed it, in turn."""

    support: NDArray[np.bool_]
    directions: Floats

    @property
    def inside(self) -> bool:
        return bool(self.support.any())

    def separating(self, rows: Floats) -> Floats:
        """float64[R]: one direction in which every row lies below the point, where the point is outside.

        Each of ``directions`` shows it for the rows that the earlier ones left; so much of it is added to them as keeps
        all others below."""
        heights = rows @ self.directions.T
        joined, height = self.directions[-1], heights[:, -1]
        for earlier in range(len(self.directions) - 2, -1, -1):
            own = heights[:, earlier]
            lost = own < -TOLERANCE * float(np.abs(own).max())
            share = float(np.min(-own[lost] / np.maximum(2 * np.abs(height[lost]), 1e-300), initial=1.0))
            joined, height = self.directions[earlier] + share * joined, own + share * height
        return joined


def face(rows: Floats) -> Face:
    """The smallest face of the hull of float64[N,R] rows that holds the origin; at most R rounds."""
    scale = max(float(np.abs(rows).max()), 1e-300)
    rows = rows / scale
    support = np.ones(len(rows), dtype=bool)
    directions: list[Floats] = []
    while support.any():
        kept = rows[support]
        left_over = cone_residual(kept.T, -kept.mean(axis=0))
        length = float(np.linalg.norm(left_over))
        if length <= TOLERANCE:
            break
        heights = kept @ (left_over / length)
        lost = heights < -TOLERANCE
        if not lost.any() or heights.max() > TOLERANCE:
            break  # the second: so short a rest that its direction is rounding, and proves nothing
        found = np.array([*directions, left_over / length])
        if lost.all() and not is_below(rows @ Face(support, found).separating(rows)):
            break  # outside by no more than the roundings of the rounds before: on the face that is left
        directions.append(left_over / length)
        support[np.flatnonzero(support)[lost]] = False
    return Face(support, np.array(directions).reshape(len(directions), rows.shape[1]))


def is_below(heights: Floats) -> bool:
    """Whether all of float64[N] heights lie below 0, beyond rounding."""
    return bool(heights.max() < -TOLERANCE * np.abs(heights).max())


def cone_residual(columns: Floats, wanted: Floats) -> Floats:
    """``wanted`` minus its nearest point in the cone of the columns: non-negative least squares by active sets
    (Lawson & Hanson 1974, chapter 23)."""
    num_columns = columns.shape[1]
    amounts, active = np.zeros(num_columns), np.zeros(num_columns, dtype=bool)
    residual, stalled = wanted.copy(), 0
    for _ in range(3 * num_columns + 30):
        pull = columns.T @ residual
        pull[active] = -np.inf
        best = int(np.argmax(pull))
        if pull[best] <= TOLERANCE * min(1e-3, float(np.linalg.norm(residual))):
            break
        active[best] = True
        while True:
            used = np.flatnonzero(active)
            solved, *_ = np.linalg.lstsq(columns[:, used], wanted, rcond=None)
            if (solved > 0).all():
                break
            negative = solved <= 0
            now = amounts[used]
            ratios = now[negative] / np.maximum(now[negative] - solved[negative], 1e-300)
            amounts[used] = now + float(ratios.min()) * (solved - now)
            amounts[used[negative][np.argmin(ratios)]] = 0.0
            active &= amounts > 0
            if not active.any():
                solved, used = np.zeros(0), np.zeros(0, dtype=int)
                break
        amounts = np.zeros(num_columns)
        amounts[used] = solved
        closer = wanted - columns @ amounts
        before, after = float(np.linalg.norm(residual)), float(np.linalg.norm(closer))
        stalled = stalled + 1 if after >= before * (1 - 1e-14) else 0
        if after > before * (1 + 1e-12) or stalled > MAX_STALLED:
            break  # no nearer in this arithmetic
        residual = closer
    return residual
