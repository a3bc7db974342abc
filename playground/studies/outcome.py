"""Outcome: what one chain makes of one row, and how two of them differ; each chain is run once, whoever asks.

Knows nothing about engines, views or words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from playground.sampling import Chain, Sampler, draw
from playground.studies.recall import Recall, state_at

SAME = 1e-6
"""Total variation distance: what float32 arithmetic in another order may change."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """The survivors among a vocabulary of ``size`` tokens, by ascending token id, with their probabilities."""

    size: int
    token_ids: NDArray[np.int64]
    probs: NDArray[np.float64]

    @property
    def support(self) -> int:
        return len(self.token_ids)

    @cached_property
    def entropy_bits(self) -> float:
        p = self.probs[self.probs > 0]
        return max(0.0, -float(p @ np.log2(p)))

    def p(self, token_id: int) -> float:
        """0 where the token is gone."""
        at = int(np.searchsorted(self.token_ids, token_id))
        return float(self.probs[at]) if at < self.support and self.token_ids[at] == token_id else 0.0

    def largest(self, count: int) -> list[int]:
        """Up to ``count`` token ids by descending probability, ties by id; no full sort."""
        values, ids = self.probs, self.token_ids
        if len(ids) > count:
            kept = np.flatnonzero(values >= np.partition(values, -count)[-count])
            values, ids = values[kept], ids[kept]
        return ids[np.argsort(-values, kind="stable")][:count].tolist()

    def hit(self, u: float) -> int:
        """The token that a dart at u in [0, 1) hits: the ruler of ``draw``, on the survivors."""
        scores = torch.from_numpy(self.probs).log()[None]
        return int(self.token_ids[int(draw.draw(scores, torch.tensor([u], dtype=torch.float64))[0])])

    def outside(self, other: Outcome) -> Outcome:
        """The survivors that the other one has removed."""
        if self is other or other.support == self.size:
            return Outcome(self.size, self.token_ids[:0], self.probs[:0])
        gone = np.ones(self.size, bool)
        gone[other.token_ids] = False
        places = np.flatnonzero(gone[self.token_ids])
        return Outcome(self.size, self.token_ids[places], self.probs[places])


def tvd(one: Outcome, other: Outcome) -> float:
    """Total variation distance, 0 to 1."""
    if one is other:
        return 0.0
    difference = np.zeros(one.size)
    difference[one.token_ids] = one.probs
    difference[other.token_ids] -= other.probs
    return float(np.abs(difference).sum() / 2)


def same(one: Outcome, other: Outcome) -> bool:
    """The same tokens with the same probabilities."""
    return one is other or (np.array_equal(one.token_ids, other.token_ids) and tvd(one, other) < SAME)


@dataclass
class Runs:
    """Chains run on one row: float32[V] scores after the int64[T] history, with the memories recorded there."""

    scores: torch.Tensor
    token_ids: torch.Tensor
    prompt_length: int
    recall: Recall | None = None
    _done: dict[tuple[Sampler, ...], Outcome] = field(default_factory=dict)

    def __call__(self, samplers: Iterable[Sampler]) -> Outcome:
        key = tuple(samplers)
        if key not in self._done:
            self._done[key] = self._run(Chain(key))
        return self._done[key]

    def _run(self, chain: Chain) -> Outcome:
        state = [state_at(self.recall, chain)]
        left = chain.candidates(self.scores[None], [self.token_ids], self.prompt_length, state)
        alive = (left.scores[0] > -torch.inf).nonzero()[:, 0]
        probs = torch.softmax(left.scores[0, alive].double(), -1)
        ids = left.context.candidate_ids
        return Outcome(len(self.scores), (alive if ids is None else ids[0, alive]).numpy(), probs.numpy())
