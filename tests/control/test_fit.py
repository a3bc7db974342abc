"""The fit where oracles end: impossible targets, faces of the hull, dependent features, wild weights, many features."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import playground as pg
from playground.control.hull import face

POOL = np.zeros(768)
POOL[:40] = 1  # the reference's example: 40 of 768 texts say "amazing"


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


@pytest.mark.parametrize(("target", "ess"), [(0.1, 734), (0.25, 428), (0.5, 152), (0.9, 49)])
def test_the_amazing_pool(target, ess):
    fit = pg.control.fit(POOL, np.zeros(768), [target])
    assert fit.exponents == pytest.approx([logit(target) - logit(40 / 768)], abs=1e-9)
    assert round(fit.ess) == ess
    assert fit.moments == pytest.approx([target], abs=1e-12) and fit.residual < 1e-9
    assert fit.status == "converged" if ess > 100 else fit.status.startswith("warning: the weights are worth only 49")


def test_the_amazing_pool_fits_in_ten_milliseconds():
    pg.control.fit(POOL, np.zeros(768), [0.5])
    costs_s = []
    for _ in range(5):
        start_s = time.perf_counter()
        pg.control.fit(POOL, np.zeros(768), [0.5])
        costs_s.append(time.perf_counter() - start_s)
    assert min(costs_s) < 0.010


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_tensors_are_taken_as_they_are(kind):
    column = torch.tensor(POOL, dtype=kind, requires_grad=True)
    fit = pg.control.fit(column, torch.zeros(768), torch.tensor([0.5]))
    assert fit.exponents == pytest.approx([logit(0.5) - logit(40 / 768)], abs=1e-9)
    assert fit.exponents.dtype == np.float64


@pytest.mark.parametrize(
    ("features", "targets", "reason"),
    [
        (np.zeros(512), [0.5], r"never so in 512 rows.*rarer than 0.0059.*takes 1,707 rows"),
        (np.ones(100), [0.5], r"always so in 100 rows.*the opposite of it"),
        (POOL, [1.2], r"impossible.*between 0 and 1"),
        (POOL * 5, [6.0], r"outside what was seen, 0 to 5.*1,536 rows"),
        (np.eye(3), [0.5, 0.6, 0.1], "contradict each other"),
        (np.stack([POOL, 1 - POOL], 1), [0.5, 0.6], "contradict each other"),
        (np.array([[0, 0], [1, 0], [0, 1.0]]), [0.6, 0.6], r"\+1·\(feature 1\) \+1·\(feature 2\) is at most 1 "),
        (POOL, [np.nan], "targets holds NaN"),
        (POOL, [np.inf], "finite"),
        (POOL, [0.5, 0.5], "targets has 2 numbers and 1 are needed"),
        (np.full(768, np.nan), [0.5], "no finite value at row 0"),
        (["a"], [0.5], "must be numbers"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(features, targets, reason):
    with pytest.raises(pg.PlaygroundError, match=reason):
        pg.control.fit(features, np.zeros(len(features)), targets)


def test_no_row_with_weight_is_refused():
    with pytest.raises(pg.PlaygroundError, match=r"None of the 768 rows.*2,560 rows"):
        pg.control.fit(POOL, np.full(768, -np.inf), [0.5])


def test_a_share_of_one_is_a_filter_and_the_rest_is_fitted_among_what_is_left():
    rng = np.random.default_rng(0)
    table = (rng.random((2000, 2)) < (0.3, 0.2)).astype(float)
    fit = pg.control.fit(table, np.zeros(2000), [1.0, 0.5])
    left = table[table[:, 0] == 1]
    alone = pg.control.fit(left[:, 1], np.zeros(len(left)), [0.5])
    assert fit.exponents[0] == np.inf and fit.exponents[1] == pytest.approx(alone.exponents[0], abs=1e-9)
    assert (fit.probabilities[table[:, 0] == 0] == 0).all()
    assert fit.log_factor([[0, 1], [1, 1], [1, 0]]).tolist() == [-np.inf, fit.exponents[1], 0.0]
    none = pg.control.fit(table, np.zeros(2000), [0.0, 0.5])
    assert none.exponents[0] == -np.inf and np.isnan(none.standard_errors[0])


def test_targets_on_a_slanted_face_restrict_to_the_face():
    triangle = np.array([[0, 0], [1, 0], [0, 1.0]])
    fit = pg.control.fit(triangle, np.log([0.8, 0.1, 0.1]), [0.25, 0.75], enumerated=True)
    assert fit.probabilities == pytest.approx([0, 0.25, 0.75], abs=1e-9)
    assert fit.exponents.tolist() == [np.inf, np.inf]


def test_dependent_features_are_fitted_and_said():
    fit = pg.control.fit(np.stack([POOL, 1 - POOL], 1), np.zeros(768), [0.5, 0.5])
    assert fit.moments == pytest.approx([0.5, 0.5], abs=1e-9)
    assert "depend on each other" in fit.status


def test_rows_outside_the_support_may_hold_anything():
    table = np.concatenate([POOL, [np.nan, 7.0]])
    fit = pg.control.fit(table, np.concatenate([np.zeros(768), [-np.inf] * 2]), [0.5])
    assert fit.exponents == pytest.approx(pg.control.fit(POOL, np.zeros(768), [0.5]).exponents, abs=1e-9)


def test_a_constant_on_the_weights_changes_nothing():
    shifted = pg.control.fit(POOL, np.full(768, -900.0), [0.5])
    assert shifted.exponents == pytest.approx([logit(0.5) - logit(40 / 768)], abs=1e-9)
    assert shifted.log_z == pytest.approx(pg.control.fit(POOL, np.zeros(768), [0.5]).log_z)


def test_hundreds_of_features_go_by_gradients():
    table = np.random.default_rng(1).normal(size=(1500, 220))
    wanted = table[:200].mean(axis=0)
    fit = pg.control.fit(table, np.zeros(1500), wanted)
    assert fit.residual < 1e-7 and fit.status != "not_converged"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0.0, 20.0), st.floats(-6, 6))
def test_the_fitted_exponents_come_back(seed, num_features, spread, log_scale):
    """Targets made from known exponents give these exponents, whatever the weights' spread and the features' unit."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(300, num_features)) * 10**log_scale
    weights, exponents = rng.normal(size=300) * spread, rng.normal(size=num_features) / 10**log_scale
    scores = weights + table @ exponents
    p = np.exp(scores - scores.max())
    fit = pg.control.fit(table, weights, p @ table / p.sum())
    assert fit.status != "not_converged"
    assert fit.residual <= 1e-8 * 10**log_scale
    assert fit.moments == pytest.approx(p @ table / p.sum(), abs=1e-7 * 10**log_scale)


