"""The fit's arithmetic: features of any size and place, filters in any unit, refusals whose words are true."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import torch

import playground as pg
from playground.control.fit import at_exponents

POOL = np.zeros(768)
POOL[:40] = 1
NONE = np.zeros(768)
EXPONENT = -float(np.log(40 / 728))
SCALED = [(0, 1e-12), (0, 1e12), (1e3, 1), (1e6, 1), (1e9, 1), (1e12, 1), (1e15, 1), (-1e9, 1e3), (1e6, 1e-3)]


@pytest.mark.parametrize(("offset", "scale"), SCALED)
def test_a_feature_may_stand_anywhere(offset, scale):
    """λ·φ of a year or a time of day has no digits left for its differences: the moments went astray, `converged`."""
    column = POOL * scale + offset
    low, high = column.min(), column.max()
    fit = pg.control.fit(column, NONE, [low + (high - low) / 2])
    assert fit.status == "converged" and fit.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert fit.exponents * (high - low) == pytest.approx([EXPONENT], abs=1e-6)
    assert fit.residual < 1e-9 * (high - low)
    assert fit.kl == pytest.approx(pg.control.fit(POOL, NONE, [0.5]).kl, abs=1e-6)
    assert fit.base_moments == pytest.approx([column.mean()], rel=1e-14)


@pytest.mark.parametrize(("offset", "scale"), SCALED)
def test_a_filter_excludes_whatever_its_unit(offset, scale):
    column = POOL * scale + offset
    fit = pg.control.fit(np.stack([column, np.arange(768) * 1e9], 1), NONE, [column.max(), 20e9])
    assert fit.exponents[0] == np.inf and np.isfinite(fit.exponents[1])
    factor = fit.log_factor(np.stack([column, np.arange(768) * 1e9], 1))
    assert np.flatnonzero(factor > -np.inf).tolist() == list(range(40))


def test_a_filter_excludes_what_lies_beyond_it():
    """A mean at the largest value seen leaves the rows with that value; a later row beyond it has no weight either."""
    fit = pg.control.fit(np.arange(21.0), np.zeros(21), [20.0])
    assert fit.log_factor([19.0, 20.0, 25.0]).tolist() == [-np.inf, 0.0, -np.inf]


def test_nearly_equal_features_are_told_apart():
    """They differ by a millionth: that is a direction of its own, not a contradiction."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 2000))
    for difference in (1e-5, 1e-6, 1e-8):
        table = np.stack([one, one + difference * other], 1)
        wanted = np.array([-2.0, 2.0]) / difference
        weights = np.exp(table @ wanted)
        fit = pg.control.fit(table, np.zeros(2000), weights @ table / weights.sum())
        assert fit.status == "converged" and fit.exponents == pytest.approx(wanted, rel=1e-5)
        assert fit.log_factor(table) == pytest.approx(table @ wanted, abs=1e-4)


def test_means_that_the_rows_have_are_met_however_heavy_one_of_them_is():
    """A mean of 1e-14 at the edge made a filter, and then it was too far from what the filter had left: refused."""
    rng = np.random.default_rng(0)
    settled = 0
    for number in range(120):
        table = np.stack([rng.random(80) < 0.1, rng.random(80) < 0.5, rng.integers(5, 30, size=80)], 1).astype(float)
        weights = rng.normal(size=80) * (1, 10, 40, 90)[number % 4]
        base = np.exp(weights - weights.max())
        settled += pg.control.fit(table, weights, base @ table / base.sum()).status != "not_converged"
    assert settled >= 118


def test_exponents_set_by_hand_have_figures_of_their_own():
    """Of two features that say the same, the fit chose other exponents, and their constant was told."""
    table, given = np.stack([POOL, 1 - POOL], 1), np.array([2.0, -1.0])
    fit = at_exponents(table, NONE, given)
    weights = np.exp(table @ given)
    assert fit.log_z == pytest.approx(np.log(weights.mean())) and fit.kl == pytest.approx(
        weights / weights.sum() @ (table @ given) - np.log(weights.mean())
    )
    assert fit.moments == pytest.approx(weights / weights.sum() @ table) and fit.residual < 1e-12
    assert fit.log_factor(table) == pytest.approx(table @ given) and np.isnan(fit.standard_errors).all()
    assert fit.status == "converged" and at_exponents(POOL * 50, NONE, [12.0]).ess == pytest.approx(40)


