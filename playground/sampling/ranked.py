"""The largest scores in descending order, taken a few at a time until an answer about them is certain.

Knows nothing about samplers or what is asked; the full vocabulary is sorted only where the answer depends on all of it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

FIRST_WIDTH = 256  # tokens looked at first
GROWTH = 8

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
