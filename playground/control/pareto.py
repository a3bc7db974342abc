"""The shape k of the weights' tail: above 0.7 a few rows decide everything, and more rows help slowly.

Knows nothing about fits. Generalised Pareto fit of the largest weights by the profile posterior of Zhang & Stephens
(2009), as smoothed importance sampling uses it (arXiv 1507.02646).
"""

from __future__ import annotations

import numpy as np

from playground.control.arrays import Floats

MIN_TAIL = 5


def pareto_k(probabilities: Floats) -> float:
    """The tail's shape for normalised weights float64[N]; NaN where there are too few rows or the tail is flat."""
    num_rows = probabilities.size
    size = int(min(0.2 * num_rows, 3 * np.sqrt(num_rows)))
    if size < MIN_TAIL:
        return float("nan")
    ordered = np.sort(probabilities)
    excess = ordered[-size:] - ordered[-size - 1]
    excess = excess[excess > 1e-12 * max(float(ordered[-1]), 1e-300)]
    if excess.size < MIN_TAIL or np.ptp(excess) < 1e-9 * float(excess[-1]):
        return float("nan")  # the largest weights are equal: a bounded ratio, no tail to speak of
    return _shape(excess)


def _shape(excess: Floats) -> float:
    """Posterior mean of k over a grid of θ = k/σ; a weak prior of ten rows at ½ steadies short tails."""
    size = excess.size
    num_points = 30 + int(np.sqrt(size))
    quarter = float(excess[int(size / 4 + 0.5) - 1])
    places = np.arange(1, num_points + 1)
    theta = 1 / excess[-1] + (1 - np.sqrt(num_points / (places - 0.5))) / (3 * quarter)
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = size * (np.log(-theta / shapes) - shapes - 1)
    good = np.isfinite(log_likelihood)
    if not good.any():
        return float("nan")
    weights = np.exp(log_likelihood[good] - log_likelihood[good].max())
    best = float(weights @ theta[good] / weights.sum())
    k = float(np.log1p(-best * excess).mean())
    return (size * k + 10 * 0.5) / (size + 10)
