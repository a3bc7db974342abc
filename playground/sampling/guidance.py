"""Guidance: the logits of several branches -> one base distribution, before the chain.

Knows nothing about samplers, prompts or models; its rows come from wherever they come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from playground.errors import PlaygroundError
from playground.sampling.columns import Number, column
from playground.sampling.param import shortened
from playground.sampling.seen import within_range
from playground.sampling.softmax import log_softmax

HARD_LIMIT = 1000.0  # the largest |scale| that is legal; the page's slider covers -1 to 7


@dataclass(frozen=True)
class Guidance:
    """How branches are mixed. Now: two branches, prompt (weight ``scale``) and negative (1 − ``scale``)."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        scale = self.scale
        legal = isinstance(scale, int | float) and not isinstance(scale, bool) and math.isfinite(scale)
        if not legal or abs(scale) > HARD_LIMIT:
            raise PlaygroundError(
                f"scale must be a number from {-HARD_LIMIT:g} to {HARD_LIMIT:g} (1 is off); got {shortened(scale)}."
            )
        object.__setattr__(self, "scale", float(scale))

    @property
    def is_off(self) -> bool:
        """Whether the second branch is not needed at all."""
        return self.scale == 1.0

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each branch, prompt first; they sum to 1."""
        return (self.scale, 1.0 - self.scale)

    def apply(self, cond: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
        """float[B,V] of each branch, nats -> the guided float[B,V]."""
        return guide(cond, negative, self.scale)


def guide(cond: torch.Tensor, negative: torch.Tensor, scale: Number) -> torch.Tensor:
    """Classifier-free guidance: cond + (scale − 1)·(log_softmax(cond) − log_softmax(negative)), float[B,V], nats.

    ``scale`` is a number or a column float64[B,1]. Rows at scale 1 are ``cond`` bit for bit, and the scores stay on
    the scale of the prompt's raw logits, so a later repetition penalty has the same strength at every scale.
    A token that either branch removed (-inf) is removed, unless that would leave the row empty; scale 1 asks
    nothing of the negative branch. (Past scale 1 a token that is impossible under the negative would score +inf.)
    """
    factor = column(scale, cond) - 1.0
    off = factor == 0
    if off.all():
        return cond
    contrast = log_softmax(cond) - log_softmax(negative)
    removed = (cond == -torch.inf) | (negative == -torch.inf)
    mixed = within_range((cond.double() + factor * contrast).masked_fill_(removed, -torch.inf)).to(cond.dtype)
    return torch.where(off | removed.all(-1, keepdim=True), cond, mixed)
