"""Thresholds on a probability: the comparison, and the token that stays whatever it has.

Knows nothing about where a threshold comes from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.softmax import total


@dataclass(frozen=True)
class Masses:
    """Rows of scores as their samplers sum them; a removed token has no part in anything."""

    best: torch.Tensor  # float64[B,1], nats
    below: torch.Tensor  # float64[B,K], each score less the best, nats
    weights: torch.Tensor  # float64[B,K], e to that
    whole: torch.Tensor  # float64[B,1], their sum

    @classmethod
    def of(cls, scores: torch.Tensor) -> Masses:
        """Of float[B,K] scores, nats."""
        best = scores.amax(-1, keepdim=True).double()
        below = scores.double() - best
        weights = below.exp()
        return cls(best, below, weights, total(weights))

    @property
    def level(self) -> torch.Tensor:
        """float64[B,1]: the score a token of probability 1 would have, ln Σ e^ℓ."""
        return self.best + self.whole.log()

    @property
    def entropy_nats(self) -> torch.Tensor:
        """float64[B,1]: −Σ p ln p, by ln Σ w − Σ w ln w / Σ w: no logarithm for each token."""
        parts = torch.where(self.weights > 0, self.weights * self.below, 0.0)
        return (self.whole.log() - total(parts) / self.whole).clamp(min=0.0)

    @property
    def collision(self) -> torch.Tensor:
        """float64[B,1]: Σp², the probability that two draws are the same token."""
        return total(self.weights * self.weights) / self.whole**2


def at_least(scores: torch.Tensor, masses: Masses, log_threshold: torch.Tensor) -> torch.Tensor:
    """float[B,K] without the tokens less likely than e^float64[B,1]; the likeliest token and its equals stay.

    Compared exactly, as scores and in their own precision: of thresholds that are a token's probability on paper
    that finds more than comparing probabilities, and far more than float64, which would compare the logits' rounding.
    """
    edge = (masses.level + log_threshold).to(scores.dtype)
    return scores.masked_fill((scores < edge) & (scores < masses.best), -torch.inf)
