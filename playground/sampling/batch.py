"""BatchPlan: many users' chains run together, rows that fit one sequence of stages in one pass.

Knows nothing about particular samplers, requests or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from playground.sampling.chain import Chain, History, States
from playground.sampling.context import Context
from playground.sampling.fold import Candidates, fold


@dataclass(frozen=True)
class BatchPlan:
    """Thin first version: one group for each distinct chain."""

    chains: tuple[Chain, ...]

    def apply(
        self,
        scores: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
    ) -> torch.Tensor:
        context = Context.of(scores, token_ids, prompt_length)
        states = [chain.start() for chain in self.chains] if state is None else state
        out = torch.empty_like(scores)
        for chain in dict.fromkeys(self.chains):
            rows = [row for row, other in enumerate(self.chains) if other == chain]
            now = Candidates(scores[rows], context.at(rows))
            out[rows] = fold(chain.samplers, now, [states[row] for row in rows]).full()
        return out


@lru_cache(maxsize=256)
def stack(chains: tuple[Chain, ...]) -> BatchPlan:
    """The plan of a batch, one chain a row."""
    return BatchPlan(chains)
