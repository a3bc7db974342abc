"""Features on one footing: centred at their targets, divided by their spread, constant directions left out.

Knows nothing about weights or minimisation. It makes a probability of 0.003 and a length of 300 equally easy to fit,
and two features that say the same thing harmless.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from playground.control.arrays import Floats

DEPENDENT = 1e-11
"""Of the largest eigenvalue of the features' correlation: below, a direction counts as constant."""


@dataclass(frozen=True)
class Scaling:
    """``basis`` float64[F,R] takes features (minus targets) to the coordinates of the search, and exponents back."""

    targets: Floats
    basis: Floats
    num_lost: int
    """Directions among varying features in which nothing varies."""
    outside: Floats | None
    """float64[F]: a direction in which every row is the same and the target differs; None where there is none."""

    @classmethod
    def of(cls, features: Floats, targets: Floats) -> Scaling:
        """From the rows with weight, all counted alike: a rare row's feature must not look constant."""
        spread = features.std(axis=0)
        varies = np.ptp(features, axis=0) > 0
        scale = np.where(varies, np.maximum(spread, 1e-300), 1.0)
        standard = (features - features.mean(axis=0)) / scale
        if len(targets) == 1:
            values, vectors = np.array([1.0 if varies[0] else 0.0]), np.eye(1)
        else:
            values, vectors = np.linalg.eigh(standard.T @ standard / len(features))
        good = values > DEPENDENT * max(float(values.max(initial=0.0)), 1.0)
        gap = (targets - features.mean(axis=0)) / scale
        missing = vectors[:, ~good] @ (vectors[:, ~good].T @ gap)
        far = float(np.abs(missing).max(initial=0.0)) > 1e-6
        return cls(
            targets,
            vectors[:, good] / scale[:, None],
            int((~good).sum() - (~varies).sum()),
            missing / scale if far else None,
        )

    def rows(self, features: Floats) -> Floats:
        """float64[N,R]: the coordinates of the search; the targets are its origin."""
        return (features - self.targets) @ self.basis

    def exponents(self, found: Floats) -> Floats:
        """float64[F], per unit of each feature."""
        return self.basis @ found

    def directions(self, found: Floats) -> Floats:
        """float64[K,F]: directions float64[K,R] of the search, for the features themselves, the largest part 1."""
        there = found @ self.basis.T
        return there / np.maximum(np.abs(there).max(axis=1, keepdims=True, initial=0.0), 1e-300)

    def errors(self, features: Floats, targets: Floats, probabilities: Floats) -> Floats:
        """float64[F]: standard errors of the exponents, H⁻¹VH⁻¹ with V the scatter of the weighted rows."""
        used = probabilities > 0
        rows, weights = self.rows(features[used]), probabilities[used]
        centred = rows - weights @ rows
        hessian = (centred * weights[:, None]).T @ centred
        inverse = np.linalg.pinv(hessian, hermitian=True)
        scatter = (centred * weights[:, None] ** 2).T @ centred
        covariance = self.basis @ inverse @ scatter @ inverse @ self.basis.T
        return np.sqrt(np.maximum(np.diag(covariance), 0.0))
