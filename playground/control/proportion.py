"""How surely a share is known from so many hits in so many tries: the exact interval of Clopper and Pearson.

Knows nothing about what is counted. It also holds where the counting stopped at a number of hits instead of tries, or
at whichever came first: the outcomes that tell against a share are then the same ones, in the same order.
"""

from __future__ import annotations

import numpy as np

from playground.control.arrays import Floats

HALVINGS = 36
Z = 1.96
"""Of a two-sided interval of 95 % under the normal distribution."""


def proportion_interval(num_hits: int, num_tries: int, level: float = 0.95) -> tuple[float, float]:
    """The shares under which neither so many nor so few hits would be a surprise; (0, 1) before the first try."""
    if num_tries == 0:
        return 0.0, 1.0
    if 2 * num_hits > num_tries:  # the shorter of the two sums
        low, high = proportion_interval(num_tries - num_hits, num_tries, level)
        return 1 - high, 1 - low
    tail = (1 - level) / 2
    low = 0.0 if num_hits == 0 else _share_at(num_hits - 1, num_tries, 1 - tail)
    return low, _share_at(num_hits, num_tries, tail)


def score_interval(share: float, error: float, num_rows: float) -> tuple[float, float]:
    """95 % interval of a share with a standard error, from weighted rows worth ``num_rows`` plain ones: Wilson's (1927)
    for as many plain tries as have that error. Two standard errors to both sides miss a rare share one time in five,
    and know a share that was never seen for certain."""
    spread = share * (1 - share)
    tries = spread / error**2 if error > 0 and spread > 0 else num_rows
    middle = (share + Z**2 / (2 * tries)) / (1 + Z**2 / tries)
    half = Z * np.sqrt(spread / tries + (Z / (2 * tries)) ** 2) / (1 + Z**2 / tries)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _share_at(most: int, num_tries: int, chance: float) -> float:
    """The share p with P(at most so many hits) = chance, by halving: it falls as p grows."""
    counts = np.arange(1, most + 1)
    log_ways = np.concatenate([[0.0], np.cumsum(np.log(num_tries - counts + 1) - np.log(counts))])
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _chance_of_at_most(log_ways, num_tries, middle) > chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _chance_of_at_most(log_ways: Floats, num_tries: int, share: float) -> float:
    counts = np.arange(log_ways.size)
    logs = log_ways + counts * np.log(share) + (num_tries - counts) * np.log1p(-share)
    return float(np.exp(logs).sum())
