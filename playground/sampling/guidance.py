"""Guidance: the logits of several branches -> one base distribution, before the chain.

Knows nothing about samplers, prompts or models; its rows come from wherever they come.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache

import torch

from playground.sampling.columns import Number, column
from playground.sampling.param import Param, param
from playground.sampling.seen import within_range
from playground.sampling.softmax import log_softmax


@dataclass(frozen=True)
class Guidance:
    """How branches are mixed. Now: two branches, prompt (weight ``scale``) and negative (1 − ``scale``)."""

    scale: float = param(
        1.0, -1, 7, 0.05, label="CFG scale", help="1 is off, more stresses the prompt.", hard_low=-1000, hard_high=1000
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", self.params()["scale"].check("guidance.scale", self.scale))

    @classmethod
    @cache
    def params(cls) -> dict[str, Param]:
        """Its parameters by name, as a sampler declares them."""
        return {field.name: field.metadata["param"] for field in dataclasses.fields(cls)}

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
    scale = scale if isinstance(scale, torch.Tensor) else Guidance(scale).scale  # refuses NaN and the like
    factor = column(scale, cond) - 1.0
    off = factor == 0
    if off.all():
        return cond
    contrast = log_softmax(cond) - log_softmax(negative)
    removed = (cond == -torch.inf) | (negative == -torch.inf)
    mixed = within_range((cond.double() + factor * contrast).masked_fill_(removed, -torch.inf)).to(cond.dtype)
    return torch.where(off | removed.all(-1, keepdim=True), cond, mixed)
