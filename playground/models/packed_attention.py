"""Attention for a row into which several segments are packed: each looks at its own slots, one call a segment.

Knows nothing about architectures: it stands before the registered ``sdpa`` attention and calls it for each segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from playground.models.plan import Plan, Segment

Attention = Callable[..., tuple[Tensor, Any]]


class ReadableLayer(Protocol):
    def read(self, segment: Segment) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class PackedQueries:
    """What the cache gives as the queries' offset where a plan is packed; it travels to the mask builder."""

    plan: Plan
    layers: Sequence[ReadableLayer]


@dataclass(frozen=True)
class PackedMask:
    """What the mask builder returns for it, one mask a segment; it travels through the model to the attention."""

    queries: PackedQueries
    masks: tuple[Tensor | None, ...]


_installed: list[bool] = []


def install() -> None:
    """Teach the ``sdpa`` attention to take a PackedMask; every other call reaches the original."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if not _installed:
        ALL_ATTENTION_FUNCTIONS["sdpa"] = _also_packed(ALL_ATTENTION_FUNCTIONS["sdpa"])
        _installed.append(True)


def _also_packed(original: Attention) -> Attention:
    def attention(
        module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **arguments: Any
    ) -> tuple[Tensor, Any]:
        if not isinstance(attention_mask, PackedMask):
            return original(module, query, key, value, attention_mask, **arguments)
        plan, layer = attention_mask.queries.plan, attention_mask.queries.layers[module.layer_idx]
        outputs = []
        for segment, queries, mask in zip(plan.segments, plan.unpack(query), attention_mask.masks, strict=True):
            output, _ = original(module, queries, *layer.read(segment), mask, **arguments)
            outputs.append(output.flatten(0, 1))
        return torch.cat(outputs)[None], None

    return attention
