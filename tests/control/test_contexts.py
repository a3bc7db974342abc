"""One target over several prompts, in three ways: against the oracle's case and a toy summed up by brute force."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import playground as pg
from playground.control import ContextRows, fit, fit_averaged, fit_joint, fit_per_context, fit_pooled
from playground.control.context_fit import ContextFit
from playground.control.joint import WAYS, tilted

ORACLE = Path(__file__).parent / "data" / "oracle_cases.json"
BASE = np.array([[9, 4, 3, 2, 2, 0], [2, 2, 1, 5, 6, 4]]) / 20
"""Two prompts, six texts: a(x|c)."""
PROPOSAL = np.array([[4, 4, 4, 4, 4, 0], [3, 3, 3, 3, 4, 4]]) / 20
"""q(x|c), which reaches all of the base."""
PHI = np.array([[0, 1.0], [0, 3.0], [1, 0.0], [0, 4.0], [1, 2.0], [1, 5.0]])
"""A yes-or-no feature and a length."""
TARGETS = [0.5, 2.0]


def enumerated(base=BASE, shares=(0.5, 0.5)) -> ContextRows:
    with np.errstate(divide="ignore"):
        logs = np.log(base.ravel())
    names, counted = ["sea"] * 6 + ["moon"] * 6, {"sea": shares[0], "moon": shares[1]}
    return ContextRows.of(np.concatenate([PHI, PHI]), logs, names, counted, True)


def drawn(q=PROPOSAL, times=(1, 1)) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """A pool with exactly the proposal's frequencies: texts, log a - log q, prompts."""
    texts, weights, names = [], [], []
    for number, (name, many) in enumerate(zip(("sea", "moon"), times, strict=True)):
        counts = np.round(q[number] * 20).astype(int) * many
        rows = np.repeat(np.arange(6), counts)
        texts.append(rows)
        weights.append(np.log(BASE[number][rows]) - np.log(q[number][rows]))
        names += [name] * len(rows)
    return np.concatenate(texts), np.concatenate(weights), names


def by_hand(way: str, target: ContextFit, shares=(0.5, 0.5)) -> np.ndarray:
    """float64[2,6]: P(c, x) from the exponents alone."""
    exponents = [part.exponents for part in target.parts]
    masses = np.array([tau * a * np.exp(PHI @ one) for tau, a, one in zip(shares, BASE, exponents, strict=True)])
    if way == "pooled":
        return masses
    return masses / masses.sum(axis=1, keepdims=True) * np.array(shares)[:, None]


@pytest.mark.parametrize("way", WAYS)
def test_the_oracles_two_prompts(way):
    case = next(one for one in json.loads(ORACLE.read_text())["cases"] if one["id"] == "contextual_two_prompts")
    base = np.array([[float(p) for p in row] for row in case["base"]])
    features = np.array([0.0, 1.0, 0.0, 1.0])
    rows = ContextRows.of(features, np.log(base.ravel()), [0, 0, 1, 1], enumerated=True)
    target, exact = fit_joint(rows, [0.5], way), case["exact"]
    found = [part.exponents[0] for part in target.parts]
    wanted = {"pooled": [exact["pooled_lambda"]] * 2, "averaged": [exact["averaged_lambda"]] * 2,
              "each": exact["per_context_lambda"]}[way]
    assert found == pytest.approx(wanted, abs=1e-6) and target.status == "converged"
    assert target.moments == pytest.approx([0.5])
    shares = [part.share for part in target.parts]
    assert shares == pytest.approx(exact["pooled_context_weights"] if way == "pooled" else [0.5, 0.5], abs=1e-9)
    own = [part.moments[0] for part in target.parts]
    if way == "pooled":
        assert np.mean(own) == pytest.approx(exact["averaged_moment_at_pooled_lambda"], abs=1e-9)
    elif way == "each":
        assert own == pytest.approx([0.5, 0.5])
    else:  # closed form: logit of the base rate, moved by the shared exponent
        assert own == pytest.approx([1 / (1 + odds * np.exp(-wanted[0])) for odds in (9, 4 / 6)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.2, 0.8)])