@pytest.mark.parametrize("spread", [30, 300])
def test_weights_over_hundreds_of_nats(spread):
    """One row hides all others at exponents 0; the mean that is asked is that of other rows."""
    rng = np.random.default_rng(0)
    weights, table = rng.normal(size=2000) * spread, rng.normal(size=(2000, 5))
    fit = pg.control.fit(table, weights, [1, -1, 0.5, 0, 2])
    assert fit.status.startswith("warning") and fit.residual < 1e-8


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_faces(seed, num_columns):
    """A mixture of some rows is inside; beyond every row's height in some direction is outside."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(30, num_columns))
    mixture = rng.dirichlet(np.ones(30)) @ rows
    assert face(rows - mixture).support.all()
    direction = rng.normal(size=num_columns)
    beyond = direction / np.linalg.norm(direction) * 1.01 * np.abs(rows).sum()
    assert not face(rows - beyond).inside
    corner = int(np.argmax(rows @ direction))
    assert np.flatnonzero(face(rows - rows[corner]).support).tolist() == [corner]


def test_the_tilt_within_a_slanted_face_reaches_whoever_samples():
    """Targets on x + y = 1 exclude the first row, and weigh the two others 3 : 7; with no exponent left they were
    sampled evenly."""
    table = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    fit = pg.control.fit(table, np.zeros(3), [0.3, 0.7])
    factor = np.exp(fit.log_factor(table))
    assert factor @ table / factor.sum() == pytest.approx([0.3, 0.7], abs=1e-9)
    assert factor / factor.sum() == pytest.approx(fit.probabilities, abs=1e-9)


@pytest.mark.parametrize("features", [[[0], [10**400]], [[torch.tensor(0.0, requires_grad=True)], [torch.tensor(1.0)]]])
def test_numbers_that_numpy_cannot_hold_are_refused_in_words(features):
    with pytest.raises(pg.PlaygroundError, match="must be numbers"):
        pg.control.fit(features, [0.0, 0.0], [0.5])


def test_features_whose_squares_overflow_are_refused():
    """They were taken for constant: exponent 0, far from the target, and no word about it."""
    with pytest.raises(pg.PlaygroundError, match="rescale"):
        pg.control.fit([[0.0], [1e200]], [0.0, 0.0], [2e199])
