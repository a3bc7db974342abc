"""Quasi-rejection curves: laws that hold for any rows, the limits, and words for what cannot be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import playground as pg

INF = np.inf


def slow(target, q, weights, log_beta):
    """The definitions, row by row, in linear space."""
    p_mass, beta = weights * np.exp(target - q), np.exp(log_beta)
    clipped = weights * np.minimum(np.exp(target - q), beta)
    p, pb = p_mass / p_mass.sum(), clipped / clipped.sum()
    middle = (p + pb) / 2

    def kl(a, b):
        used = a > 0
        return float((a[used] * np.log(a[used] / b[used])).sum())

    rate = float((weights * np.minimum(1, np.exp(target - q) / beta)).sum())
    return rate, float(np.abs(p - pb).sum() / 2), kl(p, pb), (kl(p, middle) + kl(pb, middle)) / 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_every_figure_is_its_definition(seed, with_zeros):
    rng = np.random.default_rng(seed)
    q, target = rng.normal(size=50) - 5, rng.normal(size=50) * 2
    if with_zeros:
        target[rng.random(50) < 0.4] = -INF
        target[0] = 1.0
    betas = np.sort(rng.normal(size=9) * 3 + 5)
    curve = pg.control.qrs(target, q, betas)
    expected = np.array([slow(target, q, np.full(50, 1 / 50), beta) for beta in betas]).T
    for ours, theirs in zip([curve.acceptance_rate, curve.tvd, curve.kl, curve.js], expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-10)
    assert (np.diff(curve.acceptance_rate) <= 1e-12).all() and (np.diff(curve.tvd) <= 1e-12).all()
    assert (curve.tvd <= curve.tvd_bound + 1e-12).all()
    features = rng.normal(size=(50, 2))
    clipped = np.minimum(np.exp(target - q)[:, None], np.exp(betas))
    assert curve.moments(features) == pytest.approx((clipped / clipped.sum(axis=0)).T @ features, abs=1e-10)
    for rate in curve.acceptance_rate[curve.acceptance_rate < curve.ratios.above[0]]:
        back = pg.control.qrs(target, q, [curve.log_beta_for(rate)])
        assert back.acceptance_rate == pytest.approx([rate], rel=1e-9)


def test_draws_of_a_cut_proposal_against_a_target_of_known_weight():
    """As where the missing rows are listed: TVD keeps its floor, and KL is infinite."""
    target, q = np.log([0.5, 0.3, 0.2]), np.array([np.log(0.5), np.log(0.5), -INF])
    betas = np.linspace(-2, 2, 9)
    listed = pg.control.qrs(target, q, betas, log_weights=q)
    drawn = pg.control.qrs(target[:2], q[:2], betas, log_weights=q[:2])
    assert drawn.tvd[-1] == pytest.approx(0, abs=1e-12)
    known = drawn.missing(0.0)
    for name in ("acceptance_rate", "tvd", "kl", "js", "tvd_bound"):
        assert getattr(known, name) == pytest.approx(getattr(listed, name)), name
    assert drawn.missing(-3.0) is drawn, "more than the whole: that is noise"


def test_limits():
    target, q = np.log([0.5, 0.3, 0.2]), np.log([0.2, 0.2, 0.6])
    curve = pg.control.qrs(target, q, [-INF, 50.0, INF], log_weights=q)
    assert curve.acceptance_rate == pytest.approx([1.0, np.exp(-50), 0.0])
    assert curve.tvd == pytest.approx([0.4, 0, 0], abs=1e-12)
    assert curve.kl[1:] == pytest.approx([0, 0], abs=1e-12)
    assert curve.moments([[1.0], [0.0], [0.0]])[:, 0] == pytest.approx([0.2, 0.5, 0.5])
    assert curve.kl_from_proposal[0] == pytest.approx(0, abs=1e-12)


def test_huge_ratios_are_nothing_special():
    target, q = np.array([2000.0, 1999.0, -3000.0]), np.zeros(3)
    curve = pg.control.qrs(target, q, [-5000.0, 1999.0, 2000.0])
    assert curve.acceptance_rate == pytest.approx([1.0, 2 / 3, (1 + np.exp(-1)) / 3])
    assert curve.tvd[2] == pytest.approx(0, abs=1e-12) and np.isfinite(curve.kl).all()
    assert np.isfinite(curve.js).all()


def test_what_is_accepted_where_nearly_all_of_the_target_is_far_above_beta():
    """Shares of Z vanish there (e^-1990), and moments were NaN."""
    target, q = np.array([0.0, 900.0, 2000.0]), np.zeros(3)
    curve = pg.control.qrs(target, q, [10.0, 901.0])
    rare = 1 / (1 + 2 * np.exp(10))
    assert curve.moments(np.eye(3)) == pytest.approx(np.array([[rare, (1 - rare) / 2, (1 - rare) / 2],
                                                               [0, 1 / (1 + np.e), np.e / (1 + np.e)]]), abs=1e-12)
    accepted = curve.moments(np.eye(3))
    used = np.where(accepted > 0, accepted, 1.0)
    assert curve.kl_from_proposal == pytest.approx((accepted * np.log(3 * used)).sum(axis=1), abs=1e-9)


@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_a_constant_on_target_and_beta_changes_nothing(shift):
    rng = np.random.default_rng(0)
    target, q, betas = rng.normal(size=60), rng.normal(size=60) - 4, np.linspace(-2, 7, 9)
    plain, shifted = pg.control.qrs(target, q, betas), pg.control.qrs(target + shift, q, betas + shift)
    for name in ("acceptance_rate", "tvd", "kl", "js", "tvd_bound", "kl_from_proposal"):
        assert getattr(shifted, name) == pytest.approx(getattr(plain, name), abs=2e-10), name


def test_below_every_ratio_nothing_depends_on_beta():
    rng = np.random.default_rng(1)
    curve = pg.control.qrs(rng.normal(size=30), rng.normal(size=30), [-np.inf, -1e300, -1e9, -50.0])
    for name in ("acceptance_rate", "tvd", "kl", "js", "tvd_bound", "kl_from_proposal"):
        assert getattr(curve, name) == pytest.approx(np.full(4, getattr(curve, name)[0]), abs=1e-12), name


@pytest.mark.parametrize("seed", range(8))
def test_rates_where_the_curve_is_flat_have_a_beta_too(seed):
    """What lies below β adds less than a last digit, and log β was that of 0."""
    rng = np.random.default_rng(seed)
    curve = pg.control.qrs(rng.normal(size=9) * 60, np.zeros(9), [0.0])
    for rate in curve.ratios.above[:-1]:
        log_beta = curve.log_beta_for(float(rate))
        back = type(curve)(curve.ratios, np.array([log_beta]))
        assert back.acceptance_rate == pytest.approx([rate], rel=1e-12)


def test_an_acceptance_rate_that_cannot_be_had_is_refused():
    curve = pg.control.qrs(np.array([0.0, -INF]), np.zeros(2), [0.0])
    assert curve.acceptance_rate == pytest.approx([0.5])
    for rate in (0.6, 0.0, -1.0, float("nan")):
        with pytest.raises(pg.PlaygroundError, match=r"at most 0\.5"):
            curve.log_beta_for(rate)


@pytest.mark.parametrize(
    ("target", "proposal", "weights", "reason"),
    [
        ([0.0], [-INF], None, "probability 0 under the proposal, so it cannot be a draw"),
        ([0.0], [-INF], [0.0], "has a weight, but probability 0"),
        ([-INF], [0.0], None, "nothing could ever be accepted"),
        ([INF], [0.0], None, "no probability is infinite"),
        ([np.nan], [0.0], None, "NaN"),
        ([], [], None, "draw a pool first"),
        ([0.0, 1.0], [0.0, 0.0], [0.0, 0.0], r"add up to e\^0.6931 .* Subtract 0.693147"),
        ([1e300], [0.0], None, "logarithms beyond"),
        ([0.0, 1.0], [0.0], None, "log_proposal has 1 numbers and 2 are needed"),
    ],
)
def test_nonsense_is_refused(target, proposal, weights, reason):
    with pytest.raises(pg.PlaygroundError, match=reason):
        pg.control.qrs(target, proposal, [0.0], weights)
