"""The goal of a tuning: prompts, an energy-based target over what is written after them, and a pool of base texts.

Knows nothing about training, features or where the pool came from; everything here is arithmetic on the pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.control.exactness import Standard, log_mean
from playground.errors import PlaygroundError

Ids = tuple[int, ...]
Describe = Callable[[Sequence[Ids], Floats], Floats]
"""Written token ids and their log a -> float64[N, J], the features of their texts; NaN where one raised."""

LogFactor = Callable[[Floats, NDArray[np.int64]], Floats]
"""float64[N, J] and int64[N], the numbers of the prompts -> float64[N]: λ_c·φ, −inf where the target excludes the text
(``Fit.log_tilt``; constants of prompts do not matter here, where each has its own Z)."""

MIN_LEARNT = 2


def unmarked(text: str) -> list[list[int]]:
    """Nobody says what the features found."""
    return []


@dataclass(frozen=True)
class Share:
    """Texts of the pool that stand for draws of the target: rows, and how often each was picked."""

    rows: NDArray[np.int64]
    counts: Floats


@dataclass(frozen=True)
class Goal:
    """P(x|c) = a(x|c) · exp(factor(φ(x), c)), with a pool of N texts x ~ q."""

    names: tuple[str, ...]
    """Of the J features."""
    prompts: tuple[Ids, ...]
    prompt_of: NDArray[np.int64]
    """int64[N]: which prompt each text of the pool follows."""
    written: tuple[Ids, ...]
    log_base: Floats
    """float64[N], nats: log a."""
    log_proposal: Floats
    """float64[N], nats: log q, what the pool was drawn from."""
    features: Floats
    """float64[N, J]."""
    log_factor: LogFactor
    describe: Describe
    labels: tuple[str, ...] = ()
    """The prompts as people know them, where there are several."""
    marks: Callable[[str], list[list[int]]] = unmarked
    """What the features found in a text, as ``TextRow.marks``."""

    def __post_init__(self) -> None:
        num_hits = int((self.log_target > -np.inf).sum())
        if num_hits < MIN_LEARNT:
            raise PlaygroundError(
                f"{num_hits} of the pool's {len(self.written):,} texts satisfy the target, and there is nothing to "
                "learn from fewer than two. Draw a larger pool, or ask for something that the model does now and then."
            )

    def label_of(self, prompt: int) -> str:
        """A prompt as people know it; empty where there is one alone."""
        return self.labels[prompt] if len(self.prompts) > 1 and self.labels else ""

    def log_potential(self, features: Floats, prompt_of: NDArray[np.int64]) -> Floats:
        """float64[N]: log P − log a; −inf where the target excludes the text, or a feature could not be had."""
        known: NDArray[np.bool_] = np.logical_not(np.isnan(features).any(axis=1))
        return np.where(known, self.log_factor(np.where(known[:, None], features, 0.0), prompt_of), -np.inf)

    @cached_property
    def log_target(self) -> Floats:
        """float64[N]: log P of the pool's texts."""
        return self.log_base + self.log_potential(self.features, self.prompt_of)

    @cached_property
    def log_z(self) -> Floats:
        """float64[C]: log Z of each prompt as the pool sees it; −inf where it saw nothing of the target."""
        ratios = self.log_target - self.log_proposal
        return np.array([log_mean(ratios[self.prompt_of == prompt]) for prompt in range(len(self.prompts))])

    @cached_property
    def weights(self) -> Floats:
        """float64[N], summing to 1: what each text of the pool stands for under the target; prompts count alike."""
        log_z = self.log_z[self.prompt_of]
        known = np.isfinite(log_z)
        with np.errstate(invalid="ignore"):
            weights = np.where(known, np.exp(self.log_target - self.log_proposal - log_z), 0.0)
        weights /= np.bincount(self.prompt_of, minlength=len(self.prompts))[self.prompt_of]
        return weights / weights.sum()

    @property
    def is_drawn_from_base(self) -> bool:
        """Whether the pool is a sample of the untouched model."""
        return bool(np.allclose(self.log_base, self.log_proposal, atol=1e-6))

    @cached_property
    def kl_from_base(self) -> float:
        """KL(p‖a), nats: what an exact policy must have moved; −log Z for a pointwise target."""
        some = self.weights > 0
        gained = self.log_target[some] - self.log_z[self.prompt_of[some]] - self.log_base[some]
        return float(self.weights[some] @ gained)

    @cached_property
    def base_weights(self) -> Floats:
        """float64[N], summing to 1: what each text of the pool stands for under the base."""
        log_weights = self.log_base - self.log_proposal
        weights: Floats = np.exp(log_weights - log_weights.max())
        return weights / weights.sum()

    @cached_property
    def moments(self) -> tuple[Floats, Floats]:
        """float64[J] twice: the features' means under the base and under the target."""
        return self.base_weights @ self.features, self.weights @ self.features

    @cached_property
    def leading(self) -> int | None:
        """The moment that has farthest to go; None where texts are excluded, and the share that is not leads."""
        if (self.log_target == -np.inf).any():
            return None
        base, target = self.moments
        return int(np.argmax(np.abs(target - base) / (self.features.std(0) + 1e-12)))

    def rate(self, allowed_share: float, moments: Sequence[float]) -> float:
        """The figure that people watch: the share of allowed texts, or the leading moment."""
        return allowed_share if self.leading is None else moments[self.leading]

    @cached_property
    def standard(self) -> Standard:
        """The base as a policy, for the alarm."""
        allowed = float(self.base_weights @ (self.log_target > -np.inf))
        base_moments, target_moments = self.moments
        target_rate = self.rate(1.0, target_moments.tolist())
        return Standard(self.rate(allowed, base_moments.tolist()), target_rate, self.kl_from_base)

    def split(self, seed: int, hold_out: float, max_held_out: int) -> tuple[Share, Share]:
        """What is learnt and what is held out, as samples of the target: each row of the pool falls to one side, and is
        then picked in proportion to its weight, as many times as the side's effective sample size."""
        generator = np.random.default_rng(seed)
        hits = generator.permutation(np.flatnonzero(self.weights > 0))
        num_held = min(max(1, round(hold_out * len(hits))), len(hits) - 1)
        held, learnt = np.sort(hits[:num_held]), np.sort(hits[num_held:])
        return (
            _resampled(learnt, self.weights[learnt], float(generator.random()), len(learnt)),
            _resampled(held, self.weights[held], float(generator.random()), max_held_out),
        )


def _resampled(rows: NDArray[np.int64], weights: Floats, offset: float, limit: int) -> Share:
    """Systematic resampling: every row as often as its weight says, rounded up or down by one offset for all."""
    weights = weights / weights.sum()
    size = min(limit, max(1, math.ceil(1.0 / float(np.square(weights).sum()) - 1e-9)))
    edges = np.floor(np.cumsum(weights) * size + offset + 1e-9)
    counts = np.diff(edges, prepend=math.floor(offset))
    return Share(rows[counts > 0], counts[counts > 0])
