"""Which stages an engine's order swaps, and whether that changes anything: found by trying, not by a table.

Knows nothing about any particular stage or engine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from playground.sampling.chain import Chain
from playground.sampling.param import Param
from playground.sampling.sampler import Sampler
from playground.sampling.softmax import softmax

WIDTH = 512  # tokens in the rows on which two stages are tried
SAME = 1e-6  # probability: differences below this are rounding


def swapped(samplers: Sequence[Sampler], order: Sequence[str]) -> list[tuple[Sampler, Sampler]]:
    """Pairs (earlier here, later here) that an engine with ``order`` runs the other way round with another result.

    A stage that draws the token is the last one everywhere.
    """
    samplers = [one for one in samplers if one.kind != "draw"]
    place = {name: number for number, name in enumerate(order)}
    return [
        (first, second)
        for number, first in enumerate(samplers)
        for second in samplers[number + 1 :]
        if place.get(first.name, -1) > place.get(second.name, -1) and not commute(first, second)
    ]


def order_matters(samplers: Sequence[Sampler]) -> bool:
    """Whether any order of these stages but this one could give another distribution."""
    samplers = [one for one in samplers if one.kind != "draw"]
    return any(not commute(first, second) for number, first in enumerate(samplers) for second in samplers[number + 1 :])


@lru_cache(maxsize=4096)
def commute(first: Sampler, second: Sampler) -> bool:
    """Whether the two give one distribution in either order, on rows of many shapes."""
    first, second = _movable(first), _movable(second)
    rows, history = _rows()
    one, other = (softmax(Chain(pair).apply(rows, history)) for pair in ((first, second), (second, first)))
    return bool((one - other).abs().max() < SAME)


@lru_cache(maxsize=1)
def _rows() -> tuple[torch.Tensor, list[list[int]]]:
    """float32[B, WIDTH] rows from peaked to flat, above and below zero, and a history of likely and unlikely tokens."""
    generator = torch.Generator().manual_seed(0)
    ranks = torch.arange(1, WIDTH + 1, dtype=torch.float64).log()
    noise = torch.randn(WIDTH, generator=generator, dtype=torch.float64)
    slopes = (0.2, 0.7, 1.0, 1.4, 2.0, 3.5)
    rows = [offset - slope * ranks + 0.3 * noise for slope, offset in zip(slopes, (3, 1, 5, -1, 8, 12), strict=True)]
    # A few likely tokens, those of the text and others in turn, sharing nearly everything.
    likely = torch.tensor([0, 11, 3, 12, 7, 13, 1, 14])
    for count, gap in ((2, 0.1), (2, 0.9), (3, 0.2), (4, 0.4), (6, 0.15), (8, 0.6)):
        for first in (0, 1):
            row = noise * 0.3 - 7
            row[likely.roll(-first)[:count]] = 4.0 - gap * torch.arange(count, dtype=torch.float64)
            rows.append(row)
    # A text that repeats itself, so that penalties, n-grams and DRY all have something to say.
    history = [0, 3, 7, 1, 0, 3, 40, 2, 0, 3, 7, 200, 5, 1, 0, 3]
    return torch.stack(rows).float(), [history] * len(rows)


def _movable(sampler: Sampler) -> Any:
    """The stage with its token ids inside the rows, and without texts, which only a vocabulary could resolve."""
    changes = {name: _small(fact, getattr(sampler, name)) for name, fact in sampler.params().items()}
    return dataclasses.replace(sampler, **changes)


def _small(fact: Param, value: Any) -> Any:
    if fact.kind == "biases":
        return tuple(sorted({token_id % WIDTH: bias for token_id, bias in value}.items()))
    if fact.kind == "tokens":
        return tuple({token_id % WIDTH for token_id in value})
    return () if fact.kind == "texts" else value
