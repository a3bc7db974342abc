"""The largest scores in descending order, taken a few at a time until an answer about them is certain.

Knows nothing about samplers or what is asked; the full vocabulary is sorted only where the answer depends on all of it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

FIRST_WIDTH = 256  # tokens looked at first
GROWTH = 8
WIDE, SAMPLED = 4096, 16  # columns from which a sample pays, and one in how many it takes

Answer = tuple[torch.Tensor, torch.Tensor]  # int64[B] how many tokens to keep, bool[B] whether that is certain


def settled(scores: torch.Tensor, ask: Callable[[torch.Tensor], Answer]) -> torch.Tensor:
    """int64[B,1]: what ``ask`` says of each row, told float[B,W] of its largest scores, W growing until it is certain.

    With W = K it must be certain. A row keeps its first certain answer, so batch-mates do not change it.
    """
    num_columns = scores.shape[1]
    width = min(num_columns, FIRST_WIDTH)
    counts, known = ask(scores.topk(width, dim=-1).values)
    while width < num_columns and not bool(known.all()):
        width = min(num_columns, width * GROWTH)
        later, sure = ask(scores.topk(width, dim=-1).values)
        counts, known = torch.where(known, counts, later), known | sure
    return counts[:, None]


def largest(scores: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """bool[B,K]: the ``counts`` int64[B,1] largest of each row, at least one; among equals those with smaller columns.

    As many as there are where counts exceeds K.
    """
    counts = counts.clamp(min=1, max=scores.shape[1])
    best = scores.topk(int(counts.max()), dim=-1).values
    edge = best.gather(-1, (counts - 1).expand(scores.shape[0], 1))
    above, tied = scores > edge, scores == edge
    room = counts - above.sum(-1, keepdim=True)
    if bool((tied.sum(-1, keepdim=True) <= room).all()):
        return above | tied
    return above | (tied & (tied.cumsum(-1) <= room))


def kth_largest(scores: torch.Tensor, rank: int) -> torch.Tensor:
    """float[B,K] -> float[B,1]: the value at a rank, 1 being the largest; ``rank`` ≤ K.

    One row on a CPU: every 16th score suggests a floor, and where enough scores lie above it the rest is not sorted.
    """
    num_columns = scores.shape[1]
    if not scores.is_cuda and len(scores) == 1 and num_columns >= WIDE and rank * SAMPLED < num_columns:
        floor = scores[:, ::SAMPLED].topk(2 * (rank // SAMPLED) + 8, dim=-1, sorted=False).values.amin()
        row = scores.numpy()[0]
        above = row[row > float(floor)]
        if len(above) >= rank:
            return torch.from_numpy(above).topk(rank).values[None, -1:]
    return scores.topk(rank, dim=-1).values[:, -1:]
