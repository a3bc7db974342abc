"""The draw: counter-based uniform numbers, and the token a dart at u in [0, 1) hits on the ruler of a distribution.

Knows nothing about samplers, sequences or models.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

import torch

from playground.sampling.prefix import crossing, mass_before
from playground.sampling.softmax import log_softmax, softmax

WORD = (1 << 64) - 1


class Purpose(IntEnum):
    """What a random number is for. Each use has its own number, so that no two ever share a value."""

    DRAW = 0
    XTC = 1
    ACCEPT = 2
    """Whether quasi-rejection sampling takes a whole text; its step is 0."""
    PROMPT = 3
    """Which of several prompts the next text answers; its step is 0."""
    DRAFT = 4
    """A token of a model in training: the darts of its pool have shaped it and are none for judging it."""


def uniform(seed: int, sample: int, step: int, purpose: int = Purpose.DRAW) -> float:
    """A float in [0, 1) that depends on these four 64-bit numbers alone: not on batch-mates, devices or the past."""
    counters = b"".join((int(value) & WORD).to_bytes(8, "little") for value in (seed, sample, step, purpose))
    digest = hashlib.blake2b(counters, digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / (1 << 53)


def coin(seed: int, sample: int, step: int, purpose: Purpose, copy: int = 0) -> float:
    """The number of a random stage; its copies in one chain have numbers of their own, which no purpose uses."""
    return uniform(seed, sample, step, purpose + (copy << 16))


def draw(scores: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """float[B,K] final scores and float64[B] darts -> int64[B], the columns hit.

    The ruler lays the tokens out in descending probability, ties by column, so a change of temperature does not
    move tokens along it. No full sort: see ``prefix``.
    """
    return crossing(-scores, softmax(scores), u.to(scores.device, torch.float64)[:, None])


def log_prob(scores: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """float64[B], nats: the log-probability of int64[B] columns under float[B,K] scores."""
    return log_softmax(scores).gather(-1, token_ids[:, None])[:, 0]


def place(scores: torch.Tensor, token_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Start and width, float64[B] each, of int64[B] columns on the ruler: u hits if start ≤ u < start + width."""
    probs = softmax(scores)
    return mass_before(-scores, probs, token_ids), probs.gather(-1, token_ids[:, None])[:, 0]
