"""Rows of logits to drawn tokens: guidance, chain, draw and every scalar of a Step, one pass for the whole batch.

Knows nothing about lanes, streams or time. A row that fails takes no other row with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from playground.errors import PlaygroundError
from playground.sampling import Chain, Guidance, mix, stack
from playground.sampling.batch import aims
from playground.sampling.branches import Coins
from playground.sampling.candidates import compacted
from playground.sampling.draw import draw

BITS = 1.4426950408889634
"""Bits in a nat."""
SMALLEST_EXPONENT = -150.0
"""exp of it is 0 in float32, and so is 0 times it; 0 times -inf would not be."""


@dataclass(frozen=True)
class Ask:
    """One row to decide, apart from its logits."""

    chain: Chain
    guidance: Guidance
    index: int
    """Place among the written tokens, which gates and schedules go by."""
    uniform: float
    history: Tensor
    """int64[T] on the CPU, prompt first."""
    prompt_length: int
    memory: tuple[Any, ...]
    """One value a stage of the chain."""
    coins: Coins = ()
    """The numbers of its random stages, one a stage."""


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


def decide(asks: Sequence[Ask], model: Tensor, others: Sequence[Tensor]) -> list[Decision | Exception]:
    """One answer a row. ``model`` is float32[B,V], the prompt branches; ``others[b]`` float32[n−1,V], the other
    branches of row b (none where it has no guidance)."""
    try:
        return list(_decide(asks, model, others))
    except Exception as error:
        if len(asks) == 1:
            return [error]
    # One of the rows is at fault: each gets its own pass, and only that one fails again.
    answers: list[Decision | Exception] = []
    for row, ask in enumerate(asks):
        answers += decide([ask], model[row : row + 1], others[row : row + 1])
    return answers


def _decide(asks: Sequence[Ask], model: Tensor, others: Sequence[Tensor]) -> list[Decision]:
    base = mix([ask.guidance for ask in asks], [ask.index for ask in asks], model, others)
    token_ids, final_log_prob, final_bits = _draw(asks, base)
    log_prob, bits = _figures(base, token_ids)
    plain = [row for row, ask in enumerate(asks) if not ask.chain.samplers]
    final_log_prob[plain], final_bits[plain] = log_prob[plain], bits[plain]
    surprisal = -BITS * (log_prob if base is model else _figures(model, token_ids)[0])
    # The one transfer of a step: six numbers a row, never [B,V].
    lines = torch.stack([token_ids.double(), log_prob, final_log_prob, final_bits, bits, surprisal], dim=1).tolist()
    if any(math.isnan(value) for line in lines for value in line):
        raise PlaygroundError("The model's scores for this text are not numbers, so nothing can be drawn from them.")
    return [_decision(ask, row, line) for ask, row, line in zip(asks, base, lines, strict=True)]


def _decision(ask: Ask, base_row: Tensor, line: Sequence[float]) -> Decision:
    token_id, log_prob, final_log_prob, final_bits, bits, surprisal = line
    memory = ask.chain.observe(ask.memory, base_row, int(token_id), ask.history, ask.prompt_length, ask.coins)
    return Decision(int(token_id), log_prob, final_log_prob, final_bits, bits, surprisal, memory)


def decisions(model: Tensor, base: Tensor, final: Tensor, token_ids: Tensor) -> list[Decision]:
    """The figures of tokens that were found by looking ahead: float[B,V] of each kind of row, int64[B] -> B of them."""
    token_ids = token_ids.to(base.device)
    final_log_prob, final_bits = _figures(final, token_ids)
    log_prob, bits = _figures(base, token_ids)
    surprisal = -BITS * _figures(model, token_ids)[0]
    lines = torch.stack([token_ids.double(), log_prob, final_log_prob, final_bits, bits, surprisal], dim=1).tolist()
    return [Decision(int(token_id), *figures) for token_id, *figures in lines]


def _draw(asks: Sequence[Ask], base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The chain and the dart: token ids int64[B], log-probability float64[B], nats, and entropy float64[B], bits.

    Drawn from what the chain leaves, without spreading it over the vocabulary again. Where a stage is random, from
    the side its coin takes; the figures are those of the exact mixture of both. Rows without a stage get no figures
    here: theirs are the base's.
    """
    coins = [ask.coins for ask in asks]
    darts = torch.tensor([ask.uniform for ask in asks], dtype=torch.float64)
    token_ids = torch.empty(len(asks), dtype=torch.int64, device=base.device)
    log_prob, bits = (torch.empty(len(asks), dtype=torch.float64, device=base.device) for _ in range(2))
    passes = stack([ask.chain for ask in asks]).passes(
        base, [ask.history for ask in asks], [ask.prompt_length for ask in asks], [ask.memory for ask in asks]
    )
    for group, left in passes:
        rows = list(group.rows)
        # A stage that only reshapes may leave few as well: sixteen greedy rows take 8 ms instead of 33 this way.
        aimed, proposal = aims(group, compacted(left), coins)
        hits = aimed.token_ids(draw(aimed.scores, darts[rows]))
        token_ids[rows] = hits
        if not group.samplers:  # the base itself, whose figures are worked out anyhow
            continue
        log_prob[rows], bits[rows] = _figures(proposal.scores, proposal.columns(hits))
    return token_ids, log_prob, bits


def _figures(scores: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability of int64[B] columns, nats, and entropy, bits: float64[B] each, of float[B,K] scores.

    In float32, whose sums torch adds in pairs: right to 1e-6 (a test) and a tenth of the time of float64, which over
    the vocabularies of sixteen users would cost a third of a forward. Removed tokens (-inf) add nothing.
    """
    shifted = (scores - scores.amax(-1, keepdim=True)).float()
    picked = shifted.gather(-1, columns[:, None])[:, 0].double()
    shifted.clamp_(min=SMALLEST_EXPONENT)
    weights = shifted.exp()
    total = weights.sum(-1).double()
    log_total = total.log()
    mean = weights.mul_(shifted).sum(-1).double() / total
    return picked - log_total, BITS * (log_total - mean)
