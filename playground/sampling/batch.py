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
from playground.sampling.branches import Coins, mixed, taken
from playground.sampling.candidates import Candidates
from playground.sampling.chain import Chain, History, States
from playground.sampling.context import Context
from playground.sampling.draw import draw, log_prob
from playground.sampling.fold import fold
from playground.sampling.sampler import Sampler
from playground.sampling.sequences import Stages, common_sequence, numbered
from playground.sampling.stacking import merged

BLOCK = 400_000  # cells of one pass on a CPU: more no longer fit into its cache, which costs up to twice the time


@dataclass(frozen=True)
class Group:
    """Rows that share one pass: its samplers hold columns where the rows' settings differ."""

    rows: tuple[int, ...]
    samplers: tuple[Sampler, ...]
    places: tuple[tuple[int | None, ...], ...]  # a row's own index of each stage of the pass, None: it lacks that one

    @property
    def block(self) -> slice | None:
        """The rows as a slice, where they are neighbours in order: it is read and written without a copy."""
        first, last = self.rows[0], self.rows[-1] + 1  # rows ascend
        return slice(first, last) if last - first == len(self.rows) else None

    def coins(self, coins: Sequence[Coins] | None) -> list[Coins] | None:
        """The coins of each row in the order of the pass."""
        if coins is None:
            return None
        return [
            tuple(None if place is None or not coins[row] else coins[row][place] for place in places)
            for row, places in zip(self.rows, self.places, strict=True)
        ]

    def states(self, state: States) -> list[list[Any]]:
        """The memories of each row in the order of the pass."""
        # Of a row that lacks a stage it is that of the stage switched off; this one may hold columns.
        fresh = [type(one)(**(one.off or {})).start() if one.stateful else None for one in self.samplers]
        return [
            [fresh[stage] if place is None else state[row][place] for stage, place in enumerate(places)]
            for row, places in zip(self.rows, self.places, strict=True)
        ]


@dataclass(frozen=True)
class BatchPlan:
    """How a batch of chains is run, one chain a row. Made by ``stack``; results equal those of each row alone."""

    chains: tuple[Chain, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The passes, were memory no matter: as few as the orders of the chains allow."""
        return groups(self.chains, len(self.chains))

    def apply(
        self,
        scores: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
    ) -> torch.Tensor:
        """float[B,V] scores, nats -> float[B,V], removed = -inf; arguments as in ``Chain.apply``.

        Unlike there, a row with NaN or without tokens raises nothing, as it would end its batch-mates too: ask
        ``usable_rows`` first.
        """
        out = torch.empty_like(scores, dtype=torch.promote_types(scores.dtype, torch.float32))
        for group, now in self.passes(scores, token_ids, prompt_length, state):
            left = mixed(now)
            if group.block is None:
                out[list(group.rows)] = left.full()
            else:
                left.written(out[group.block], left.scores, -torch.inf)
        return out

    def draw(
        self,
        scores: torch.Tensor,
        u: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
        coins: Sequence[Coins] | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """``apply``, then one dart a row, float64[B] -> token ids int64[B], log-probabilities float64[B], nats.

        The same tokens as ``draw(apply(...), u)``, without spreading the survivors over the vocabulary again. With
        ``coins`` (``Chain.coins`` of each row) the dart flies at the branch they take; the log-probability is that
        of the mixture either way.
        """
        drawn = torch.empty(len(self.chains), dtype=torch.int64, device=scores.device)
        log_probs = torch.empty(len(self.chains), dtype=torch.float64, device=scores.device)
        for group, now in self.passes(scores, token_ids, prompt_length, state):
            rows = list(group.rows)
            aimed, proposal = aims(group, now, coins)
            hit = aimed.token_ids(draw(aimed.scores, u[rows]))
            drawn[rows], log_probs[rows] = hit, log_prob(proposal.scores, proposal.columns(hit))
        return drawn, log_probs

    def passes(
        self, scores: torch.Tensor, token_ids: History, prompt_length: int | Sequence[int], state: States | None
    ) -> Iterator[tuple[Group, Candidates]]:
        """Each group of rows that share a sequence of stages, with what those stages leave of float[B,V] ``scores``."""
        if scores.shape[0] != len(self.chains):
            raise PlaygroundError(f"This plan is for {len(self.chains)} rows; scores has {scores.shape[0]}.")
        scores = scores if scores.dtype == torch.float64 else scores.float()
        context = Context.of(scores, token_ids, prompt_length)
        states = [chain.start() for chain in self.chains] if state is None else state
        rows_at_once = len(self.chains) if scores.is_cuda else max(1, BLOCK // scores.shape[1])
        for group in groups(self.chains, rows_at_once):
            own = scores[list(group.rows) if group.block is None else group.block]
            now = Candidates(own, context if len(group.rows) == len(scores) else context.at(group.rows))
            yield group, fold(group.samplers, now, group.states(states))


def aims(group: Group, left: Candidates, coins: Sequence[Coins] | None) -> tuple[Candidates, Candidates]:
    """What the darts of a pass fly at, and the proposal: the mixture of all branches, what a token's chance really is.

    Without random stages, or without coins, both are the same.
    """
    proposal = mixed(left)
    own = group.coins(coins)
    return (proposal if own is None else taken(left, own)), proposal


def stack(chains: Sequence[Chain]) -> BatchPlan:
    """The plan of a batch, one chain a row. What it works out is kept: the same users return in the next step."""
    return BatchPlan(tuple(chains))


@lru_cache(maxsize=64)
def groups(chains: tuple[Chain, ...], rows_at_once: int) -> tuple[Group, ...]:
    """The rows shared out into passes of at most ``rows_at_once`` rows."""
    passes = []
    for common, rows in _pools(chains):
        passes += [_group(chains, common, rows[at : at + rows_at_once]) for at in range(0, len(rows), rows_at_once)]
    return tuple(passes)


def _pools(chains: Sequence[Chain]) -> list[tuple[Stages, list[int]]]:
    """Common sequences of stages, and the rows that follow each; a row joins the first that it fits."""
    pools: list[tuple[Stages, list[int]]] = []
    for row, chain in enumerate(chains):
        stages = numbered(chain.samplers)
        for number, (common, rows) in enumerate(pools):
            if (merged := common_sequence(common, stages)) is not None:
                pools[number] = (merged, [*rows, row])
                break
        else:
            pools.append((stages, [row]))
    return pools


def _group(chains: Sequence[Chain], common: Stages, rows: Sequence[int]) -> Group:
    """One pass. A stage that only rows of another pass have is left out."""
    own = [numbered(chains[row].samplers) for row in rows]
    common = {key: stage for key, stage in common.items() if any(key in stages for stages in own)}
    places = tuple(tuple(stages[key].place if key in stages else None for key in common) for stages in own)
    samplers = tuple(merged([stages[key].sampler if key in stages else None for stages in own]) for key in common)
    return Group(tuple(rows), samplers, places)
