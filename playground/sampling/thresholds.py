"""Thresholds on a probability: the comparison, and the token that stays whatever it has.

Knows nothing about where a threshold comes from.
"""

from __future__ import annotations

import torch

from playground.sampling.softmax import total


def at_least(scores: torch.Tensor, probs: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """float[B,K] scores without the tokens below ``threshold`` float64[B,1]; the likeliest token and its equals stay.

    probs float64[B,K]. Compared exactly, in the scores' own precision: a probability that equals the threshold on
    paper then equals it here more often than not, while float64 would compare the rounding of the logits.
    """
    low = probs.to(scores.dtype) < threshold.to(scores.dtype)
    return scores.masked_fill(low & (scores < scores.amax(-1, keepdim=True)), -torch.inf)


def collision(probs: torch.Tensor) -> torch.Tensor:
    """float64[B,1]: Σp², the probability that two draws are the same token."""
    return total(probs * probs)


def entropy_nats(probs: torch.Tensor) -> torch.Tensor:
    """float64[B,1]: −Σ p ln p, nats, with 0·ln 0 = 0."""
    return total(torch.special.entr(probs))
