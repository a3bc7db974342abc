"""The convex dual of "as close to the base as possible, with these moments": value, gradient and Hessian in log space.

Knows nothing about how it is minimised or what a feature means. D(η) = Σ_c τ_c log Σ_{i in c} exp(w_i + y_i·η), whose
gradient is the moments of the centred features and whose Hessian is their covariance (arXiv 2012.11635, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from playground.control.arrays import Floats
from playground.control.hull import is_below


@dataclass(frozen=True)
class Dual:
    """``rows`` float64[N,R]: features minus targets; ``log_weights`` float64[N], all finite. ``starts`` says where each
    group of rows begins (one group: the pooled dual), ``shares`` float64[C] what each group counts (they sum to 1)."""

    rows: Floats
    log_weights: Floats
    starts: tuple[int, ...] = (0,)
    shares: tuple[float, ...] = (1.0,)

    @property
    def groups(self) -> list[tuple[slice, float]]:
        stops = (*self.starts[1:], len(self.rows))
        return [(slice(start, stop), share) for start, stop, share in zip(self.starts, stops, self.shares, strict=True)]

    def value(self, exponents: Floats) -> float:
        """Nats."""
        scores = self.log_weights + self.rows @ exponents
        return sum(share * log_sum_exp(scores[group]) for group, share in self.groups)

    def probabilities(self, exponents: Floats) -> Floats:
        """float64[N]: within each group they sum to its share."""
        scores = self.log_weights + self.rows @ exponents
        for group, share in self.groups:
            scores[group] = share * np.exp(scores[group] - log_sum_exp(scores[group]))
        return scores

    def excludes_all(self, exponents: Floats) -> bool:
        """Whether in this direction every row lies below the targets: the proof that no weighting has them as means."""
        return is_below(self.rows @ exponents)

    def gradient(self, probabilities: Floats) -> Floats:
        """float64[R]: how far the moments are from their targets."""
        return probabilities @ self.rows

    def hessian(self, probabilities: Floats) -> Floats:
        """float64[R,R]: the covariance of the features, within the groups."""
        total = np.zeros((self.rows.shape[1],) * 2)
        for group, share in self.groups:
            if share > 0:
                mean = probabilities[group] @ self.rows[group] / share
                centred = self.rows[group] - mean
                total += (centred * probabilities[group, None]).T @ centred
        return total


def log_sum_exp(values: Floats) -> float:
    """log Σ exp without overflow; -inf for nothing."""
    if not values.size or (top := values.max()) == -np.inf:
        return -np.inf
    return float(top + np.log(np.exp(values - top).sum()))