def test_every_figure_is_that_of_the_sum_over_everything(way, shares):
    rows = enumerated(shares=shares)
    target = fit_joint(rows, TARGETS, way)
    mass = by_hand(way, target, shares)
    p, base = mass / mass.sum(), np.array(shares)[:, None] * BASE
    assert target.probabilities.reshape(2, 6) == pytest.approx(p, abs=1e-12)
    assert (p[:, :, None] * PHI).sum((0, 1)) == pytest.approx(TARGETS) and target.residual < 1e-9
    assert target.base_moments == pytest.approx((base[:, :, None] * PHI).sum((0, 1)))
    some = p > 0
    assert target.kl == pytest.approx((p[some] * np.log(p[some] / base[some])).sum())
    assert target.log_z == pytest.approx(np.log(mass.sum()))
    factor = target.log_factor(np.concatenate([PHI, PHI]), ["sea"] * 6 + ["moon"] * 6).reshape(2, 6)
    assert base * np.exp(factor) == pytest.approx(mass, abs=1e-12)
    for number, part in enumerate(target.parts):
        own = p[number] / p[number].sum()
        assert part.moments == pytest.approx(own @ PHI) and part.base_moments == pytest.approx(BASE[number] @ PHI)
        assert part.share == pytest.approx(p[number].sum())
        assert part.log_z == pytest.approx(np.log((BASE[number] * np.exp(PHI @ part.exponents)).sum()))
        some = own > 0
        assert part.kl == pytest.approx((own[some] * np.log(own[some] / BASE[number][some])).sum())
    if way != "pooled":
        assert [part.share for part in target.parts] == pytest.approx(shares)
    if way == "each":
        assert all(part.moments == pytest.approx(TARGETS) for part in target.parts)
        assert np.isnan(target.exponents).all()
    else:
        assert target.exponents == pytest.approx(target.parts[1].exponents)


@pytest.mark.parametrize("way", WAYS)
def test_no_distribution_with_these_means_is_nearer(way):
    """Stationary: no small move that keeps what the way promises lowers KL from the base."""
    target = fit_joint(enumerated(), TARGETS, way)
    p, base = target.probabilities, 0.5 * BASE.ravel()
    some, prompts = p > 0, np.repeat(np.eye(2), 6, axis=0)
    table = np.concatenate([PHI, PHI])
    kept = {"pooled": [np.ones(12), *table.T], "averaged": [*prompts.T, *table.T],
            "each": [*prompts.T, *(prompts[:, :1] * table).T, *(prompts[:, 1:] * table).T]}[way]
    gradient = np.log(p[some] / base[some])
    basis = np.array(kept).T[some]
    left = gradient - basis @ np.linalg.lstsq(basis, gradient, rcond=None)[0]
    assert np.abs(left).max() < 1e-8


@pytest.mark.parametrize("way", WAYS)
def test_a_pool_of_draws_gives_the_same_and_prompts_drawn_more_often_count_no_more(way):
    exact = fit_joint(enumerated(), TARGETS, way)
    for times in [(1, 1), (1, 3)]:
        rows, weights, names = drawn(times=times)
        target = fit_joint(ContextRows.of(PHI[rows], weights, names), TARGETS, way)
        for part, wanted in zip(target.parts, exact.parts, strict=True):
            assert part.exponents == pytest.approx(wanted.exponents) and part.share == pytest.approx(wanted.share)
            assert part.log_z == pytest.approx(wanted.log_z) and part.moments == pytest.approx(wanted.moments)
        assert target.log_constants == pytest.approx(exact.log_constants) and target.kl == pytest.approx(exact.kl)
        assert target.base_moments == pytest.approx(exact.base_moments)


