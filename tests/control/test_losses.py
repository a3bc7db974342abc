"""Coefficients of the tuning losses: the exact gradients of an enumerated policy, and what they promise beyond."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from playground.control.losses import LOSSES, coefficients
from playground.errors import PlaygroundError

CASE = json.loads((Path(__file__).parent / "data" / "tabular_gradients.json").read_text())
THETA, P, Q = (np.array([float(value) for value in CASE[name]]) for name in ("theta", "P", "q"))
PI = np.exp(THETA) / np.exp(THETA).sum()
LOG_Z = math.log(P.sum())
EXACT = {"forward_kl": "KL(p||pi)", "reverse_kl": "KL(pi||p)", "jensen_shannon": "JS", "total_variation": "TV"}
DRAWS = np.repeat(np.arange(len(Q)), np.rint(10 * Q).astype(int))
"""Ten draws with exactly the proposal's frequencies."""


def gradient(rows: np.ndarray, pushed: np.ndarray) -> np.ndarray:
    """Σ c_i ∇θ log π(x_i) of a policy π = softmax(θ)."""
    return np.bincount(rows, pushed, len(PI)) - pushed.sum() * PI


@pytest.mark.parametrize("baseline", [False, True], ids=["plain", "baseline"])
@pytest.mark.parametrize("normalised", [False, True], ids=["as is", "self-normalised"])
@pytest.mark.parametrize("loss", EXACT)
def test_gradients_are_the_oracles(loss, normalised, baseline):
    """Everything sums to 1 on an enumeration, so self-normalising changes nothing there either."""
    wanted = pytest.approx(CASE["exact"]["gradients"][EXACT[loss]], abs=1e-9)
    for rows, log_weights in ((np.arange(len(Q)), np.log(Q)), (DRAWS, None)):
        pushed = coefficients(
            loss, np.log(P[rows]), np.log(PI[rows]), np.log(Q[rows]), LOG_Z,
            baseline=baseline, self_normalised=normalised, log_weights=log_weights,
        )  # fmt: skip
        assert gradient(rows, pushed) == wanted
        if baseline:
            assert pushed.sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", [name for name, loss in LOSSES.items() if loss.allows_zeros])
def test_texts_that_the_target_excludes(loss):
    """Against the derivative of the divergence itself, taken numerically."""
    target = np.array([0.5, 0.0, 0.3, 0.2, 0.0])
    with np.errstate(divide="ignore"):
        pushed = coefficients(loss, np.log(target), np.log(PI), np.log(PI), 0.0, log_weights=np.log(PI))
    assert gradient(np.arange(5), pushed) == pytest.approx(numeric_gradient(loss, target), abs=1e-6)


def test_reverse_kl_is_refused_where_the_target_has_zeros():
    with pytest.raises(PlaygroundError, match="1 of the drawn texts no probability"):
        coefficients("reverse_kl", [-1.0, -math.inf], [-1.0, -1.0], [-1.0, -1.0], 0.0)
    with pytest.raises(PlaygroundError, match="no loss called 'kl'"):
        coefficients("kl", [0.0], [0.0], [0.0], 0.0)


def test_each_prompt_has_its_own_constant():
    """CDPG: two prompts in one batch teach what they teach alone; one without any hit teaches nothing."""
    log_p, log_pi = np.array([-1.0, -2.0, -3.0, -2.5]), np.array([-1.5, -1.0, -2.0, -2.0])
    together = coefficients("forward_kl", log_p, log_pi, log_pi, [0.5, 0.5, -2.0, -2.0], baseline=False)
    alone = [coefficients("forward_kl", log_p[part], log_pi[part], log_pi[part], log_z, baseline=False)
             for part, log_z in ((slice(0, 2), 0.5), (slice(2, 4), -2.0))]
    assert 2 * together == pytest.approx(np.concatenate(alone))
    unseen = coefficients("forward_kl", [-1.0, -math.inf], [-1.0] * 2, [-1.0] * 2, [0.0, -math.inf])
    assert unseen[1] == 0 and np.isfinite(unseen).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_one_text_cannot_overflow_a_step(loss):
    pushed = coefficients(loss, [900.0, -1.0], [-900.0, -1.0], [-2000.0, -1.0], 0.0, max_log_ratio=5.0, baseline=False)
    assert np.abs(pushed).max() <= 0.5 * math.exp(5) * 6 + 1e-9
    clipped = coefficients("forward_kl", [3.0], [0.0], [0.0], 0.0, max_log_ratio=1.0, baseline=False)
    assert clipped == pytest.approx([-math.e])


def test_self_normalised_weights_forget_a_stale_constant():
    log_p, log_pi = np.array([-1.0, -2.0, -4.0]), np.array([-1.5, -1.0, -2.0])
    right, stale = (coefficients("forward_kl", log_p, log_pi, log_pi, log_z, self_normalised=True) for log_z in (0, 3))
    assert right == pytest.approx(stale)
    assert right != pytest.approx(coefficients("forward_kl", log_p, log_pi, log_pi, 3.0))


@pytest.mark.parametrize("loss", ["forward_kl", "jensen_shannon"])
def test_each_prompt_is_normalised_by_its_own_average(loss):
    """CDPG with two stale constants: each prompt's half is what it is alone; one average for both mixed them up."""
    rng = np.random.default_rng(0)
    log_p, log_pi, prompts = rng.normal(size=12), rng.normal(size=12), np.repeat([0, 1], 6)
    log_z = np.where(prompts == 0, 3.0, -2.0)
    together = coefficients(loss, log_p, log_pi, log_pi, log_z, baseline=False, self_normalised=True, prompts=prompts)
    for prompt in (0, 1):
        own = prompts == prompt
        alone = coefficients(loss, log_p[own], log_pi[own], log_pi[own], log_z[own], baseline=False,
                             self_normalised=True)  # fmt: skip
        assert 2 * together[own] == pytest.approx(alone)


def numeric_gradient(loss: str, target: np.ndarray, step: float = 1e-6) -> list[float]:
    def divergence(theta: np.ndarray) -> float:
        policy = np.exp(theta) / np.exp(theta).sum()
        if loss == "forward_kl":
            return kl(target, policy)
        if loss == "total_variation":
            return 0.5 * float(np.abs(target - policy).sum())
        middle = (target + policy) / 2
        return 0.5 * kl(target, middle) + 0.5 * kl(policy, middle)

    shifts = step * np.eye(len(THETA))
    return [(divergence(THETA + shift) - divergence(THETA - shift)) / (2 * step) for shift in shifts]


def kl(one: np.ndarray, other: np.ndarray) -> float:
    some = one > 0
    return float((one[some] * np.log(one[some] / other[some])).sum())
