"""Candidates: scores with the tokens their columns are, and which rows are outcomes of one row's coins.

Knows nothing about samplers or users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from playground.sampling.columns import Number
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
        return self.written(values.new_empty((values.shape[0], self.context.vocabulary_size)), values, elsewhere)

    def written(self, full: torch.Tensor, values: torch.Tensor, elsewhere: float) -> torch.Tensor:
        """``spread`` into float[B,V] that is there already."""
        ids = self.context.candidate_ids
        if ids is None:
            return full.copy_(values)
        padding = ids >= self.context.vocabulary_size
        if bool(padding.any()):  # it says once more what the first column says, so that no other token is touched
            first = torch.where(padding[:, :1], elsewhere, values[:, :1])
            values = torch.where(padding, first, values)
            ids = torch.where(padding, ids[:, :1], ids).clamp(max=self.context.vocabulary_size - 1)
        return full.fill_(elsewhere).scatter_(-1, ids, values)

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
    if now.scores.is_cuda or now.scores.shape[1] < SMALLEST:
        return now
    return above(now, -math.inf)


def above(now: Candidates, floor: Number) -> Candidates:
    """The columns with scores above a number or float[B,1], if they are few; else all, as they were. CPU only.

    NumPy compares five times faster than torch, and finds few among many as much faster.
    """
    num_rows, num_columns = now.scores.shape
    edge = floor.numpy() if isinstance(floor, torch.Tensor) else floor
    flat = torch.from_numpy((now.scores.numpy() > edge).ravel().nonzero()[0])  # row by row, columns ascending
    if flat.numel() * SHRINK > num_rows * num_columns:
        return now
    old = now.context.candidate_ids
    if num_rows == 1 and flat.numel():
        ids = flat[None] if old is None else old[:, flat]
        return replace(now, scores=now.scores[:, flat], context=now.context.among(ids))
    rows = flat // num_columns
    counts = torch.bincount(rows, minlength=num_rows)
    width = max(1, int(counts.max()))  # 1 for rows of NaN, which must not stop their batch-mates
    if width * SHRINK > num_columns:
        return now
    places = torch.arange(flat.numel()) + (torch.arange(num_rows) * width - counts.cumsum(0) + counts)[rows]
    scores = now.scores.new_full((num_rows, width), -torch.inf)
    scores.view(-1)[places] = now.scores.reshape(-1)[flat]
    ids = torch.full((num_rows, width), now.context.vocabulary_size)
    ids.view(-1)[places] = flat - rows * num_columns if old is None else old.reshape(-1)[flat]
    return replace(now, scores=scores, context=now.context.among(ids))
