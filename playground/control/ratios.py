"""Rows sorted by log P/q with their prefix sums: everything that quasi-rejection sampling ever asks of a pool.

Knows nothing about curves or β's. Sums of target mass are kept in log space: ratios of e^1000 are nothing special.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.errors import PlaygroundError


@dataclass(frozen=True)
class Ratios:
    """Reachable rows inside the target, ascending: ``log_ratio`` float64[K], ``log_mass`` float64[K] (log w·P/q, the
    row's share of Z) and ``weight`` float64[K]; ``order`` int64[K] says which rows they were."""

    log_ratio: Floats
    log_mass: Floats
    weight: Floats
    order: NDArray[np.int64]
    num_rows: int
    log_unreachable: float
    """log of the target mass that the proposal never draws."""

    @classmethod
    def of(cls, log_target: Floats, log_proposal: Floats, log_weights: Floats) -> Ratios:
        reachable, unreachable = log_weights > -np.inf, log_proposal == -np.inf
        missing = log_target[unreachable]
        used = np.flatnonzero(reachable & (log_target > -np.inf))
        if not used.size:
            raise PlaygroundError(
                f"No row of {log_target.size:,} is both drawn by the proposal and inside the target: nothing could "
                "ever be accepted. Draw more rows, or from a proposal that reaches the target."
            )
        log_ratio = log_target[used] - log_proposal[used]
        order = np.argsort(log_ratio, kind="stable")
        used, log_ratio = used[order], log_ratio[order]
        weights = log_weights[used]
        log_missing = float(np.logaddexp.reduce(missing)) if missing.size else -np.inf
        return cls(log_ratio, weights + log_ratio, np.exp(weights), used, log_target.size, log_missing)

    def counted(self, counts: Floats) -> Ratios:
        """The same rows with row i counted ``counts[i]`` times: a bootstrap resample, without another sort."""
        times = counts[self.order]
        with np.errstate(divide="ignore"):
            log_mass = self.log_mass + np.log(times)
        return Ratios(self.log_ratio, log_mass, self.weight * times, self.order, self.num_rows, self.log_unreachable)

    @cached_property
    def log_reached(self) -> Floats:
        """float64[K+1]: log of the target mass in the first k rows."""
        return np.concatenate([[-np.inf], np.logaddexp.accumulate(self.log_mass)])

    @cached_property
    def above(self) -> Floats:
        """float64[K+1]: proposal mass of the rows from k on."""
        return np.concatenate([np.cumsum(self.weight[::-1])[::-1], [0.0]])

    @cached_property
    def share(self) -> Floats:
        """float64[K]: each row's share of Z."""
        return np.exp(self.log_mass - self.log_z)

    @cached_property
    def share_above(self) -> Floats:
        """float64[K+1]: share of Z in the rows from k on, the unreachable part not among them."""
        return np.concatenate([np.cumsum(self.share[::-1])[::-1], [0.0]])

    @cached_property
    def share_log_above(self) -> Floats:
        """float64[K+1]: Σ share·log(P/(Zq)) over the rows from k on."""
        terms = np.where(self.share > 0, self.share * (self.log_ratio - self.log_z), 0.0)
        return np.concatenate([np.cumsum(terms[::-1])[::-1], [0.0]])

    @property
    def log_z(self) -> float:
        """log Z, the unreachable mass included."""
        return float(np.logaddexp(self.log_reached[-1], self.log_unreachable))

    @property
    def unreachable_share(self) -> float:
        """Part of the target that the proposal never draws: the floor under every divergence."""
        return float(np.exp(self.log_unreachable - self.log_z))

    @property
    def log_largest(self) -> float:
        """log of the largest ratio seen: with β from here on, nothing seen is clipped."""
        return float(self.log_ratio[-1])
