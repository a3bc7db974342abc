"""Rows of logits to drawn tokens: guidance, chain, draw and every scalar of a Step, one pass for the whole batch.

Knows nothing about lanes, streams or time. A row that fails takes no other row with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from playground.errors import PlaygroundError
from playground.sampling import Chain, guide, stack
from playground.sampling.draw import draw
from playground.sampling.softmax import log_softmax

BITS = 1.4426950408889634
"""Bits in a nat."""


@dataclass(frozen=True)
class Ask:
    """One row to decide, apart from its logits."""

    chain: Chain
    scale: float
    uniform: float
    history: Tensor
    """int64[T] on the CPU, prompt first."""
    prompt_length: int
    memory: tuple[Any, ...]
    """One value a stage of the chain."""


@dataclass(frozen=True)
class Decision:
    """The token and its scalars, named as in Step."""

    token_id: int
    logprob_base: float
    logprob_final: float
    entropy_bits: float
    base_entropy_bits: float
    surprisal_bits: float
    memory: tuple[Any, ...] = ()
    """The chain's memory after this token."""


def decide(asks: Sequence[Ask], model: Tensor, negative: Tensor) -> list[Decision | Exception]:
    """One answer a row. ``model`` is float32[B,V], the prompt branches; ``negative`` float32[G,V], the negative
    branches of the rows whose scale is not 1, in order."""
    try:
        return list(_decide(asks, model, negative))
    except Exception as error:
        if len(asks) == 1:
            return [error]
    # One of the rows is at fault: each gets its own pass, and only that one fails again.
    guided = [row for row, ask in enumerate(asks) if ask.scale != 1.0]
    answers: list[Decision | Exception] = []
    for row, ask in enumerate(asks):
        place = guided.index(row) if row in guided else None
        rows = negative[:0] if place is None else negative[place : place + 1]
        answers += decide([ask], model[row : row + 1], rows)
    return answers


def _decide(asks: Sequence[Ask], model: Tensor, negative: Tensor) -> list[Decision]:
    base = _guided(asks, model, negative)
    final = stack(tuple(ask.chain for ask in asks)).apply(
        base,
        [ask.history for ask in asks],
        [ask.prompt_length for ask in asks],
        [ask.memory for ask in asks],
    )
    token_ids = draw(final, torch.tensor([ask.uniform for ask in asks], dtype=torch.float64))
    figures = _figures(token_ids, model, base, final)
    # The one transfer of a step: six numbers a row, never [B,V].
    lines = torch.stack([token_ids.double(), *figures], dim=1).tolist()
    if any(value != value for line in lines for value in line):
        raise PlaygroundError("The model's scores for this text are not numbers, so nothing can be drawn from them.")
    memories = [_remember(ask, base[row], int(lines[row][0])) for row, ask in enumerate(asks)]
    return [
        Decision(int(token_id), log_base, log_final, bits, base_bits, surprisal, memory)
        for (token_id, log_base, log_final, bits, base_bits, surprisal), memory in zip(lines, memories, strict=True)
    ]


def _guided(asks: Sequence[Ask], model: Tensor, negative: Tensor) -> Tensor:
    """float32[B,V] after guidance; rows at scale 1 are the model's bit for bit."""
    guided = [row for row, ask in enumerate(asks) if ask.scale != 1.0]
    if not guided:
        return model
    scales = torch.tensor([[asks[row].scale] for row in guided], dtype=torch.float64)
    if len(guided) == len(asks):
        return guide(model, negative, scales)
    base = model.clone()
    base[guided] = guide(model[guided], negative, scales)
    return base


def _figures(token_ids: Tensor, model: Tensor, base: Tensor, final: Tensor) -> list[Tensor]:
    """float64[B] each: log p base, log p final, entropies of final and base in bits, surprisal in bits."""
    at = token_ids[:, None]
    log_base = log_softmax(base)
    log_final = log_base if final is base else log_softmax(final)
    surprisal = log_base if base is model else log_softmax(model)
    picked = [values.gather(-1, at)[:, 0] for values in (log_base, log_final, surprisal)]
    base_bits = _entropy_bits(log_base)
    final_bits = base_bits if final is base else _entropy_bits(log_final)
    return [picked[0], picked[1], final_bits, base_bits, -BITS * picked[2]]


def _entropy_bits(log_probs: Tensor) -> Tensor:
    """float64[B] of float64[B,V] nats; a removed token adds nothing."""
    return torch.special.entr(log_probs.exp()).sum(-1) * BITS


def _remember(ask: Ask, base_row: Tensor, token_id: int) -> tuple[Any, ...]:
    return ask.chain.observe(ask.memory, base_row, token_id, ask.history)
