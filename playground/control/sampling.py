"""Taking texts from a pool: quasi-rejection with each row's own dart, and importance resampling.

Knows nothing about models or how many rows are still to come. A row's dart stays, so moving β only flips rows whose
ratio it passes: the accepted at a larger β are among those at a smaller one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.errors import PlaygroundError


def accepted(log_ratio: Floats, uniforms: Floats, log_beta: float) -> NDArray[np.bool_]:
    """bool[N]: u < min(1, P/(βq)) for rows with log P/q ``log_ratio`` float64[N]."""
    if log_beta == -np.inf:
        return log_ratio > -np.inf
    with np.errstate(divide="ignore"):
        return np.log(uniforms) + log_beta < log_ratio


def chances(log_ratio: Floats, log_beta: float) -> Floats:
    """float64[N]: min(1, P/(βq))."""
    with np.errstate(invalid="ignore"):
        return np.where(log_ratio > -np.inf, np.exp(np.minimum(0.0, log_ratio - log_beta)), 0.0)


def in_turn(prompt_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[N]: the places of ``prompt_of``, every prompt's first before every prompt's second."""
    ranks = np.empty(len(prompt_of), dtype=np.int64)
    for number in np.unique(prompt_of):
        own = prompt_of == number
        ranks[own] = np.arange(own.sum())
    return np.lexsort((prompt_of, ranks))


def resampled(probabilities: Floats, num_samples: int, seed: int) -> NDArray[np.int64]:
    """int64[num_samples]: rows drawn in proportion to their weights, with replacement, systematically (one dart for
    all, so that a row of weight w appears ⌊nw⌋ or ⌈nw⌉ times), in random order."""
    total = float(probabilities.sum())
    if not total > 0:
        raise PlaygroundError("No row has any weight, so none can be drawn again.")
    generator = np.random.default_rng(seed)
    places = (np.arange(num_samples) + generator.random()) / num_samples
    edges = np.cumsum(probabilities) / total
    edges[-1] = 1.0
    rows = np.searchsorted(edges, places, side="right")
    return generator.permutation(rows)
