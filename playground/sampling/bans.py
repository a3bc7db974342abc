"""Bans: removing particular tokens from rows of scores, and what happens where that would leave none.

Knows nothing about why a token is banned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from playground.sampling.context import Context


def banned(scores: torch.Tensor, context: Context, token_ids: Sequence[torch.Tensor]) -> torch.Tensor:
    """float[B,K] and int64[N_i] a row -> float[B,K] without them; where nothing would be left, the likeliest stays."""
    if not any(ids.numel() for ids in token_ids):
        return scores
    rows = torch.cat([torch.full_like(ids, row) for row, ids in enumerate(token_ids)])
    rows, columns, _ = context.locate(rows, torch.cat(list(token_ids)), scores.device)
    left = scores.clone()
    left[rows, columns] = -torch.inf
    empty = left.amax(-1, keepdim=True) == -torch.inf
    if bool(empty.any()):
        first = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, scores.argmax(-1, keepdim=True), True)
        left = torch.where(empty & first, scores, left)
    return left