@pytest.mark.parametrize("beyond", [1e-7, 1e-6, 0.1])
def test_equal_features_with_unequal_targets_contradict_each_other(beyond):
    with pytest.raises(pg.PlaygroundError, match="contradict"):
        pg.control.fit(np.stack([POOL, POOL], 1), NONE, [0.5, 0.5 + beyond])


@pytest.mark.parametrize("beyond", [1e-8, 1e-6, 1e-3, 0.2])
def test_the_contradiction_that_is_named_is_one(beyond):
    """A hair outside a slanted face: x + y is at most 1. It was another combination, which the targets do meet."""
    with pytest.raises(pg.PlaygroundError) as refusal:
        pg.control.fit([[0, 0], [1, 0], [0, 1]], np.zeros(3), [0.3, 0.7 + beyond])
    most, asked = named(str(refusal.value))
    assert most < asked == pytest.approx(most + beyond, rel=0.6)


def test_contradictions_of_many_features_are_found_and_true():
    rng = np.random.default_rng(1)
    for num_features in (2, 3, 4):
        table = rng.normal(size=(40, num_features))
        for height in (1.0001, 1.5, 30.0):
            direction = rng.normal(size=num_features)
            top = table[np.argmax(table @ direction)]
            with pytest.raises(pg.PlaygroundError, match=r"contradict|outside what was seen") as refusal:
                pg.control.fit(table, np.zeros(40), table.mean(0) + (top - table.mean(0)) * height)
            if "contradict" in str(refusal.value):
                most, asked = named(str(refusal.value))
                assert most < asked
                terms = re.findall(r"([+-]\S+)·\(feature (\d)\)", str(refusal.value))
                part = np.zeros(num_features)
                for number, feature in terms:
                    part[int(feature) - 1] = float(number)
                assert (table @ part).max() == pytest.approx(most, abs=0.02 * np.abs(table).max())


@pytest.mark.parametrize("seed", [0, 1])
def test_thirty_faces_at_once_are_met_exactly(seed):
    """Each second feature implies its neighbour and shall be as frequent: only the rows where both agree are left. The
    search for the face ended a last digit too early, dropped rows that it needed, and the fit ran for its life."""
    rng = np.random.default_rng(seed)
    one = (rng.random((1000, 30)) < 0.3).astype(float)
    other = one * (rng.random((1000, 30)) < 0.99)
    fit = pg.control.fit(np.concatenate([one, other], axis=1), np.zeros(1000), np.tile(one.mean(axis=0), 2))
    agree = (one == other).all(axis=1)
    assert fit.status == "converged" and fit.residual < 1e-9
    assert ((fit.probabilities > 0) == agree).all()


def test_hundreds_of_features_that_contradict_each_other_are_refused_at_once(monkeypatch):
    """By the direction in which the search ran away, which proves it; the exact search for a face took a minute."""
    monkeypatch.setattr(sys.modules["playground.control.fit"], "face", None)
    table = np.random.default_rng(2).normal(size=(600, 230))
    for num_features in (20, 230):
        with pytest.raises(pg.PlaygroundError, match="contradict"):
            pg.control.fit(table[:, :num_features], np.zeros(600), np.full(num_features, 1.5))


def named(words: str) -> tuple[float, float]:
    """What the combination is at most, and what is asked of it."""
    found = re.search(r"is at most (\S+) in each .* mean of (\S+)\. ", words)
    assert found is not None, words
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("values", [POOL + 1j, torch.tensor(POOL + 1j), [1j]])
def test_complex_numbers_are_refused(values):
    with pytest.raises(pg.PlaygroundError, match="numbers"):
        pg.control.fit(values, np.zeros(len(values)), [0.5])


def test_a_name_for_each_feature_or_none():
    with pytest.raises(pg.PlaygroundError, match="names has 0 names and there are 1 features"):
        pg.control.fit(POOL, NONE, [1.5], names=[])


@pytest.mark.parametrize("share", [0.5, 0.8, 0.86, 0.9, 0.99, 0.999])
def test_a_rare_feature_may_be_wanted_often(share):
    """A first step past the minimum left hardly any curvature; what was tried next was measured against the slope of a
    step that was never taken, and the search stood still."""
    rng = np.random.default_rng(1)
    column = (rng.random(200) < 0.06).astype(float)
    weights = 0.2 * rng.standard_normal(200)
    fit = pg.control.fit(column, weights, [share])
    base = np.exp(weights) @ column / np.exp(weights).sum()
    assert "not_converged" not in fit.status and fit.residual < 1e-9 and fit.num_iterations < 40
    assert fit.exponents == pytest.approx([np.log(share / (1 - share)) - np.log(base / (1 - base))], abs=1e-8)
