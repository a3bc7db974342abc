"""How close a tuned policy is to the exact target, from texts that it wrote itself a moment ago.

Knows nothing about models or training: log-probabilities (float64, nats), features and token ids in, numbers out.

Every figure that could look good by missing what it never sampled is written so that it cannot: see each one's words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from playground.errors import PlaygroundError

Floats = NDArray[np.float64]

MAX_LOG_WEIGHT = 300.0
"""So that neither a weight nor its square overflows."""
HALF_LOG_2 = 0.5 * math.log(2)
NUM_STANDARD_ERRORS = 3.0
Z_COLLAPSE = 0.5
"""An estimate of Z below half of the pool's, beyond its error, says that the policy lost much of the target."""
FARTHER = 1.1
"""The policy counts as farther from the target than the base from this multiple of its distance on."""
MIN_PROGRESS = 0.1
"""From this part of the way from the base's rate to the target's on, a tuning counts as having had an effect."""


@dataclass(frozen=True)
class Exactness:
    """Estimates on fresh draws from a policy; the reference constant is the pool's Z."""

    num_samples: int
    kl_target: float
    """KL(p‖π), nats, as E_π[r log r − r + 1] with r = P/(Zπ): no term is below 0, and target mass that was never
    sampled adds about its own size instead of vanishing."""
    tvd: float
    """½ Σ|p − π| as E_π[max(0, 1 − r)]: it needs nothing but what π writes, so mass that π has lost counts in full."""
    jensen_shannon: float
    """Nats, from the same draws, at most log 2; what π has surely lost of the target adds ½ log 2 times its share."""
    kl_base: float
    """KL(π‖a), nats: how far the policy has moved. An exact one stands at KL(p‖a)."""
    z_share: float
    """Their estimate of Z, the mean of P/π, as a multiple of the pool's Z: 1 where the policy covers the target."""
    z_share_error: float
    """Its standard error."""
    ess_fraction: float
    """Effective sample size of the weights P/(Zπ) over the number of draws: 1 means exact."""
    moments: tuple[float, ...]
    """Means of the features over the draws (those that could be had)."""
    rate: float
    """Share of the draws that the target does not exclude."""
    known_rate: float
    """The same of the draws that are held against the target: those whose prompt has a known Z."""
    distinct_1: float
    distinct_2: float
    """Different n-grams over all n-grams of the draws: diversity."""


def exactness(
    log_target: ArrayLike,
    log_policy: ArrayLike,
    log_base: ArrayLike,
    log_z: ArrayLike,
    features: ArrayLike,
    token_ids: Sequence[Sequence[int]],
) -> Exactness:
    """Estimates from N draws of the policy: log P (−inf = excluded), log π, log a; features float64[N,J].

    ``log_z``: the pool's log Z, one number, or one a draw (its prompt's); with prompts, every figure is their average.
    Where it is −inf the pool saw nothing of the target after that prompt: such draws are held against nothing.
    """
    log_p, log_pi, log_a = (np.asarray(each, dtype=np.float64) for each in (log_target, log_policy, log_base))
    num_samples = len(log_p)
    constants = np.broadcast_to(np.asarray(log_z, dtype=np.float64), log_p.shape)
    known = np.isfinite(constants)
    if not known.any():
        raise PlaygroundError("The pool saw nothing of the target after any prompt, so nothing can be held against it.")
    log_r = np.minimum(log_p[known] - constants[known] - log_pi[known], MAX_LOG_WEIGHT)
    r = np.exp(log_r)
    r_log_r = np.where(r > 0, r * np.where(r > 0, log_r, 0.0), 0.0)
    half = np.log((1 + r) / 2)
    squares, share = float(np.square(r).sum()), float(r.mean())
    error = float(r.std(ddof=1) / math.sqrt(r.size)) if r.size > 1 else math.inf
    lost = max(0.0, 1 - share - NUM_STANDARD_ERRORS * error)  # surely: noise around 1 must not count as loss
    return Exactness(
        num_samples=num_samples,
        kl_target=float((r_log_r - r + 1).mean()),
        tvd=float(np.maximum(0.0, 1 - r).mean()),
        jensen_shannon=float((0.5 * (r_log_r - (1 + r) * half)).mean()) + HALF_LOG_2 * lost,
        kl_base=float((log_pi - log_a).mean()),
        z_share=share,
        z_share_error=error,
        ess_fraction=float(r.sum()) ** 2 / squares / r.size if squares else 0.0,
        moments=tuple(np.nanmean(np.asarray(features, dtype=np.float64).reshape(num_samples, -1), 0).tolist()),
        rate=float((log_p > -np.inf).mean()),
        known_rate=float((log_p[known] > -np.inf).mean()),
        distinct_1=distinct(token_ids, 1),
        distinct_2=distinct(token_ids, 2),
    )


