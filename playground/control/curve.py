"""The curve itself: for each β the acceptance rate, the divergences from the target, their bound, and any moment.

Knows nothing about how rows came about. O(log n) for each β after one sort, but for JS, which has no prefix sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.control import arrays
from playground.control.arrays import Floats
from playground.control.ratios import Ratios
from playground.errors import PlaygroundError

FAR_GAIN = 600.0
"""Nats: where Z is e^600 Z_β, shares of Z are too small for a float, and sums are made anew."""


@dataclass(frozen=True)
class Curve:
    """Figures at each of ``log_betas`` float64[M]; all divergences in nats, between p = P/Z and p_β."""

    ratios: Ratios = field(repr=False)
    log_betas: Floats

    def missing(self, log_z: float) -> Curve:
        """The same proposal against a target known to weigh log Z ``log_z`` in all: what its rows do not make up is
        what it never draws. Where they make up as much or more, nothing is missing."""
        share = -float(np.expm1(min(0.0, self.ratios.log_z - log_z)))
        if share <= 0:
            return self
        return Curve(replace(self.ratios, log_unreachable=log_z + float(np.log(share))), self.log_betas)

    @cached_property
    def _place(self) -> NDArray[np.int64]:
        """int64[M]: how many rows have P ≤ βq."""
        return np.searchsorted(self.ratios.log_ratio, self.log_betas, side="right")

    @cached_property
    def acceptance_rate(self) -> Floats:
        """float64[M]: Σ w min(1, P/(βq))."""
        with np.errstate(invalid="ignore"):  # β = 0: no row lies below it
            below = np.exp(self.ratios.log_reached[self._place] - self.log_betas)
        below = np.where(self._place == 0, 0.0, below)
        return np.where(self.log_betas == np.inf, 0.0, below + self.ratios.above[self._place])

    @cached_property
    def log_z_beta(self) -> Floats:
        """float64[M]: log Σ w min(P/q, β); -inf at β = 0."""
        reached, above = self.ratios.log_reached[self._place], self.ratios.above[self._place]
        with np.errstate(divide="ignore", invalid="ignore"):
            clipped = np.where(above > 0, self.log_betas + np.log(above), -np.inf)
        return np.where(above > 0, np.logaddexp(reached, clipped), reached)

    @cached_property
    def _log_level(self) -> Floats:
        """float64[M]: log β/Z_β, what a clipped row weighs under p_β against q; the same below all ratios."""
        with np.errstate(invalid="ignore", divide="ignore"):
            level = self.log_betas - self.log_z_beta
        return np.where(self._place == 0, -np.log(self.ratios.above[0]), level)

    @cached_property
    def tvd(self) -> Floats:
        """float64[M]: total variation distance, ½Σ|p - p_β|, the unreachable part included."""
        rows = self.ratios
        log_threshold = self._log_level + rows.log_z  # where p = p_β
        place = np.maximum(np.searchsorted(rows.log_ratio, log_threshold, side="right"), self._place)
        with np.errstate(over="ignore", invalid="ignore"):
            clipped = np.where(rows.above[place] > 0, np.exp(self._log_level) * rows.above[place], 0.0)
        return np.clip(rows.share_above[place] - clipped, 0.0, 1.0) + rows.unreachable_share

    @cached_property
    def kl(self) -> Floats:
        """float64[M]: KL(p‖p_β); infinite where the proposal misses part of the target."""
        rows = self.ratios
        if rows.unreachable_share > 0:
            return np.full(self.log_betas.size, np.inf)
        share, logs = rows.share_above[self._place], rows.share_log_above[self._place]
        with np.errstate(invalid="ignore"):
            clipped = np.where(share > 0, logs - share * (self.log_betas - rows.log_z), 0.0)
            inner = self.log_z_beta - rows.log_z + clipped
        whole = float(rows.share_log_above[0]) + float(np.log(rows.above[0]))
        return np.maximum(np.where(self._place == 0, whole, inner), 0.0)

    @cached_property
    def js(self) -> Floats:
        """float64[M]: Jensen-Shannon divergence; rows above β are summed one by one."""
        return np.array([self._js(index) for index in range(self.log_betas.size)])

    @cached_property
    def tvd_bound(self) -> Floats:
        """float64[M]: 1 - p(P ≤ βq), which TVD never exceeds."""
        return np.clip(self.ratios.share_above[self._place] + self.ratios.unreachable_share, 0.0, 1.0)

    @cached_property
    def kl_from_proposal(self) -> Floats:
        """float64[M]: KL(p_β‖q), what the accepted have moved away from the proposal."""
        log_z = self.ratios.log_z  # everything is measured from it, or large ratios would leave no digits
        below = self._below(self.ratios.log_ratio[:, None] - log_z)[:, 0]
        with np.errstate(invalid="ignore"):
            clipped = np.where(self._clipped > 0, self._clipped * (self.log_betas - log_z), 0.0)
            value = below + clipped - (self.log_z_beta - log_z)
        limit = -float(np.log(self.ratios.above[0]))
        return np.maximum(np.where(self._place == 0, limit, value), 0.0)

    def moments(self, features: Any) -> Floats:
        """float64[M,F]: mean of each feature under p_β; rows of ``features`` float64[N,F] as given to ``qrs``."""
        table = arrays.table(features, "features")
        if len(table) != self.ratios.num_rows:
            raise PlaygroundError(f"features has {len(table)} rows and the curve {self.ratios.num_rows}.")
        sorted_rows = table[self.ratios.order]
        if not np.isfinite(sorted_rows).all():
            raise PlaygroundError("features must be finite in every row inside the target.")
        weighted = self.ratios.weight[:, None] * sorted_rows
        above = _from_zero(np.cumsum(weighted[::-1], axis=0))[::-1]
        with np.errstate(over="ignore", invalid="ignore"):
            level = np.where(self.ratios.above[self._place] > 0, np.exp(self._log_level), 0.0)
        return self._below(sorted_rows) + level[:, None] * above[self._place]

    @property
    def _clipped(self) -> Floats:
        """float64[M]: the probability of the rows above β under p_β."""
        above = self.ratios.above[self._place]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(above > 0, np.exp(self._log_level) * above, 0.0)

    def _below(self, columns: Floats) -> Floats:
        """float64[M,F]: what the rows up to β, float64[K,F] as sorted, add to a mean under p_β."""
        rows, place = self.ratios, self._place
        with np.errstate(over="ignore", invalid="ignore"):
            log_gain = rows.log_z - self.log_z_beta
            means = np.exp(log_gain)[:, None] * _from_zero(np.cumsum(rows.share[:, None] * columns, axis=0))[place]
        means[place == 0] = 0.0
        for index in np.flatnonzero((log_gain > FAR_GAIN) & (place > 0)):
            below = slice(int(place[index]))
            means[index] = np.exp(rows.log_mass[below] - self.log_z_beta[index]) @ columns[below]
        return means

    def log_beta_for(self, acceptance_rate: float) -> float:
        """The smallest divergence at this acceptance rate: its largest log β, in closed form.

        Between two neighbouring ratios the rate is above + reached/β, so each piece is solved for β directly.
        """
        rows = self.ratios
        most = float(rows.above[0])
        if not 0 < acceptance_rate <= most * (1 + 1e-12):
            raise PlaygroundError(
                f"An acceptance rate of {acceptance_rate:.3g} cannot be had: it is above 0 and at most {most:.3g}, "
                "the share of proposals that the target allows at all."
            )
        at_rows = np.exp(rows.log_reached[1:] - rows.log_ratio) + rows.above[1:]
        first_below = int(np.searchsorted(-at_rows, -acceptance_rate, side="right"))  # rates fall along the rows
        if first_below == 0:
            return float(rows.log_ratio[0])
        left = max(0.0, float(acceptance_rate - rows.above[first_below]))
        with np.errstate(divide="ignore"):  # where the rows below add nothing in this arithmetic: up to the next ratio
            log_beta = float(rows.log_reached[first_below] - np.log(left))
        return min(log_beta, float(rows.log_ratio[first_below])) if first_below < rows.log_ratio.size else log_beta

    def _js(self, index: int) -> float:
        rows, place = self.ratios, int(self._place[index])
        total = 0.5 * np.log(2) * rows.unreachable_share
        if place:  # below β, p_β is p times one constant
            kept = np.exp(rows.log_reached[place] - np.array([rows.log_z, self.log_z_beta[index]]))
            total += _js_terms(kept[:1], kept[1:], np.array([rows.log_z - self.log_z_beta[index]]))
        if place < rows.log_ratio.size:
            level = self._log_level[index]
            log_factor = level + rows.log_z - rows.log_ratio[place:]
            total += _js_terms(rows.share[place:], np.exp(level) * rows.weight[place:], log_factor)
        return float(max(0.0, total))


def _js_terms(p: Floats, p_beta: Floats, log_factor: Floats) -> float:
    """Their terms in JS; ``log_factor`` is log p_β/p, given by itself because either may underflow."""
    log_middle = np.logaddexp(0.0, log_factor) - np.log(2)
    return float(0.5 * (p @ -log_middle + p_beta @ (log_factor - log_middle)))


def _from_zero(sums: Floats) -> Floats:
    return np.concatenate([np.zeros((1, sums.shape[1])), sums])
