"""Damped Newton on a convex dual: steps that shrink until they help (Armijo), and an honest word on how it ended.

Knows nothing about features or targets. It has settled only when gradient *and* step vanish: where the minimum lies at
infinity the gradient fades too, but the steps stay as long as before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from playground.control.arrays import Floats
from playground.control.dual import Dual

MAX_ITERATIONS = 200
MAX_SCORE_CHANGE = 20.0
"""Nats by which one step may change a row's score: far from the minimum the quadratic picture says nothing."""
HOPELESS_CHANGE = 1e12
NUM_HALVINGS = 12
SMALL_STEP, SMALL_GRADIENT = 1e-7, 1e-9
NOISY_STEP, ROUNDING = 1e-2, 1e-14
"""With hardly any curvature left, rounding alone makes steps of up to a hundredth; those to infinity are about 1."""
SUFFICIENT = 1e-4
"""Armijo's share of the promised decrease."""


@dataclass(frozen=True)
class Minimum:
    """Where the search ended: the exponents float64[R], and whether it settled there."""

    exponents: Floats
    settled: bool
    num_iterations: int


def newton(dual: Dual, start: Floats | None = None) -> Minimum:
    """Minimise; unbounded duals end unsettled."""
    exponents = np.zeros(dual.rows.shape[1]) if start is None else start.copy()
    value, iteration = dual.value(exponents), 0
    for iteration in range(1, MAX_ITERATIONS + 1):
        probabilities = dual.probabilities(exponents)
        gradient = dual.gradient(probabilities)
        at_the_floor = float(np.abs(gradient).max()) < ROUNDING * float(np.abs(dual.rows).max())
        if at_the_floor and not exponents.any():
            return Minimum(exponents, True, iteration)  # the base has these moments; no curvature need confirm it
        step = _direction(dual.hessian(probabilities), gradient)
        change = float(np.abs(dual.rows @ step).max())
        if not change < HOPELESS_CHANGE:  # all weight on one row: no curvature to go by, only a slope
            step = -gradient
            change = float(np.abs(dual.rows @ step).max())
        if change == 0:
            return Minimum(exponents, True, iteration)
        if change < SMALL_STEP or (at_the_floor and change < NOISY_STEP):
            # so near that a full step is right, and a comparison of values only noise
            exponents = exponents + step
            return Minimum(exponents, _is_flat(dual, exponents), iteration)
        step = step * min(1.0, MAX_SCORE_CHANGE / change)
        found = search(dual, exponents, value, step, float(gradient @ step))
        if found is None:
            break
        exponents, value = found
        if dual.excludes_all(exponents):
            break
    return Minimum(exponents, False, iteration)


def gradually(dual: Dual) -> Minimum:
    """The minimum where the weights span hundreds of nats and one row hides all others: first with the weights'
    logarithms divided by 2^12, then by half of that and so on; exponents grow about as the logarithms do."""
    exponents: Floats | None = None
    num_iterations, minimum = 0, Minimum(np.zeros(dual.rows.shape[1]), False, 0)
    for halvings in range(NUM_HALVINGS, -1, -1):
        minimum = newton(replace(dual, log_weights=dual.log_weights / 2**halvings), exponents)
        exponents = 2 * minimum.exponents
        num_iterations += minimum.num_iterations
    return Minimum(minimum.exponents, minimum.settled, num_iterations)


def search(dual: Dual, exponents: Floats, value: float, step: Floats, slope: float) -> tuple[Floats, float] | None:
    """The first of 1, ½, ¼, ... of the step that lowers the dual enough; None where none does."""
    noise = 1e-15 * max(1.0, abs(value))
    length = 1.0
    for _ in range(60):
        there = exponents + length * step
        new = dual.value(there)
        if new <= value + SUFFICIENT * length * min(slope, 0.0) + noise:
            return there, new
        length /= 2
    return None


def _direction(hessian: Floats, gradient: Floats) -> Floats:
    """-H⁻¹g, with as much added to the diagonal as makes H positive definite in this arithmetic."""
    size = float(np.trace(hessian)) / len(hessian)
    damping = 0.0
    for _ in range(20):
        try:
            factor = np.linalg.cholesky(hessian + damping * np.eye(len(hessian)))
            return -np.linalg.solve(factor.T, np.linalg.solve(factor, gradient))
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-14 * size, 1e-300)
    return -gradient


def _is_flat(dual: Dual, exponents: Floats) -> bool:
    return bool(np.abs(dual.gradient(dual.probabilities(exponents))).max() < SMALL_GRADIENT)
