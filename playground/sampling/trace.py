"""Trace: what each stage of a chain did to one distribution, as numbers over the full vocabulary.

Knows nothing about particular samplers, text or charts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.fold import Candidates, applied, compacted
from playground.sampling.sampler import Sampler
from playground.sampling.softmax import log_softmax, total

ALIVE = -1  # in removed_by: no stage removed this token
ABSENT = -2  # in removed_by: it was -inf before the chain began


@dataclass(frozen=True)
class StageTrace:
    """One stage: the distribution as it leaves. Statistics ignore removed tokens."""

    name: str
    params: Mapping[str, Any]
    support: int  # tokens that are left
    entropy_bits: float
    kept_mass: float  # 0 to 1: the part of the incoming distribution that survives
    kl_bits: float  # KL(this ‖ base)
    cut: Cut
    candidates: Candidates  # one row, perhaps compacted
    candidate_probs: torch.Tensor  # float64[K]

    @property
    def effective_choices(self) -> float:
        return 2.0**self.entropy_bits

    @property
    def probs(self) -> torch.Tensor:
        """float64[V] as the stage leaves them, summing to 1."""
        return self.candidates.spread(self.candidate_probs[None], 0.0)[0]

    @property
    def scores(self) -> torch.Tensor:
        """float[V], nats, removed = -inf."""
        return self.candidates.full()[0]


@dataclass(frozen=True)
class Trace:
    """A chain's work on one row."""

    base_probs: torch.Tensor  # float64[V]: what enters the chain
    base_entropy_bits: float
    stages: tuple[StageTrace, ...]
    removed_by: torch.Tensor  # int16[V]: index of the stage that removed the token, ALIVE or ABSENT
    base_scores: torch.Tensor  # float[V], nats

    @property
    def probs(self) -> torch.Tensor:
        """float64[V]: the distribution the token is drawn from."""
        return self.stages[-1].probs if self.stages else self.base_probs

    @property
    def scores(self) -> torch.Tensor:
        """float[V], nats, removed = -inf: what the token is drawn from."""
        return self.stages[-1].scores if self.stages else self.base_scores


def trace(samplers: tuple[Sampler, ...], scores: torch.Tensor, context: Context, states: tuple[Any, ...]) -> Trace:
    """The fold that shows its work. scores float[1,V], nats; ``states`` one memory a stage."""
    now = Candidates(scores, context)
    log_probs = base_log_probs = log_softmax(scores)
    probs = base_probs = log_probs.exp()
    base_removed = scores[0] == -torch.inf
    removed_by = torch.where(base_removed, ABSENT, ALIVE).to(torch.int16)
    stages = []
    for index, sampler in enumerate(samplers):
        after = Candidates(applied(sampler, now, (states[index],)), now.context)
        alive = after.scores > -torch.inf
        kept_mass = 1.0 if (lost := _lost(now, alive)).numel() == 0 else min(1.0, float(total(probs * alive)))
        removed_by[lost] = index
        cut = sampler.cut(probs[0], alive[0])
        now = compacted(after) if sampler.kind == "truncate" else after
        log_probs = log_softmax(now.scores)
        probs = log_probs.exp()
        base = now.pick(base_log_probs)
        stages.append(_stage(sampler, now, cut, kept_mass, probs, log_probs, base))
    return Trace(base_probs[0], _entropy_bits(base_probs, base_log_probs), tuple(stages), removed_by, scores[0])


def _lost(now: Candidates, alive: torch.Tensor) -> torch.Tensor:
    """int64[N]: the token ids that this stage removed."""
    columns = ((now.scores > -torch.inf) & ~alive)[0].nonzero()[:, 0]
    ids = now.context.candidate_ids
    return columns if ids is None else ids[0, columns]


def _stage(
    sampler: Sampler,
    now: Candidates,
    cut: Cut,
    kept_mass: float,
    probs: torch.Tensor,
    log_probs: torch.Tensor,
    base_log_probs: torch.Tensor,
) -> StageTrace:
    parameters = {name: value for name, value in sampler.to_json().items() if name != "sampler"}
    support = int((now.scores > -torch.inf).sum())
    entropy = _entropy_bits(probs, log_probs)
    # p·log q over the support; by logarithms, so that a base probability that underflows is not an infinite distance
    cross = float(torch.where(probs > 0, probs * base_log_probs, 0.0).sum()) / math.log(2)
    kl_bits = max(0.0, -entropy - cross)
    return StageTrace(sampler.name, parameters, support, entropy, kept_mass, kl_bits, cut, now, probs[0])


def _entropy_bits(probs: torch.Tensor, log_probs: torch.Tensor) -> float:
    return max(0.0, -float(torch.where(probs > 0, probs * log_probs, 0.0).sum()) / math.log(2))  # never -0.0
