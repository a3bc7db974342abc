"""Features on one footing: centred at their targets, divided by their spread, constant directions left out.

Knows nothing about weights or minimisation. It makes a probability of 0.003 and a length of 300 equally easy to fit,
and two features that say the same thing harmless.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from playground.control.arrays import Floats

DEPENDENT, ROUNDING = 1e-12, 16 * np.finfo(np.float64).eps
"""Of the largest spread, and of the values themselves: a direction that varies less counts as constant."""
OUTSIDE = 1e-8
"""Standard deviations: a target that is farther from where a constant direction stands cannot be met."""


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
    def of(cls, features: Floats, targets: Floats, units: Floats | None = None) -> Scaling:
        """From the rows with weight, all counted alike: a rare row's feature must not look constant. ``units``
        float64[F]: by what a difference is measured where a feature does not vary."""
        varies = np.ptp(features, axis=0) > 0
        mean = features.mean(axis=0)
        scale = np.where(varies, np.maximum(features.std(axis=0), 1e-300), 1.0 if units is None else units)
        standard = (features - mean) / scale
        if len(targets) == 1:
            spreads, vectors = np.array([1.0 if varies[0] else 0.0]), np.eye(1)
        else:  # not by the correlations, in whose squares all differences below 1e-8 are lost
            _, sizes, turned = np.linalg.svd(np.linalg.qr(standard, mode="r"))
            spreads, vectors = np.zeros(len(targets)), turned.T
            spreads[: len(sizes)] = sizes / np.sqrt(len(features))
        digits = ROUNDING * float((np.abs(features).max(axis=0) / scale)[varies].max(initial=0.0))
        digits = min(digits, 1e-4)  # whole numbers far from 0 have lost nothing
        good = spreads > max(DEPENDENT * float(spreads.max(initial=0.0)), digits)
        missing = vectors[:, ~good] @ (vectors[:, ~good].T @ ((targets - mean) / scale))
        far = float(np.abs(missing).max(initial=0.0)) > max(OUTSIDE, digits)
        return cls(
            targets,
            vectors[:, good] / scale[:, None] / spreads[good],
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
