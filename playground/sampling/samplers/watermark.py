"""Watermark: a secret, ever-changing part of the vocabulary gains a little, so that the text can be recognised later.

Knows nothing about other stages or about recognising.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from playground.sampling.columns import Number, per_row
from playground.sampling.context import Context
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler

KEPT = 64  # green lists: as many rows of a batch as look at the same step twice


@dataclass(frozen=True)
class Watermark(Sampler):
    """The green list follows from the last token and the key alone, bit for bit that of transformers on a CPU."""

    ratio: Number = param(
        0.25, 0.05, 0.95, 0.01, label="Green share", help="Part of the vocabulary that is green.",
        hard_low=0, hard_high=1,
    )  # fmt: skip
    bias: Number = param(
        2.0, 0, 10, 0.1, label="Bias", unit="nats", help="What green tokens gain; 0 is off.",
        hard_low=-100, hard_high=100,
    )  # fmt: skip
    key: Number = param(
        15_485_863, 1, 2**31 - 1, 1, label="Key", help="Whoever has it can recognise the text.", integer=True,
        hard_low=0, hard_high=2**32 - 1,
    )  # fmt: skip
    context: Number = param(
        1, 1, 16, 1, label="Context", unit="tokens", integer=True, hard_high=10**6,
        help="Tokens that must stand before it acts; the list itself follows from the last one.",
    )  # fmt: skip

    name = "watermark"
    title = "Watermark"
    slot = 150
    kind = "shape"
    keeps_argmax = False
    off = {"bias": 0.0}
    summary = "Adds δ to the green tokens: a part of the vocabulary, shuffled anew by each last token and a secret key."
    formula = "ℓ′ᵢ = ℓᵢ + δ for i in the first ⌊γV⌋ of a permutation of the vocabulary seeded with key · last token"
    source = "Kirchenbauer et al. 2023, arXiv 2301.10226; transformers WatermarkingConfig, lefthash"
    examples = (
        Example(
            "After token 1 this key makes tokens 0 and 2 green; ln 4 more for each of them.",
            {"ratio": 0.5, "bias": 1.3862944},
            survivors=(0, 1, 2, 3),
            probs=(0.25, 0.25, 0.25, 0.25),
            token_ids=(1,),
            expected_probs=(0.4, 0.1, 0.4, 0.1),
        ),
    )
    demo = Demo(
        "The history of the printing press began",
        "A quarter of the vocabulary is green at each step, another quarter every time; the card says how much of the "
        "mass it holds before and after.",
        {"bias": 3.0},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        marked = None
        for row, bias in enumerate(per_row(self.bias, context.num_rows)):
            green = self._green(context, row) if bias else None
            if green is None:
                continue
            marked = scores.clone() if marked is None else marked
            columns = self._columns(green, context, row, scores.device)
            marked[row] += bias * columns.to(scores.dtype)
        return scores if marked is None else marked

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        green = self._green(context, 0)
        if green is None:
            return f"it waits for {int(self.context)} tokens"
        columns = self._columns(green, context, 0, before.device)
        arriving, leaving = float(before[columns].sum()), float(after[columns].sum())
        return f"green tokens hold {arriving:.1%} of the mass arriving, {leaving:.1%} leaving"

    def _green(self, context: Context, row: int) -> torch.Tensor | None:
        """bool[V], or None where the row's history is too short."""
        ratio, key, width = (per_row(value, context.num_rows)[row] for value in (self.ratio, self.key, self.context))
        history = context.window(row, 0)
        if history.numel() < max(1, int(width)):
            return None
        return green_list(context.vocabulary_size, float(ratio), int(key), int(history[-1]))

    def _columns(self, green: torch.Tensor, context: Context, row: int, device: torch.device) -> torch.Tensor:
        """bool[K]: which columns of a row are green."""
        if context.candidate_ids is None:
            return green.to(device)
        ids = context.candidate_ids[row]
        known = ids < context.vocabulary_size
        return known & green.to(device)[torch.where(known, ids, 0)]


@lru_cache(maxsize=KEPT)
def green_list(vocabulary_size: int, ratio: float, key: int, last_token: int) -> torch.Tensor:
    """bool[V]: the green tokens after ``last_token``."""
    generator = torch.Generator().manual_seed(key * last_token % (2**64 - 1))
    order = torch.randperm(vocabulary_size, generator=generator)
    green = torch.zeros(vocabulary_size, dtype=torch.bool)
    green[order[: int(vocabulary_size * ratio)]] = True
    return green
