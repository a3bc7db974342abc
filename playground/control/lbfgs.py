"""L-BFGS on a convex dual, for so many features that their covariance matrix costs more than it tells.

Knows nothing about features or targets. Two-loop recursion (Nocedal & Wright, algorithm 7.4) over the last 20 steps.
"""

from __future__ import annotations

import numpy as np

from playground.control.arrays import Floats
from playground.control.dual import Dual
from playground.control.newton import MAX_SCORE_CHANGE, SMALL_GRADIENT, Minimum, search

MAX_ITERATIONS, MEMORY = 3000, 20
MAX_SCORE = 200.0
"""Nats: a row's score beyond this says that the minimum lies at infinity."""


def lbfgs(dual: Dual) -> Minimum:
    """Minimise by gradients alone; unbounded duals end unsettled."""
    exponents = np.zeros(dual.rows.shape[1])
    value, gradient = dual.value(exponents), dual.gradient(dual.probabilities(exponents))
    memory: list[tuple[Floats, Floats]] = []
    iteration = 0
    for iteration in range(1, MAX_ITERATIONS + 1):
        if np.abs(gradient).max() < SMALL_GRADIENT:
            bounded = float(np.abs(dual.rows @ exponents).max()) < MAX_SCORE
            return Minimum(exponents, bounded, iteration)
        step = -_smoothed(gradient, memory)
        if gradient @ step >= 0:
            memory, step = [], -gradient
        change = float(np.abs(dual.rows @ step).max())
        step = step * min(1.0, MAX_SCORE_CHANGE / change) if change > 0 else step
        found = search(dual, exponents, value, step, float(gradient @ step))
        if found is None:
            break
        there, value = found
        new_gradient = dual.gradient(dual.probabilities(there))
        moved, bent = there - exponents, new_gradient - gradient
        if moved @ bent > 1e-14 * (np.linalg.norm(moved) * np.linalg.norm(bent)):
            memory = [*memory[-(MEMORY - 1) :], (moved, bent)]
        exponents, gradient = there, new_gradient
        if dual.excludes_all(exponents):
            break
    return Minimum(exponents, False, iteration)


def _smoothed(gradient: Floats, memory: list[tuple[Floats, Floats]]) -> Floats:
    """The inverse Hessian, as remembered from the last steps, times the gradient."""
    if not memory:
        return gradient
    result, factors = gradient.copy(), []
    for moved, bent in reversed(memory):
        factor = (moved @ result) / (moved @ bent)
        factors.append(factor)
        result -= factor * bent
    moved, bent = memory[-1]
    result *= (moved @ bent) / (bent @ bent)
    for (moved, bent), factor in zip(memory, reversed(factors), strict=True):
        result += moved * (factor - (bent @ result) / (moved @ bent))
    return result
