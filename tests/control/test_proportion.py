"""The interval of a share: published values, and its promise under the ways of stopping it is used with."""

from __future__ import annotations

import math

import pytest

from playground.control.proportion import proportion_interval


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
