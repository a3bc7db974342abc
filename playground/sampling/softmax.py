"""The one softmax of the package: float64, blind to removed tokens, the same for a row alone and in a batch.

Knows nothing about samplers, thresholds or tokens.
"""

from __future__ import annotations

import torch


def total(values: torch.Tensor) -> torch.Tensor:
    """float64[B,K] -> float64[B,1], summed from left to right.

    ``sum`` adds in blocks whose borders depend on K, so dropping zeros (removed tokens, padding) would change the
    last bit. A running sum does not: a compacted row and a padded row give the very number of the full row.
    """
    return values.cumsum(-1)[:, -1:]


def weights(scores: torch.Tensor) -> torch.Tensor:
    """float[B,K] scores -> float64[B,K], exp(score - maximum): the softmax before its division."""
    wide = scores.double()
    return (wide - wide.amax(-1, keepdim=True)).exp_()


def usable_rows(scores: torch.Tensor) -> torch.Tensor:
    """bool[B]: the rows of float[B,K] that can be sampled from: a finite maximum, hence no NaN and no +inf."""
    return scores.amax(-1).isfinite()


def softmax(scores: torch.Tensor) -> torch.Tensor:
    """float[B,K] scores, nats -> float64[B,K] probabilities; a removed token has 0."""
    unnormalised = weights(scores)
    return unnormalised.div_(total(unnormalised))


def log_softmax(scores: torch.Tensor) -> torch.Tensor:
    """float[B,K] scores, nats -> float64[B,K] log-probabilities, nats; a removed token has -inf."""
    wide = scores.double()
    shifted = wide - wide.amax(-1, keepdim=True)
    return shifted.sub_(total(shifted.exp()).log_())
