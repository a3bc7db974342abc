"""What exponents do to a row: log P/a = λ·φ, and -inf for what a filter excludes.

Knows nothing about how exponents are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from playground.control import arrays
from playground.control.arrays import Floats

ON_FACE = 1e-9
"""Of the largest height above a face: nearer than this counts as on it."""


@dataclass(frozen=True)
class Tilt:
    """``exponents`` float64[F], finite, among the rows with d·(φ - target) = 0 for all ``directions`` float64[K,F];
    ``heights`` float64[K], the largest |d·(φ - target)| that was fitted on, is what 0 is measured by."""

    exponents: Floats
    directions: Floats
    heights: Floats
    targets: Floats
    limits: Floats
    """float64[F]: the exponents, ±inf for a feature that is a filter."""

    @classmethod
    def of(cls, exponents: Floats, directions: Floats, targets: Floats, centred: Floats) -> Tilt:
        """``centred`` float64[N,F]: the rows that were fitted on, minus the targets."""
        heights = np.abs(centred @ directions.T).max(axis=0, initial=0.0)
        parts = directions * np.abs(centred).max(axis=0, initial=0.0)  # whatever the features' units
        is_filter = (np.abs(parts) > ON_FACE * np.abs(parts).max(axis=1, keepdims=True, initial=0.0)).any(axis=0)
        limits = np.where(is_filter, np.copysign(np.inf, np.sign(parts.sum(axis=0))), exponents)
        return cls(exponents, directions, heights, targets, limits)

    @classmethod
    def by_hand(cls, exponents: Floats) -> Tilt:
        """Exponents that somebody has set: they exclude nothing."""
        none, origin = np.zeros((0, exponents.size)), np.zeros(exponents.size)
        return cls(exponents, none, np.zeros(0), origin, exponents)

    def log_factor(self, features: Any) -> Floats:
        """float64[N]: λ·φ of any rows, -inf where a filter excludes them. A row beyond everything that was fitted on
        is excluded too: it would be weighed infinitely, and the target's mean would not be met."""
        centred = arrays.table(features, "features") - self.targets
        excluded = (np.abs(centred @ self.directions.T) > ON_FACE * self.heights).any(axis=1)
        factor = centred @ self.exponents + float(self.targets @ self.exponents)
        return np.where(excluded, -np.inf, factor)
