"""Trace: what each stage of a chain did to one distribution, as numbers over the full vocabulary.

Knows nothing about particular samplers, text or charts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from playground.sampling.branches import Coins, mixture, outcomes, takes
from playground.sampling.candidates import Branch, Candidates, compacted
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.fold import applied
from playground.sampling.sampler import Sampler
from playground.sampling.softmax import log_softmax, softmax, total

ALIVE = -1  # in removed_by: no stage removed this token
ABSENT = -2  # in removed_by: it was -inf before the chain began
WHOLE = Branch(0, 1.0)  # a row before any coin


@dataclass(frozen=True)
class StageTrace:
    """One stage: the distribution as it leaves. Statistics ignore removed tokens."""

    name: str
    params: Mapping[str, Any]
    support: int  # tokens that are left
    entropy_bits: float
    kept_mass: float  # 0 to 1: the part of the incoming distribution that survives; in the mean over branches
    kl_bits: float  # KL(this ‖ base)
    cut: Cut
    note: str
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
    """A chain's work on one row. Of random stages its figures are those of the exact mixture."""

    base_probs: torch.Tensor  # float64[V]: what enters the chain
    base_entropy_bits: float
    stages: tuple[StageTrace, ...]
    removed_by: torch.Tensor  # int16[V]: index of the stage that removed the token, ALIVE or ABSENT
    base_scores: torch.Tensor  # float[V], nats
    branches: tuple[TraceBranch, ...] = ()  # each outcome of the coins on its own; () where no stage is random

    @property
    def probs(self) -> torch.Tensor:
        """float64[V]: the distribution the token is drawn from."""
        return self.stages[-1].probs if self.stages else self.base_probs

    @property
    def scores(self) -> torch.Tensor:
        """float[V], nats, removed = -inf: what the token is drawn from."""
        return self.stages[-1].scores if self.stages else self.base_scores

    def taken(self, coins: Coins) -> Trace:
        """The trace of the branch that these coins take, which is what the dart flies at."""
        return next((branch.trace for branch in self.branches if takes(branch.branch.picks, coins)), self)


@dataclass(frozen=True)
class TraceBranch:
    """One outcome of all coins, traced alone."""

    branch: Branch
    outcomes: tuple[tuple[int, int], ...]  # (stage, which outcome of its coin), in order
    trace: Trace


@dataclass(frozen=True)
class _Walk:
    """A trace in the making: one row, as it stands before the next stage."""

    now: Candidates
    base_log_probs: torch.Tensor
    log_probs: torch.Tensor
    probs: torch.Tensor
    support: int
    removed_by: torch.Tensor
    stages: tuple[StageTrace, ...] = ()
    branch: Branch = WHOLE
    outcomes: tuple[tuple[int, int], ...] = ()

    def step(self, sampler: Sampler, state: Any) -> _Walk:
        """The walk behind one more stage."""
        scores = applied(sampler, self.now, (state,))
        after = Candidates(scores, self.now.context)
        alive = scores > -torch.inf
        support = int(alive.sum())
        lost = _lost(self.now, alive) if support < self.support else alive.new_empty(0, dtype=torch.int64)
        kept_mass = 1.0 if lost.numel() == 0 else min(1.0, float(total(self.probs * alive)))
        removed_by = self.removed_by.clone() if lost.numel() else self.removed_by
        removed_by[lost] = len(self.stages)
        remembers = sampler.stateful and type(sampler).cut is not Sampler.cut
        cut = sampler.cut(self.probs[0], alive[0], *((state,) if remembers else ()))
        note = ""
        if type(sampler).note is not Sampler.note:  # its probabilities over all columns cost as much as a stage
            note = sampler.note(self.probs[0], softmax(after.scores)[0], self.now.context, state)
        untouched = scores is self.now.scores  # a stage that is off: what follows is known, on the columns as they are
        now = compacted(after) if sampler.kind == "truncate" and not untouched else after
        log_probs = self.log_probs if untouched else log_softmax(now.scores)
        probs = self.probs if untouched else log_probs.exp()
        stage = _stage(sampler, now, cut, note, kept_mass, support, probs, log_probs, self.base_log_probs)
        stages = (*self.stages, stage)
        return replace(
            self, now=now, log_probs=log_probs, probs=probs, support=support, removed_by=removed_by, stages=stages
        )


def trace(samplers: tuple[Sampler, ...], scores: torch.Tensor, context: Context, states: tuple[Any, ...]) -> Trace:
    """The fold that shows its work. scores float[1,V], nats; ``states`` one memory a stage."""
    base_log_probs = log_softmax(scores)
    base_probs = base_log_probs.exp()
    absent = scores[0] == -torch.inf
    removed_by = torch.where(absent, ABSENT, ALIVE).to(torch.int16)
    support = absent.numel() - int(absent.sum())
    start = _Walk(Candidates(scores, context), base_log_probs, base_log_probs, base_probs, support, removed_by)
    ends = _walk(samplers, states, start)
    base = (base_probs[0], _entropy_bits(base_probs, base_log_probs), scores[0])
    traces = [Trace(base[0], base[1], end.stages, end.removed_by, base[2]) for end in ends]
    if len(ends) == 1:
        return traces[0]
    stages = tuple(_mixed(index, sampler, ends, base_log_probs) for index, sampler in enumerate(samplers))
    branches = tuple(TraceBranch(end.branch, end.outcomes, own) for end, own in zip(ends, traces, strict=True))
    gone = torch.stack([end.removed_by for end in ends])
    removed_by = torch.where((gone == ALIVE).any(0), ALIVE, gone.amax(0)).to(torch.int16)
    return Trace(base[0], base[1], stages, removed_by, base[2], branches)


