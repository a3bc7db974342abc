"""Measures of one distribution or of two: one definition each, float64, over the last dimension.

Knows nothing about samplers, charts or text.
"""

from __future__ import annotations

import math

import torch


def entropy_bits(probs: torch.Tensor) -> torch.Tensor:
    """float64[...,V] probabilities -> float64[...], bits. 0·log 0 is 0."""
    return torch.special.entr(probs.double()).sum(-1) / math.log(2)


def effective_choices(probs: torch.Tensor) -> torch.Tensor:
    """2 to the entropy: the number of equally likely tokens that would be as uncertain."""
    return torch.exp2(entropy_bits(probs))


def kl_bits(probs: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """KL(probs ‖ base), bits: infinite where ``probs`` has mass that ``base`` has not."""
    probs, base = probs.double(), base.double()
    terms = torch.where(probs > 0, probs * (probs.log() - base.log()), 0.0)
    return terms.sum(-1).clamp(min=0.0) / math.log(2)


def js_bits(probs: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Jensen-Shannon divergence, bits: 0 where both agree, 1 where they share no token."""
    probs, other = probs.double(), other.double()
    apart = entropy_bits((probs + other) / 2) - (entropy_bits(probs) + entropy_bits(other)) / 2
    return apart.clamp(0.0, 1.0)


def tvd(probs: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Total variation distance, 0 to 1: the largest difference in probability that any event can have."""
    return (probs.double() - other.double()).abs().sum(-1) / 2


def surprisal_bits(prob: torch.Tensor | float) -> torch.Tensor:
    """−log2 of a probability, bits: how surprised the model is to see what it gave that probability."""
    return -torch.log2(torch.as_tensor(prob, dtype=torch.float64))