@pytest.mark.parametrize("way", WAYS)
def test_the_curve_is_that_of_the_sum_over_everything(way):
    """Proposals that take each prompt equally often, accepted with min(1, P/(βq)): all of it enumerated."""
    exact = fit_joint(enumerated(), TARGETS, way)
    mass, q = by_hand(way, exact), 0.5 * PROPOSAL
    log_betas = np.log([0.3, 0.8, 1.0, 1.7, 3.0])
    rows, weights, names = drawn(times=(2, 1))
    target = fit_joint(ContextRows.of(PHI[rows], weights, names), TARGETS, way)
    log_ratio = weights + target.log_factor(PHI[rows], names)
    numbers = np.array([name == "moon" for name in names], dtype=int)
    row_shares = np.log(0.5 / np.bincount(numbers))[numbers]
    curve = pg.control.qrs(log_ratio, np.zeros(len(rows)), log_betas, row_shares)
    some = q > 0
    ratio = mass[some] / q[some]
    for at, beta in enumerate(np.exp(log_betas)):
        clipped = q[some] * np.minimum(ratio, beta)
        assert curve.acceptance_rate[at] == pytest.approx(clipped.sum() / beta)
        p, p_beta = mass[some] / mass.sum(), clipped / clipped.sum()
        assert curve.tvd[at] == pytest.approx(np.abs(p - p_beta).sum() / 2)
        inside = p > 0
        assert curve.kl[at] == pytest.approx((p[inside] * np.log(p[inside] / p_beta[inside])).sum())


def test_pooled_is_the_plain_fit_of_all_rows():
    rows, weights, names = drawn()
    of = ContextRows.of(PHI[rows], weights, names)
    plain, pooled = fit_pooled(of, TARGETS), fit_joint(of, TARGETS, "pooled")
    for name in ("exponents", "standard_errors", "moments", "base_moments", "base_errors", "probabilities", "targets"):
        assert getattr(pooled, name) == pytest.approx(getattr(plain, name)), name
    for name in ("status", "residual", "ess", "largest_share", "log_z", "kl", "num_iterations"):
        assert getattr(pooled, name) == pytest.approx(getattr(plain, name), abs=1e-12), name
    assert pooled.pareto_k == pytest.approx(plain.pareto_k, nan_ok=True)
    assert pooled.log_factor(PHI) == pytest.approx(plain.log_factor(PHI)), "it needs no prompts"


def test_standard_errors_against_many_pools():
    """The averaged exponents of 400 fresh pools scatter as one pool says."""
    generator = np.random.default_rng(0)
    found, told = [], []
    for _ in range(400):
        rows = np.concatenate([generator.choice(6, 150, p=BASE[number]) for number in range(2)])
        pool = ContextRows.of(PHI[rows], np.zeros(300), ["sea"] * 150 + ["moon"] * 150)
        target = fit_joint(pool, TARGETS, "averaged")
        found.append(target.exponents)
        told.append(target.standard_errors)
    assert np.std(found, axis=0) == pytest.approx(np.mean(told, axis=0), rel=0.12)


def test_filters_keep_every_prompts_share():
    for way in ("averaged", "each"):
        target = fit_joint(enumerated(), [1.0, 1.2], way)
        mass = target.probabilities.reshape(2, 6)
        assert mass[:, PHI[:, 0] == 0].sum() == 0 and mass.sum(axis=1) == pytest.approx([0.5, 0.5])
        assert target.parts[0].exponents[0] == np.inf and target.exponents[0] == np.inf
        factor = target.log_factor(PHI, ["sea"] * 6)
        assert (np.isinf(factor) == (PHI[:, 0] == 0)).all()
        assert np.isnan(target.parts[0].standard_errors[0])


