"""Candidates: scores with the tokens their columns are, and which rows are outcomes of one row's coins.

Knows nothing about samplers or users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from playground.sampling.context import Context

SHRINK = 4  # survivors are gathered when fewer than 1/SHRINK of the columns: gathering costs about a stage
SMALLEST = 256  # columns below which gathering gains nothing


class Pick(NamedTuple):
    """What a random stage's coin, a number in [0, 1), must be for a branch to be the one taken."""

    stage: int  # its index among the stages that were folded
    low: float
    high: float


class Branch(NamedTuple):
    """One outcome of all coins of a row."""

    origin: int  # the row it belongs to
    weight: float  # its probability
    picks: tuple[Pick, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """Scores float[B,K], nats, with the context that says which tokens the columns are."""

    scores: torch.Tensor
    context: Context
    branches: tuple[Branch, ...] | None = None  # one a row, in order of their origins; None: no row has branched

    def pick(self, values: torch.Tensor) -> torch.Tensor:
        """float[B,V] -> float[B,K], the values of the candidates."""
        ids = self.context.candidate_ids
        return values if ids is None else values.gather(-1, ids.clamp(max=self.context.vocabulary_size - 1))

    def spread(self, values: torch.Tensor, elsewhere: float) -> torch.Tensor:
        """float[B,K] -> float[B,V], ``elsewhere`` for every other token."""
        ids = self.context.candidate_ids
        if ids is None:
            return values
        full = values.new_full((values.shape[0], self.context.vocabulary_size), elsewhere)
        rows, columns = (ids < self.context.vocabulary_size).nonzero(as_tuple=True)  # the rest is padding
        full[rows, ids[rows, columns]] = values[rows, columns]
        return full

    def full(self) -> torch.Tensor:
        """float[B,V] scores, removed = -inf."""
        return self.spread(self.scores, -torch.inf)

    def columns(self, token_ids: torch.Tensor) -> torch.Tensor:
        """int64[B] token ids, each a candidate of its row -> int64[B] columns."""
        ids = self.context.candidate_ids
        if ids is None:
            return token_ids
        return torch.searchsorted(ids, token_ids[:, None])[:, 0].clamp(max=ids.shape[1] - 1)

    def token_ids(self, columns: torch.Tensor) -> torch.Tensor:
        """int64[B] columns -> int64[B] token ids."""
        ids = self.context.candidate_ids
        return columns if ids is None else ids.gather(-1, columns[:, None])[:, 0]


def compacted(now: Candidates) -> Candidates:
    """The same distribution on fewer columns, if that is worth it. Order of token ids is kept, so ties are too.

    Not on CUDA, where it would make the host wait and a pass over the vocabulary costs next to nothing.
    """
    num_rows, num_columns = now.scores.shape
    if now.scores.is_cuda or num_columns < SMALLEST:
        return now
    alive = now.scores > -torch.inf
    num_alive = alive.sum(-1, dtype=torch.int32).long()
    width = max(1, int(num_alive.max()))  # 1 for rows of NaN, which must not stop their batch-mates
    if width * SHRINK > num_columns:
        return now
    # Row by row, columns ascending. NumPy finds few trues among many five times faster than torch.
    flat = torch.from_numpy(alive.numpy().ravel().nonzero()[0])
    rows, columns = flat // num_columns, flat % num_columns
    places = torch.arange(rows.numel()) - (num_alive.cumsum(0) - num_alive)[rows]
    scores = now.scores.new_full((num_rows, width), -torch.inf)
    scores[rows, places] = now.scores[rows, columns]
    ids = torch.full((num_rows, width), now.context.vocabulary_size)
    old = now.context.candidate_ids
    ids[rows, places] = columns if old is None else old[rows, columns]
    return replace(now, scores=scores, context=now.context.among(ids))
