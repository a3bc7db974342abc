"""Attention masks for rows that stand at different positions, from each model's own mask rule.

Knows nothing about slots or lanes: it sees only a query offset that differs from row to row.

transformers asks a cache for the offset of its queries and hands it to a mask builder from a registry. Its builders
take one offset for the whole batch; the ones installed here also take a tensor int64[B, 1, 1, 1], or the segments of
a packed row. The rule itself (causal, sliding window, chunked) stays the model's, so nothing here knows one
architecture from another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from playground.models.packed_attention import PackedMask, PackedQueries
from playground.models.plan import Segment

Builder = Callable[..., Any]

_installed: set[str] = set()


def install() -> None:
    """Teach the ``sdpa`` and ``eager`` mask builders per-row offsets; every other call reaches the original."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    for name in ("sdpa", "eager"):
        if name not in _installed:
            ALL_MASK_ATTENTION_FUNCTIONS[name] = _also_ragged(ALL_MASK_ATTENTION_FUNCTIONS[name], name == "eager")
            _installed.add(name)


def _also_ragged(original: Builder, additive: bool) -> Builder:
    def builder(*, q_offset: int | Tensor | PackedQueries = 0, **arguments: Any) -> Tensor | PackedMask | None:
        if isinstance(q_offset, PackedQueries):
            if arguments.pop("attention_mask", None) is not None:
                raise NotImplementedError("a packed row has no padding, so no mask over keys fits it")
            masks = [one(**{**arguments, **_shape_of(segment)}) for segment in q_offset.plan.segments]
            return PackedMask(q_offset, tuple(masks))
        return one(q_offset=q_offset, **arguments)

    def one(*, q_offset: int | Tensor, **arguments: Any) -> Tensor | None:
        if not isinstance(q_offset, Tensor) or q_offset.ndim != 4:
            return original(q_offset=q_offset, **arguments)
        allowed = ragged_mask(q_offset, **arguments)
        if not additive:
            return allowed
        dtype = arguments["dtype"]
        return torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, torch.finfo(dtype).min)

    return builder


def _shape_of(segment: Segment) -> dict[str, Any]:
    rows, width = segment.shape
    offset, length = segment.query_offset, segment.length
    return {"q_offset": offset, "batch_size": rows, "q_length": width, "kv_length": length, "kv_offset": 0}


def ragged_mask(
    q_offset: Tensor,
    *,
    batch_size: int,
    q_length: int,
    kv_length: int,
    mask_function: Callable[..., Tensor],
    kv_offset: int = 0,
    attention_mask: Tensor | None = None,
    **_: Any,
) -> Tensor:
    """bool[B, 1, q, kv]: may this query see this key? ``q_offset`` int64[B, 1, 1, 1] is each row's first position."""
    device = q_offset.device
    row = torch.arange(batch_size, device=device)[:, None, None, None]
    head = torch.zeros(1, 1, 1, 1, dtype=torch.int64, device=device)
    query = torch.arange(q_length, device=device)[None, None, :, None] + q_offset
    key = torch.arange(kv_length, device=device)[None, None, None, :] + kv_offset
    allowed = mask_function(row, head, query, key).expand(batch_size, 1, q_length, kv_length)
    if attention_mask is not None:
        allowed = allowed & attention_mask[:, None, None, kv_offset : kv_offset + kv_length]
    return allowed
