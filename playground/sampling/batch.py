"""BatchPlan: many users' chains run together, rows whose stages fit one common sequence in one pass.

Knows nothing about particular samplers, requests or models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.sampling.chain import Chain, History, States
from playground.sampling.columns import stacked
from playground.sampling.context import Context
from playground.sampling.draw import draw, log_prob
from playground.sampling.fold import Candidates, fold
from playground.sampling.sampler import Sampler
from playground.sampling.sequences import Stages, common_sequence, numbered


@dataclass(frozen=True)
class Group:
    """Rows that share one pass: its samplers hold columns where the rows' settings differ."""

    rows: tuple[int, ...]
    samplers: tuple[Sampler, ...]
    places: tuple[tuple[int | None, ...], ...]  # a row's own index of each stage of the pass, None: it lacks that one

    def states(self, state: States) -> list[list[Any]]:
        """The memories of each row in the order of the pass."""
        fresh = [sampler.start() for sampler in self.samplers]
        return [
            [fresh[stage] if place is None else state[row][place] for stage, place in enumerate(places)]
            for row, places in zip(self.rows, self.places, strict=True)
        ]


@dataclass(frozen=True)
class BatchPlan:
    """How a batch of chains is run, one chain a row. Made by ``stack``; results equal those of each row alone."""

    chains: tuple[Chain, ...]
    groups: tuple[Group, ...]

    def apply(
        self,
        scores: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
    ) -> torch.Tensor:
        """float[B,V] scores, nats -> float[B,V], removed = -inf; arguments as in ``Chain.apply``."""
        out = torch.empty_like(scores)
        for group, now in self._passes(scores, token_ids, prompt_length, state):
            if len(self.groups) == 1:
                return now.full()
            out[list(group.rows)] = now.full()
        return out

    def draw(
        self,
        scores: torch.Tensor,
        u: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``apply``, then one dart a row, float64[B] -> token ids int64[B] and their log-probabilities float64[B], nats.

        The same tokens as ``draw(apply(...), u)``, without spreading the survivors over the vocabulary again.
        """
        drawn = torch.empty(len(self.chains), dtype=torch.int64, device=scores.device)
        log_probs = torch.empty(len(self.chains), dtype=torch.float64, device=scores.device)
        for group, now in self._passes(scores, token_ids, prompt_length, state):
            rows = list(group.rows)
            columns = draw(now.scores, u[rows])
            drawn[rows], log_probs[rows] = now.token_ids(columns), log_prob(now.scores, columns)
        return drawn, log_probs

    def _passes(
        self, scores: torch.Tensor, token_ids: History, prompt_length: int | Sequence[int], state: States | None
    ) -> Iterator[tuple[Group, Candidates]]:
        if scores.shape[0] != len(self.chains):
            raise PlaygroundError(f"This plan is for {len(self.chains)} rows; scores has {scores.shape[0]}.")
        scores = scores if scores.dtype == torch.float64 else scores.float()
        context = Context.of(scores, token_ids, prompt_length)
        states = [chain.start() for chain in self.chains] if state is None else state
        for group in self.groups:
            if len(self.groups) == 1:
                now = Candidates(scores, context)
            else:
                now = Candidates(scores[list(group.rows)], context.at(group.rows))
            yield group, fold(group.samplers, now, group.states(states))


@lru_cache(maxsize=512)
def stack(chains: tuple[Chain, ...]) -> BatchPlan:
    """The plan of a batch, one chain a row; kept, since the same users usually return in the next step."""
    pools: list[tuple[Stages, list[int]]] = []  # a common sequence, and the rows that follow it
    for row, chain in enumerate(chains):
        stages = numbered(chain.samplers)
        for number, (common, rows) in enumerate(pools):
            if (merged := common_sequence(common, stages)) is not None:
                pools[number] = (merged, [*rows, row])
                break
        else:
            pools.append((stages, [row]))
    return BatchPlan(chains, tuple(_group(chains, common, rows) for common, rows in pools))


def _group(chains: Sequence[Chain], common: Stages, rows: Sequence[int]) -> Group:
    own = [numbered(chains[row].samplers) for row in rows]
    places = tuple(tuple(stages[key].place if key in stages else None for key in common) for stages in own)
    samplers = tuple(_merged([stages[key].sampler if key in stages else None for stages in own]) for key in common)
    return Group(tuple(rows), samplers, places)


def _merged(samplers: Sequence[Sampler | None]) -> Sampler:
    """One sampler for several rows: a column for each parameter in which they differ, off for rows that lack it."""
    kind = next(type(sampler) for sampler in samplers if sampler is not None)
    settings = [kind(**(kind.off or {})) if sampler is None else sampler for sampler in samplers]
    merged = object.__new__(kind)  # not through __init__: it would check columns as if they were numbers
    for name in kind.params():
        object.__setattr__(merged, name, stacked([getattr(setting, name) for setting in settings]))
    return merged
