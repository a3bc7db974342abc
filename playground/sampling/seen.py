"""What the three penalties share: new scores for the tokens already seen, row by row, never over the vocabulary.

Knows nothing about the formula of a penalty.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from playground.sampling.columns import Number, column, per_row
from playground.sampling.context import Context

LARGEST_SCORE = 1e30  # scores stay within it: later stages square, divide and exponentiate them in float32 and float64

Formula = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]  # old, counts, penalty: float64[N] -> new


def rescored(
    scores: torch.Tensor,
    context: Context,
    last_n: Number,
    penalty: Number,
    neutral: float,
    formula: Formula,
    output_only: bool = False,
) -> torch.Tensor:
    """float[B,K] -> float[B,K]: the tokens in each row's window get the scores that ``formula`` gives them.

    Rows whose penalty is ``neutral`` are left alone, and their histories unread. ``output_only``: the prompt's tokens
    do not count.
    """
    strengths = per_row(penalty, context.num_rows)
    windows = per_row(last_n, context.num_rows)
    seen = context.seen(
        [None if strength == neutral else int(size) for strength, size in zip(strengths, windows, strict=True)],
        scores.device,
        output_only,
    )
    if seen.rows.numel() == 0:
        return scores
    penalties = column(penalty, scores).expand(context.num_rows, 1)[seen.rows, 0]
    old = scores[seen.rows, seen.columns]
    new = within_range(formula(old.double(), seen.counts, penalties)).to(scores.dtype)
    penalised = scores.clone()
    penalised[seen.rows, seen.columns] = new
    return penalised


def within_range(scores: torch.Tensor) -> torch.Tensor:
    """Finite scores limited to ±LARGEST_SCORE; removed ones stay -inf."""
    return torch.where(scores == -torch.inf, scores, scores.clamp(-LARGEST_SCORE, LARGEST_SCORE))
