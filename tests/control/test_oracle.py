"""Exact answers to 50 digits: every case of the oracle, within the tolerances it names."""

import json
from pathlib import Path

import numpy as np
import pytest

import playground as pg
from playground.control import ContextRows, fit_averaged, fit_per_context, fit_pooled
from playground.control.qrs import ratios

HERE = Path(__file__).resolve().parent
OWN = HERE / "data" / "oracle_cases.json"
SHARED = HERE.parents[2] / "shared" / "oracles" / "control.json"  # the whole file, beside the repository


def number(text) -> float:
    if isinstance(text, str) and "/" in text:
        top, bottom = text.split("/")
        return float(top) / float(bottom)
    return float(text)


def numbers(texts) -> np.ndarray:
    return np.array([number(text) for text in texts])


def logs(values) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(values)


def check_moment_fit(case, exact, base, features, targets, tolerance):
    keep = np.array(case.get("pointwise_filter", [1] * len(base)))
    fit = pg.control.fit(features, logs(base * keep), targets, enumerated=True)
    assert fit.status == "converged"
    assert fit.exponents == pytest.approx(exact["lambda_"], abs=tolerance["lambda_abs"], rel=0)
    assert fit.probabilities == pytest.approx(exact["p"], abs=tolerance["probability_abs"], rel=0)
    assert fit.moments == pytest.approx(exact["moments"], abs=tolerance["probability_abs"] * 100)
    filtered_mass = float((base * keep).sum())
    assert fit.log_z + np.log(filtered_mass) == pytest.approx(exact["log_Z"], abs=1e-9)
    assert fit.kl - np.log(filtered_mass) == pytest.approx(exact["kl_p_base"], abs=1e-9)
    check_errors(exact, base, keep, features, targets)
    if "qrs" in case:
        log_target = logs(base * keep) + features @ fit.exponents
        betas = case["qrs"]["betas"]
        check_curve(case["qrs"], case["qrs"]["exact"], log_target, base, betas, tolerance["curve_abs"], features)


def check_errors(exact, base, keep, features, targets):
    """Where a pool of a few thousand rows has exactly the base's frequencies, its fit's errors are the exact ones."""
    sizes = [size for size in (4, 20, 1000, 2000) if np.abs(base * size - np.round(base * size)).max() < 1e-9]
    if sizes:
        rows = np.repeat(np.arange(len(base)), np.round(base * sizes[0]).astype(int))
        fit = pg.control.fit(features[rows], logs(keep[rows].astype(float)), targets)
        spread = fit.standard_errors * np.sqrt(len(rows))
        assert spread == pytest.approx(exact["lambda_asymptotic_sd_times_sqrt_n"], rel=1e-6)
        assert fit.ess / len(rows) == pytest.approx(exact["ess_fraction_under_q"], rel=1e-6)


def check_curve(given, rows, log_target, q, betas, tolerance, features=None):
    log_betas = np.log(numbers(betas))
    curve = pg.control.qrs(log_target, logs(q), log_betas, log_weights=logs(q))
    near = {"abs": tolerance, "rel": 0}
    for name, ours in [("AR", curve.acceptance_rate), ("TVD", curve.tvd), ("KL", curve.kl), ("JS", curve.js),
                       ("Z_beta", np.exp(curve.log_z_beta))]:
        assert ours == pytest.approx(numbers([row[name] for row in rows]), **near), name
    gaps = np.abs(curve.ratios.log_ratio - log_betas[:, None]).min(axis=1)
    sure = (gaps == 0) | (gaps > 1e-12)  # the bound jumps where β meets a ratio; a last digit decides on which side
    assert curve.tvd_bound[sure] == pytest.approx(numbers([row["tvd_bound"] for row in rows])[sure], **near)
    assert (curve.tvd <= curve.tvd_bound + 1e-12).all()
    if features is not None:
        assert curve.moments(features) == pytest.approx(np.array([row["moments"] for row in rows]), abs=1e-8)
        assert curve.kl_from_proposal == pytest.approx(numbers([row["KL_pbeta_base"] for row in rows]), **near)
    limits = given["limits"]
    zero = pg.control.qrs(log_target, logs(q), [-np.inf], log_weights=logs(q))
    for name, ours in [("AR", zero.acceptance_rate), ("TVD", zero.tvd), ("KL", zero.kl)]:
        assert ours == pytest.approx([number(limits["beta_to_0_limit"][name])], **near), name
    if limits["beta_max"] != "inf":
        assert curve.ratios.log_largest == pytest.approx(np.log(limits["beta_max"]), abs=1e-9)
    for rate, beta in given.get("beta_for_AR", {}).items():
        if beta is None:
            with pytest.raises(pg.PlaygroundError, match="cannot be had"):
                curve.log_beta_for(float(rate))
        else:
            assert np.exp(curve.log_beta_for(float(rate))) == pytest.approx(beta, rel=1e-9)