def test_each_prompt_may_want_something_else():
    rows = enumerated()
    target = fit_joint(rows, [[0.4, 1.5], [0.6, 3.0]], "each")
    assert target.parts[0].moments == pytest.approx([0.4, 1.5]) and target.parts[1].moments == pytest.approx([0.6, 3.0])
    assert target.targets == pytest.approx([0.5, 2.25]) and target.moments == pytest.approx([0.5, 2.25])
    alone = fit(PHI, np.log(np.maximum(BASE[1], 1e-300)), [0.6, 3.0], enumerated=True)
    assert target.parts[1].exponents == pytest.approx(alone.exponents, abs=1e-6)


def test_exponents_set_by_hand():
    rows = enumerated()
    for way in ("pooled", "averaged"):
        fitted = fit_joint(rows, TARGETS, way)
        again = tilted(rows, fitted.exponents, way)
        assert again.probabilities == pytest.approx(fitted.probabilities) and again.kl == pytest.approx(fitted.kl)
        assert again.moments == pytest.approx(TARGETS)
    assert tilted(rows, [0.0, 0.0], "averaged").kl == pytest.approx(0, abs=1e-12)
    with pytest.raises(pg.PlaygroundError, match="pooled or averaged"):
        tilted(rows, [0.0, 0.0], "each")


def test_what_cannot_be_met_names_the_prompt():
    rows, weights, names = drawn()
    one_sided = np.where((np.array(names) == "moon") & (rows == 5), 4, rows)  # the moon never writes the last text
    pool = ContextRows.of(PHI[one_sided], weights, names)
    with pytest.raises(pg.PlaygroundError, match=r"Prompt “sea”: feature 2: a mean of 4\.5"):
        fit_joint(pool, [0.5, 4.5], "each")
    with pytest.raises(pg.PlaygroundError, match="and 1 more of 2 prompts"):
        fit_joint(pool, [0.5, 4.5], "each")
    with pytest.raises(pg.PlaygroundError, match="contexts is one of pooled, averaged, each"):
        fit_joint(pool, TARGETS, "both")
    with pytest.raises(pg.PlaygroundError, match="3 rows and there are 2 prompts"):
        fit_joint(pool, [TARGETS] * 3, "each")
    with pytest.raises(pg.PlaygroundError, match="finite number"):
        fit_joint(pool, [np.inf, 2.0], "averaged")
    target = fit_joint(pool, TARGETS, "each")
    with pytest.raises(pg.PlaygroundError, match="name the prompt"):
        target.log_factor(PHI)
    with pytest.raises(pg.PlaygroundError, match="not made for the prompt “dragon”"):
        target.log_factor(PHI, ["dragon"] * 6)


@pytest.mark.parametrize(("target", "words"), [(0.5, "at the very edge"), (0.51, "no weighting of"), (0.499, "")])
def test_a_prompt_that_never_says_it_bounds_the_average(target, words):
    """The sea says it now and then, the moon never: half is what the average can only just not reach."""
    pool = ContextRows.of([1.0] * 8 + [0.0] * 88, np.zeros(96), ["sea"] * 48 + ["moon"] * 48)
    if words:
        with pytest.raises(pg.PlaygroundError, match=words):
            fit_joint(pool, [target], "averaged")
    else:
        parts = fit_joint(pool, [target], "averaged").parts
        assert [part.moments[0] for part in parts] == pytest.approx([2 * target, 0])


def test_few_texts_of_one_prompt_are_said():
    rows, weights, names = drawn(times=(20, 1))
    target = fit_joint(ContextRows.of(PHI[rows], weights, names), TARGETS, "each")
    assert "of 20 rows of prompt “moon”" in target.status


def test_the_three_as_before():
    rows = enumerated()
    assert fit_averaged(rows, TARGETS).exponents == pytest.approx(fit_joint(rows, TARGETS, "averaged").exponents)
    own = fit_per_context(rows, TARGETS)
    for part in fit_joint(rows, TARGETS, "each").parts:
        assert own[part.label].exponents == pytest.approx(part.exponents)