def _walk(samplers: Sequence[Sampler], states: Sequence[Any], walk: _Walk) -> list[_Walk]:
    """Every end of the walk through the stages that are left: one an outcome of the coins."""
    for index in range(len(walk.stages), len(samplers)):
        found = outcomes(index, samplers[index])
        if len(found) == 1:
            walk = walk.step(samplers[index], states[index])
            continue
        ends = []
        for number, (probability, pick, resolved) in enumerate(found):
            branch = Branch(0, walk.branch.weight * probability, (*walk.branch.picks, pick))
            side = replace(walk, branch=branch, outcomes=(*walk.outcomes, (index, number)))
            ends += _walk(samplers, states, side.step(resolved, states[index]))
        return ends
    return [walk]


def _mixed(index: int, sampler: Sampler, ends: Sequence[_Walk], base_log_probs: torch.Tensor) -> StageTrace:
    """A stage over all branches: the figures of their mixture, the geometry of the first outcome."""
    weights: dict[int, float] = {}
    stages: dict[int, StageTrace] = {}
    for end in ends:  # branches that part only later share this stage
        stage = end.stages[index]
        stages[id(stage)] = stage
        weights[id(stage)] = weights.get(id(stage), 0.0) + end.branch.weight
    parts, shares = list(stages.values()), list(weights.values())
    if len(parts) == 1:
        return parts[0]
    scores, ids = _aligned([part.candidates for part in parts])
    row, columns = mixture(shares, scores, ids)
    context = replace(parts[0].candidates.context, candidate_ids=None if columns is None else columns[None])
    now = Candidates(row[None], context)
    kept = sum(share * part.kept_mass for share, part in zip(shares, parts, strict=True))
    log_probs = log_softmax(now.scores)
    support = int((now.scores > -torch.inf).sum())
    figures = (min(1.0, kept), support, log_probs.exp(), log_probs, base_log_probs)
    return _stage(sampler, now, parts[0].cut, parts[0].note, *figures)


def _aligned(parts: Sequence[Candidates]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The rows of several candidates under each other: float[N,K], and int64[N,K], None where column = token id."""
    if any(part.context.candidate_ids is None for part in parts):
        return torch.cat([part.full() for part in parts]), None
    width = max(part.scores.shape[1] for part in parts)
    scores = parts[0].scores.new_full((len(parts), width), -torch.inf)
    ids = torch.full((len(parts), width), parts[0].context.vocabulary_size, device=scores.device)
    for row, part in enumerate(parts):
        scores[row, : part.scores.shape[1]] = part.scores[0]
        ids[row, : part.scores.shape[1]] = part.context.candidate_ids[0]  # type: ignore[index]
    return scores, ids


def _lost(now: Candidates, alive: torch.Tensor) -> torch.Tensor:
    """int64[N]: the token ids that this stage removed."""
    columns = ((now.scores > -torch.inf) & ~alive)[0].nonzero()[:, 0]
    ids = now.context.candidate_ids
    return columns if ids is None else ids[0, columns]


def _stage(
    sampler: Sampler,
    now: Candidates,
    cut: Cut,
    note: str,
    kept_mass: float,
    support: int,
    probs: torch.Tensor,
    log_probs: torch.Tensor,
    base_log_probs: torch.Tensor,
) -> StageTrace:
    """The figures of a stage that left float64[1,K] ``probs`` and their logarithms; the base's are float64[1,V]."""
    parameters = {name: value for name, value in sampler.to_json().items() if name != "sampler"}
    entropy = _entropy_bits(probs, log_probs)
    # p·log q over the support; by logarithms, so that a base probability that underflows is not an infinite distance
    kl_bits = max(0.0, -entropy - _mean_bits(probs, now.pick(base_log_probs)))
    return StageTrace(sampler.name, parameters, support, entropy, kept_mass, kl_bits, cut, note, now, probs[0])


def _entropy_bits(probs: torch.Tensor, log_probs: torch.Tensor) -> float:
    return max(0.0, -_mean_bits(probs, log_probs))  # never -0.0


def _mean_bits(probs: torch.Tensor, log_probs: torch.Tensor) -> float:
    """Σ p·log₂ q of float64[1,K] each, with 0·−∞ = 0: the logarithm of 0 becomes the lowest number there is."""
    return float(probs[0] @ log_probs[0].clamp(min=torch.finfo(torch.float64).min)) / math.log(2)