def check(case: dict, tolerance: dict) -> None:
    exact = case["exact"]
    if case["kind"] == "sequence":
        check_moment_fit(case, exact, *_bigrams(case), tolerance)
    elif case["kind"] == "qrs":
        target, q = numbers(case["P"]), numbers(case["q"])
        check_curve(exact, exact["curve"], logs(target), q, case["betas"], tolerance["curve_abs"])
        drawn = ratios(logs(target), logs(q), logs(q))
        assert np.exp(drawn.log_z) == pytest.approx(exact["Z"], abs=1e-12)
    elif case["kind"] == "contextual":
        check_contexts(case, exact, tolerance)
    elif case["kind"] != "tuner_gradient":
        base = numbers(case["base"])
        features, targets = np.array([numbers(row) for row in case["features"].values()]).T, numbers(case["targets"])
        if case["kind"] == "moment_fit":
            check_moment_fit(case, exact, base, features, targets, tolerance)
        elif exact["feasible"] == "boundary":
            fit = pg.control.fit(features, logs(base), targets)
            assert fit.exponents.tolist() == [np.inf] and fit.probabilities.tolist() == exact["limit_p"]
        else:
            with pytest.raises(pg.PlaygroundError):
                pg.control.fit(features, logs(base), targets)


def check_contexts(case, exact, tolerance):
    base = [numbers(row) for row in case["base"]]
    column = np.array([numbers(row) for row in case["features"].values()]).T
    features = np.concatenate([column] * len(base))
    names = [number for number, row in enumerate(base) for _ in row]
    rows = ContextRows.of(features, logs(np.concatenate(base)), names, dict(enumerate(numbers(case["tau"]))), True)
    targets, near = numbers(case["targets"]), {"abs": tolerance["lambda_abs"], "rel": 0}
    pooled, averaged = fit_pooled(rows, targets), fit_averaged(rows, targets)
    assert pooled.exponents == pytest.approx([exact["pooled_lambda"]], **near)
    assert averaged.exponents == pytest.approx([exact["averaged_lambda"]], **near)
    own = fit_per_context(rows, targets)
    assert [own[c].exponents[0] for c in own] == pytest.approx(exact["per_context_lambda"], **near)
    shares = [pooled.probabilities[rows.which == c].sum() for c in range(len(base))]
    assert shares == pytest.approx(exact["pooled_context_weights"], abs=1e-9)
    at_pooled = rows.averaged_moments(pooled.log_factor(features))
    assert at_pooled == pytest.approx([exact["averaged_moment_at_pooled_lambda"]], abs=1e-9)
    scores = rows.joint_log_weights() + features @ averaged.exponents
    weights = np.exp(scores) / np.exp(scores).sum()
    assert weights @ features == pytest.approx([exact["pooled_moment_at_averaged_lambda"]], abs=1e-9)


def _bigrams(case):
    exact = case["exact"]
    sequences = exact["sequences"]
    features = np.array([[float("b" in text), float(len(text.rstrip("$")))] for text in sequences])
    return np.array(exact["base"]), features, numbers(case["targets"])


def load(path: Path) -> tuple[dict, list[dict]]:
    oracle = json.loads(path.read_text(encoding="utf-8"))
    return oracle["suggested_tolerances"], oracle["cases"]


@pytest.mark.parametrize("case", load(OWN)[1], ids=lambda case: case["id"])
def test_own_copy(case):
    check(case, load(OWN)[0])


def test_own_copy_has_every_kind():
    assert {case["kind"] for case in load(OWN)[1]} >= {"moment_fit", "infeasible", "qrs", "contextual", "sequence"}


def test_the_whole_file():
    if not SHARED.exists():
        pytest.skip(f"no oracle file beside the repository ({SHARED.name})")
    tolerance, cases = load(SHARED)
    assert len(cases) >= 15
    for case in cases:
        check(case, tolerance)
