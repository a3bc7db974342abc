"""Tuning losses as numbers: how much each drawn text's log-probability is pushed up or down in one gradient step.

Knows nothing about models or optimisers: log-probabilities (float64, nats) in, one coefficient a text out.

A policy π approaches the target p = P/Z by descending D_f(π‖p), whose gradient is E_q[(π/q) f′(π/p) ∇ log π]
(f-DPG, arXiv 2302.08215). Forward KL is distributional policy gradients (arXiv 1912.08517, 2012.11635); with one Z for
each prompt it is conditional DPG (arXiv 2112.00791). A coefficient c means: the step descends Σ c_i log π(x_i).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from playground.errors import PlaygroundError

Floats = NDArray[np.float64]

MAX_LOG_RATIO = 30.0
"""A ratio beyond e^30 either way is arithmetic noise; without any bound one text could overflow the whole step."""


@dataclass(frozen=True)
class Loss:
    """One divergence between the policy and the target, by its derivative at t = π/p."""

    name: str
    title: str
    summary: str
    slope: Callable[[Floats], Floats] | None
    """f′ as a function of log t (+inf where p is 0). None: forward KL, whose (π/q) f′(t) is −p/q and needs no π."""
    allows_zeros: bool = True
    """Whether a text that the target excludes has a finite gradient."""


def _reverse_slope(log_t: Floats) -> Floats:
    return log_t + 1.0


def _total_variation_slope(log_t: Floats) -> Floats:
    return 0.5 * np.sign(log_t)


def _jensen_shannon_slope(log_t: Floats) -> Floats:
    return 0.5 * (np.log(2.0) - np.logaddexp(0.0, -log_t))  # ½ log(2t / (1 + t))


LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "forward_kl",
            "Forward KL, KL(p‖π)",
            "Covers all of the target: every text of it is learnt in proportion to its probability.",
            None,
        ),
        Loss(
            "jensen_shannon",
            "Jensen-Shannon",
            "Between the two KLs: bounded, so that single texts cannot dominate a step.",
            _jensen_shannon_slope,
        ),
        Loss(
            "total_variation",
            "Total variation",
            "Half the sum of all differences; counts only whether a text is too likely or not likely enough.",
            _total_variation_slope,
        ),
        Loss(
            "reverse_kl",
            "Reverse KL, KL(π‖p)",
            "Seeks the likeliest part of the target and may forget the rest, as reward tuning with a KL penalty does.",
            _reverse_slope,
            allows_zeros=False,
        ),
    )
}


def coefficients(
    loss: str,
    log_target: ArrayLike,
    log_policy: ArrayLike,
    log_proposal: ArrayLike,
    log_z: ArrayLike,
    *,
    baseline: bool = True,
    max_log_ratio: float = MAX_LOG_RATIO,
    self_normalised: bool = False,
    log_weights: ArrayLike | None = None,
    prompts: ArrayLike | None = None,
) -> Floats:
    """float64[N]: what multiplies ∇ log π(x_i) in the gradient of the loss.

    ``log_target``: log P(x_i), unnormalised, −inf where the target excludes the text. ``log_policy`` and
    ``log_proposal``: log π and log q of the same texts. ``log_z``: log Z, one number, or one a text (its prompt's:
    CDPG); −inf where nothing of the target was seen yet, and such texts teach nothing.
    ``baseline`` subtracts the multiple of π/q that makes the coefficients sum to zero (arXiv 2206.00761): the exact
    gradient does not change, its variance falls (and, as the multiple is that of the draws themselves, N draws of the
    policy push 1 - 1/N times as far). ``max_log_ratio`` bounds log(p/q), log(π/q) and log(π/p).
    ``self_normalised`` divides p/q and π/q by their own averages, so that neither a stale Z nor a stale q scales the
    step; averages are those of each prompt, whose numbers ``prompts`` int64[N] gives (None: all texts follow one).
    ``log_weights``: the probability each row stands for, where the rows enumerate a space; None: draws, 1/N each.
    """
    chosen = find(loss)
    log_p, log_pi, log_q = (np.asarray(each, dtype=np.float64) for each in (log_target, log_policy, log_proposal))
    refuse_zeros(chosen, log_p)
    known = np.broadcast_to(np.asarray(log_z, dtype=np.float64), log_p.shape)
    is_known = np.isfinite(known)
    log_p = np.where(is_known, log_p, -np.inf) - np.where(is_known, known, 0.0)
    weights = _weights(len(log_p), log_weights) * is_known
    which = np.zeros(len(log_p), dtype=np.int64) if prompts is None else np.asarray(prompts, dtype=np.int64)
    groups = which if self_normalised else None
    ratio = _ratio(log_pi - log_q, weights, max_log_ratio, groups)
    if chosen.slope is None:
        pushed = -_ratio(log_p - log_q, weights, max_log_ratio, groups)
    else:
        log_t = np.where(np.isneginf(log_p), np.inf, np.clip(log_pi - log_p, -max_log_ratio, max_log_ratio))
        pushed = ratio * chosen.slope(log_t)
    if baseline and (mass := float(weights @ ratio)) > 0:
        pushed = pushed - (weights @ pushed) / mass * ratio
    return weights * pushed


def find(name: str) -> Loss:
    """The loss of that name."""
    if name not in LOSSES:
        raise PlaygroundError(f"There is no loss called {name[:40]!r}. Choose one of {', '.join(LOSSES)}.")
    return LOSSES[name]


def refuse_zeros(loss: Loss, log_target: ArrayLike) -> None:
    """Raise where the target excludes texts and the loss would be infinite on them."""
    num_zeros = int(np.isneginf(np.asarray(log_target, dtype=np.float64)).sum())
    if num_zeros and not loss.allows_zeros:
        raise PlaygroundError(
            f"{loss.title} is infinite here: the target gives {num_zeros:,} of the drawn texts no probability at all, "
            "and any policy that can still write them is infinitely far from it. Choose forward KL, Jensen-Shannon or "
            "total variation, or a target moment below 1."
        )


def _weights(num_rows: int, log_weights: ArrayLike | None) -> Floats:
    if log_weights is None:
        return np.full(num_rows, 1.0 / max(1, num_rows))
    weights: Floats = np.exp(np.asarray(log_weights, dtype=np.float64))
    return weights


def _ratio(log_ratio: Floats, weights: Floats, bound: float, groups: NDArray[np.int64] | None) -> Floats:
    """exp of a log ratio, bounded above (what is excluded stays 0), divided by its own average in each group."""
    ratio: Floats = np.exp(np.minimum(log_ratio, bound))
    if groups is None:
        return ratio
    totals, counts = np.bincount(groups, weights * ratio), np.bincount(groups, weights)
    means = np.where(totals > 0, totals / np.maximum(counts, np.finfo(float).tiny), 1.0)
    return ratio / means[groups]