def held_out_kl(
    log_target: ArrayLike, log_policy: ArrayLike, log_proposal: ArrayLike, log_z: ArrayLike, rate: float
) -> float:
    """KL(p‖π), nats, from texts of a pool that the policy did not learn from; NaN where none of them is of the target.

    The pool's weights P/q make them draws of p, so a policy that has forgotten them cannot hide it. ``rate`` is the
    share of the policy's texts that the target allows: E_p[π/p − 1] is ``rate`` − 1, and with it each term is
    log(p/π) + π/p − 1, never below 0 and quiet near the end, where a few dozen texts would drown in noise.
    """
    log_p = np.asarray(log_target, dtype=np.float64) - np.asarray(log_z, dtype=np.float64)
    log_pi, log_q = (np.asarray(each, dtype=np.float64) for each in (log_policy, log_proposal))
    seen = log_p > -np.inf
    if not seen.any():
        return math.nan
    log_weights = log_p[seen] - log_q[seen]
    weights = np.exp(log_weights - log_weights.max())
    gaps = log_p[seen] - log_pi[seen]
    terms = gaps + np.exp(np.minimum(-gaps, MAX_LOG_WEIGHT)) - 1
    return float(weights @ terms / weights.sum()) + 1 - rate


def distinct(token_ids: Sequence[Sequence[int]], length: int) -> float:
    """Different n-grams over all n-grams (arXiv 1510.03055); 0 where there are none."""
    grams = [tuple(one[at : at + length]) for one in token_ids for at in range(len(one) - length + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def log_mean(log_values: ArrayLike) -> float:
    """log of the average of exp(values): log Z from draws of q and log(P/q). −inf where all are."""
    values = np.asarray(log_values, dtype=np.float64)
    top = float(values.max(initial=-np.inf))
    return top + math.log(float(np.exp(values - top).mean())) if np.isfinite(top) else -math.inf


@dataclass(frozen=True)
class Standard:
    """What a policy is held against: the base before any tuning, and the pool's constant."""

    rate: float
    """The constraint rate (or the moment that has farthest to go) of the base."""
    target_rate: float
    """The same of the target: 1 where texts are excluded."""
    kl_target: float
    """KL(p‖a): how far the base itself is from the target, nats."""


def forgetting(standard: Standard, rate: float, now: Exactness, held_out: float) -> str | None:
    """The alarm in words: the constraint holds more often while the policy is *less* like the target. None: no alarm.

    ``rate`` is the policy's, of the same kind as the standard's; ``held_out`` its KL(p‖π) on held-out texts of the pool
    (NaN: unknown).
    """
    way = standard.target_rate - standard.rate
    if way == 0 or (rate - standard.rate) / way < MIN_PROGRESS:
        return None
    z_lost = now.z_share + NUM_STANDARD_ERRORS * now.z_share_error < Z_COLLAPSE
    farther = held_out > FARTHER * standard.kl_target
    if not (z_lost or farther):
        return None
    reasons = []
    if z_lost:
        reasons.append(f"its own texts account for {now.z_share:.0%} of the target's mass Z")
    if farther:
        reasons.append(f"its KL to the target on texts it has not seen is {held_out:.2f} nats; the untuned model's is "
                       f"{standard.kl_target:.2f}")  # fmt: skip
    return (
        f"The constraint went from {standard.rate:.3g} to {rate:.3g} (target {standard.target_rate:.3g}), but the "
        f"model is forgetting: {'; and '.join(reasons)}. More hits is not more exactness: stop, and go on from an "
        "earlier step with a smaller learning rate."
    )
