"""The interval of a share: published values, and its promise under the ways of stopping it is used with."""

from __future__ import annotations

import math

import numpy as np
import pytest

from playground.control.bootstrap import _interval
from playground.control.proportion import proportion_interval, score_interval


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [  # Clopper and Pearson 1934 and later tables, by the quantiles of the beta distribution
        (0, 20, 0.0, 0.16843347),
        (20, 20, 0.83156653, 1.0),
        (5, 10, 0.18708603, 0.81291397),
        (1, 200, 0.00012658, 0.02754190),
        (19, 190, 0.06128727, 0.15175373),
        (171, 190, 0.84824627, 0.93871273),
    ],
)
def test_values(hits, tries, low, high):
    assert proportion_interval(hits, tries) == pytest.approx((low, high), abs=1e-7)


def test_nothing_is_known_before_the_first_try():
    assert proportion_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.03, 0.1, 0.35, 0.8])
@pytest.mark.parametrize(("wanted", "most"), [(3, 40), (6, 10**9), (10**9, 30)])
def test_it_holds_the_truth_at_a_stop_by_hits_or_by_tries(share, wanted, most):
    """Every end of the walk "one more try", with its probability: stop at so many hits, or at so many tries."""
    missed = told = 0.0
    for tries, hits, chance in ends(share, wanted, most):
        low, high = proportion_interval(hits, tries)
        told += chance
        missed += chance * (not low <= share <= high)
    assert told == pytest.approx(1, abs=1e-6) and missed < 0.05


def ends(share, wanted, most):
    for tries in range(wanted, min(most, 1500) + 1) if wanted < most else ():
        ways = math.comb(tries - 1, wanted - 1)  # the last try was a hit
        yield tries, wanted, ways * share**wanted * (1 - share) ** (tries - wanted)
    if most < 10**9:
        for hits in range(min(wanted, most + 1)):
            yield most, hits, math.comb(most, hits) * share**hits * (1 - share) ** (most - hits)


@pytest.mark.parametrize("share", [0.005, 0.01, 0.05, 0.3, 0.97])
def test_the_score_interval_of_a_rare_share_holds_it(share):
    """Two standard errors to both sides held 1 % in 300 tries only 80 times in 100."""
    held = 0.0
    for hits in range(301):
        mean = hits / 300
        low, high = score_interval(mean, math.sqrt(mean * (1 - mean) / 300), 300)
        held += (low <= share <= high) * math.comb(300, hits) * share**hits * (1 - share) ** (300 - hits)
    assert 0.93 < held < 0.985
    assert score_interval(0.0, 0.0, 300) == pytest.approx((0, 0.0126), abs=1e-3)
    assert score_interval(1.0, 0.0, 300) == pytest.approx((0.9874, 1), abs=1e-3)


def test_weighted_rows_count_for_what_their_error_says():
    assert score_interval(0.2, 0.04, 1000) == score_interval(0.2, 0.04, 5)
    low, high = score_interval(0.2, 0.004, 10_000)
    assert (low, high) == pytest.approx((0.2 - 1.96 * 0.004, 0.2 + 1.96 * 0.004), abs=2e-4)


@pytest.mark.parametrize(("num", "low", "high"), [(79, 1, 77), (199, 4, 194), (19, 0, 18), (3, 0, 2)])
def test_resamples_bound_the_interval_by_their_order(num, low, high):
    """k = (B + 1)/40 from either end, infinite ones included."""
    found = [np.array([float(value)]) for value in np.random.default_rng(0).permutation(num)]
    assert _interval(found, (1,), 0.95, num, 0).low == [low] and _interval(found, (1,), 0.95, num, 0).high == [high]
    found[0] = np.array([np.inf])
    assert not np.isnan(_interval(found, (1,), 0.95, num, 0).high).any()
