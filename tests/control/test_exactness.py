"""Exactness of a policy: the estimates meet the exact values, and cannot be flattered by what was never sampled."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from playground.control.exactness import Exactness, Standard, distinct, exactness, forgetting, held_out_kl, log_mean
from playground.errors import PlaygroundError
from tests.control.test_losses import CASE, LOG_Z, PI, P, Q, kl

TARGET = P / P.sum()
ROWS = np.repeat(np.arange(5), np.rint(1e5 * PI).astype(int))
"""Draws with the policy's own frequencies, to five digits."""


def of(policy: np.ndarray, target: np.ndarray, rows: np.ndarray) -> Exactness:
    with np.errstate(divide="ignore"):
        logs = [np.log(each[rows]) for each in (target, policy, Q)]
    return exactness(*logs, LOG_Z, rows[:, None] == 0, [[int(row), 7] for row in rows])


def test_the_estimates_are_the_oracles():
    found, exact = of(PI, P, ROWS), CASE["exact"]["divergences"]
    assert found.kl_target == pytest.approx(exact["KL(p||pi)"], abs=2e-4)
    assert found.tvd == pytest.approx(exact["TV"], abs=1e-4)
    assert found.jensen_shannon == pytest.approx(exact["JS"], abs=1e-4)
    assert found.kl_base == pytest.approx(kl(PI, Q), abs=1e-4)
    assert found.z_share == pytest.approx(1, abs=1e-3)
    assert 0 < found.z_share_error < 0.01
    assert found.moments[0] == pytest.approx(PI[0], abs=1e-4)
    assert found.ess_fraction == pytest.approx(1 / (PI @ np.square(TARGET / PI)), abs=1e-3)


def test_an_exact_policy_has_nothing_to_report():
    found = of(TARGET, P, np.repeat(np.arange(5), [18, 6, 3, 2, 1]))
    assert (found.kl_target, found.tvd, found.jensen_shannon) == pytest.approx((0, 0, 0), abs=1e-12)
    assert (found.ess_fraction, found.z_share, found.z_share_error) == pytest.approx((1, 1, 0), abs=1e-12)


def test_noise_is_no_loss():
    """Few draws of a sound policy: the mean of the JS estimates is the JS, not a tenth above it."""
    rng, middle = np.random.default_rng(0), (TARGET + PI) / 2
    found = [of(PI, P, rng.choice(5, size=64, p=PI)).jensen_shannon for _ in range(300)]
    exact = (kl(TARGET, middle) + kl(PI, middle)) / 2
    assert np.mean(found) == pytest.approx(exact, abs=3 * np.std(found) / math.sqrt(300))


def test_lost_mass_counts_though_it_was_never_sampled():
    """A policy that writes one excluded-free text all the time: plug-in estimates would call it perfect."""
    collapsed = np.array([1e-9, 1e-9, 1e-9, 1e-9, 1 - 4e-9])
    found = of(collapsed, P, np.full(1000, 4))
    assert found.tvd == pytest.approx(1 - TARGET[4], abs=1e-6)
    assert found.kl_target > 0.8
    middle = (collapsed + TARGET) / 2
    assert found.jensen_shannon == pytest.approx((kl(TARGET, middle) + kl(collapsed, middle)) / 2, abs=1e-6)
    assert found.z_share == pytest.approx(TARGET[4], abs=1e-6)
    assert held_out_kl(np.log(P), np.log(collapsed), np.log(P), LOG_Z, 1.0) > 10


def test_held_out_texts_measure_kl_with_any_proposal():
    rows = np.repeat(np.arange(5), [2, 1, 3, 3, 1])  # the proposal's frequencies
    found = held_out_kl(np.log(P[rows]), np.log(PI[rows]), np.log(Q[rows]), LOG_Z, 1.0)
    assert found == pytest.approx(CASE["exact"]["divergences"]["KL(p||pi)"])
    part = np.where(np.arange(5) < 3, P, 0.0)  # a target that excludes two texts
    with np.errstate(divide="ignore"):
        found = held_out_kl(np.log(part[rows]), np.log(PI[rows]), np.log(Q[rows]), np.log(part.sum()), PI[:3].sum())
    assert found == pytest.approx(kl(part / part.sum(), PI))
    assert math.isnan(held_out_kl([-math.inf], [0.0], [0.0], 0.0, 1.0))
    assert log_mean(np.log(P[rows]) - np.log(Q[rows])) == pytest.approx(LOG_Z)
    assert log_mean([-math.inf] * 3) == -math.inf


def test_a_prompt_after_which_nothing_of_the_target_was_seen():
    """It has no constant to be held against; all figures were NaN, so that no alarm could sound."""
    log_p, log_pi = np.array([-1.0, -math.inf, -2.0, -math.inf]), np.full(4, -1.5)
    log_z = np.array([0.3, 0.3, -math.inf, -math.inf])
    found = exactness(log_p, log_pi, log_pi, log_z, np.zeros((4, 1)), [[1]] * 4)
    alone = exactness(log_p[:2], log_pi[:2], log_pi[:2], 0.3, np.zeros((2, 1)), [[1]] * 2)
    for name in ("kl_target", "tvd", "jensen_shannon", "z_share", "z_share_error", "ess_fraction", "known_rate"):
        assert getattr(found, name) == getattr(alone, name), name
    assert found.num_samples == 4 and found.rate == 0.5
    with pytest.raises(PlaygroundError, match="after any prompt"):
        exactness(log_p, log_pi, log_pi, -math.inf, np.zeros((4, 1)), [[1]] * 4)


def test_diversity():
    assert distinct([[1, 1, 1, 1]], 1) == 0.25
    assert distinct([[1, 2], [1, 2], [2, 1]], 2) == pytest.approx(2 / 3)
    assert distinct([[1], []], 2) == 0


def test_the_alarm():
    """With figures measured on the default model: a healthy tuning, and the one that forgets."""
    base = Standard(rate=0.052, target_rate=1.0, kl_target=2.95)
    sound = replace(of(PI, P, ROWS), rate=0.885, z_share=0.84, z_share_error=0.12, ess_fraction=0.108)
    assert forgetting(base, 0.885, sound, 0.6) is None
    lost = replace(sound, rate=0.805, z_share=0.006, z_share_error=0.004, ess_fraction=0.008)
    assert "forgetting" in (forgetting(base, 0.805, lost, 40.0) or "")
    assert "1%" in (forgetting(base, 0.805, lost, math.nan) or "")
    assert "40.00 nats" in (forgetting(base, 0.805, sound, 40.0) or "")
    assert forgetting(base, 0.05, lost, 40.0) is None, "nothing rose: that is bad luck, not forgetting"
    falling = Standard(rate=0.7, target_rate=0.05, kl_target=1.5)
    assert "0.7 to 0.1" in (forgetting(falling, 0.1, lost, 40.0) or "") and forgetting(falling, 0.9, lost, 40.0) is None
