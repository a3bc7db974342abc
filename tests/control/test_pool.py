"""The pool, taking from it, stopping rules and intervals."""

import json

import numpy as np
import pytest

import playground as pg
from playground.control.bootstrap import curve_intervals, exponent_intervals
from playground.control.pool import Pool
from playground.control.sampling import accepted, resampled
from playground.control.stopping import StoppingRule, in_words
from playground.control.texts import Text
from playground.errors import PlaygroundError

INF = np.inf


def pool(size: int = 6, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    base = -10 * rng.random(size)
    texts = tuple(Text(f"text {row}", row, -base[row] / np.log(2)) for row in range(size))
    return Pool(texts, base, base - 0.5, rng.random(size), ("a",) * size, tuple((7,) * row for row in range(size)))


def test_a_pool_goes_through_json_and_grows():
    first, second = pool(), pool(3, 1)
    back = Pool.from_json(json.loads(json.dumps(first.to_json())))
    assert back.texts == first.texts and back.uniforms.tolist() == first.uniforms.tolist()
    both = first.with_rows(second)
    assert len(both) == 9 and both.log_weights == pytest.approx(np.full(9, 0.5))
    assert both.of([8, 0]).texts == (second.texts[2], first.texts[0])
    assert len(Pool()) == 0 and Pool().with_rows(first).texts == first.texts


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "other"}, "This is no pool"),
        ({"texts": "abc"}, "list of at most"),
        ({"texts": ["a"]}, "equally long"),
        ({"token_ids": [[1.5]] * 6}, "whole number"),
        ({"token_ids": [1] * 6}, "list of lists"),
        ({"log_base": ["x"] * 6}, "must be numbers"),
        ({"log_base": [INF] * 6}, "no probability is infinite"),
        ({"log_proposal": [-INF] * 6}, "possible under its proposal"),
        ({"uniforms": [1.0] * 6}, r"\[0, 1\)"),
        ({"contexts": [1] * 6}, "list of texts"),
    ],
)
def test_a_strangers_pool_is_refused_in_words(change, reason):
    with pytest.raises(PlaygroundError, match=reason):
        Pool.from_json(pool().to_json() | change)
    with pytest.raises(PlaygroundError, match="This is no pool"):
        Pool.from_json([change])


def test_acceptance_is_monotone_and_has_the_promised_rate():
    rng = np.random.default_rng(3)
    ratios, darts = rng.normal(size=20_000) * 2, rng.random(20_000)
    ratios[:2000] = -INF
    before = np.ones(20_000, dtype=bool)
    for log_beta in (-INF, -2.0, 0.0, 1.0, 4.0):
        taken = accepted(ratios, darts, log_beta)
        assert (taken <= before).all() and not taken[:2000].any()
        promised = pg.control.qrs(ratios, np.zeros(20_000), [log_beta]).acceptance_rate[0]
        assert taken.mean() == pytest.approx(promised, abs=4 * np.sqrt(promised / 20_000))
        before = taken


def test_resampling_takes_each_row_as_often_as_its_weight():
    weights = np.array([0.5, 0.0, 0.3, 0.2])
    rows = resampled(weights, 1000, seed=1)
    counts = np.bincount(rows, minlength=4)
    assert np.abs(counts - weights * 1000).max() <= 1 and counts[1] == 0
    assert rows.tolist() == resampled(weights, 1000, seed=1).tolist() != sorted(rows.tolist())
    with pytest.raises(PlaygroundError, match="No row has any weight"):
        resampled(np.zeros(3), 5, seed=0)


@pytest.mark.parametrize(
    ("rule", "proposed", "taken", "reason"),
    [
        (StoppingRule(num_accepted=5), 10, 5, "enough"),
        (StoppingRule(num_accepted=5), 10, 4, None),
        (StoppingRule(max_proposals=10), 10, 0, "proposals"),
        (StoppingRule(precision=0.1), 1000, 500, "precise"),
        (StoppingRule(precision=0.1), 20, 10, None),
        (StoppingRule(expected_rate=0.1), 49, 0, None),
        (StoppingRule(expected_rate=0.1), 50, 0, "hopeless"),
        (StoppingRule(expected_rate=0.1), 50, 1, None),
        (StoppingRule(expected_rate=0.0), 50, 0, None),
    ],
)
def test_stopping(rule, proposed, taken, reason):
    assert rule.reason(proposed, taken) == reason
    if reason:
        assert f"{proposed:,}" in in_words(reason, proposed, taken)


def test_there_is_no_rule_without_an_end():
    for wrong in ({"max_proposals": 0}, {"max_proposals": 10**9}, {"num_accepted": 0}, {"precision": 1.0}):
        with pytest.raises(PlaygroundError):
            StoppingRule(**wrong)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    truth, hits = np.log(0.5 / 0.5) - np.log(0.2 / 0.8), 0
    for seed in range(20):
        column = (rng.random(300) < 0.2).astype(float)
        found = exponent_intervals(column, np.zeros(300), [0.5], num_resamples=60, seed=seed)
        hits += bool(found.low[0] <= truth <= found.high[0])
    assert 16 <= hits <= 20


def test_intervals_of_a_curve_and_resamples_that_fail():
    ratios = np.where(np.arange(400) < 20, 3.0, 0.0)
    curve = pg.control.qrs(ratios, np.zeros(400), np.linspace(-1, 4, 9))
    rate = curve_intervals(curve, num_resamples=60)
    assert (rate.low <= curve.acceptance_rate + 1e-12).all() and (curve.acceptance_rate <= rate.high + 1e-12).all()
    assert rate.high[5] > rate.low[5]
    assert curve_intervals(curve, lambda one: one.tvd, num_resamples=20).low.shape == (9,)
    rare = np.zeros(50)
    rare[0] = 1
    found = exponent_intervals(rare, np.zeros(50), [0.5], num_resamples=60)
    assert 5 < found.num_failed < 50  # a third of the resamples hold no hit at all
