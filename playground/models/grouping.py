"""Which rows of a ragged call run together in one rectangular forward.

Knows nothing about lanes, caches or tensors: it weighs bytes against bytes.

A rectangle pads every row to its longest; a second forward reads the weights once more. Rows are put together as
long as the padding costs less than that, so one long text does not slow fifteen short ones, and a short negative
prompt still shares its forward with a long prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KV_TRAFFIC = 2.0
"""Bytes moved by attention for each byte of padded keys and values (a mask in the way, and a strided read)."""

CPU_TOKENS_PER_FORWARD = 16.0
"""On two CPU cores a token's arithmetic takes a sixteenth of the time of reading the weights (measured, 135M)."""

GPU_TOKENS_PER_FORWARD = 256.0
GPU_LEAST_BYTES = 4e9
"""A GPU spends at least a millisecond on launching a forward's kernels, and reads some gigabytes in that time."""


@dataclass(frozen=True)
class Costs:
    """What a forward pays, in bytes of memory traffic."""

    forward_bytes: float
    """However few its tokens: mostly the weights, read once."""
    token_bytes: float
    """A token's arithmetic, as the bytes that could be read in its time."""


@dataclass(frozen=True)
class Row:
    """``count`` new tokens of a sequence that already holds ``start``."""

    start: int
    count: int


def forward_costs(weight_bytes: int, device_type: str) -> Costs:
    if device_type == "cpu":
        return Costs(weight_bytes, weight_bytes / CPU_TOKENS_PER_FORWARD)
    return Costs(max(weight_bytes, GPU_LEAST_BYTES), weight_bytes / GPU_TOKENS_PER_FORWARD)


def group_rows(rows: Sequence[Row], costs: Costs, kv_bytes_per_token: int) -> list[list[int]]:
    """Indices into ``rows``, grouped; rows of similar shape share a group, every index appears once."""
    order = sorted(range(len(rows)), key=lambda index: (rows[index].count, rows[index].start))
    groups: list[list[int]] = []
    for index in order:
        if groups:
            together = [rows[i] for i in (*groups[-1], index)]
            if padding_bytes(together, costs, kv_bytes_per_token) < costs.forward_bytes:
                groups[-1].append(index)
                continue
        groups.append([index])
    return groups


def padding_bytes(rows: Sequence[Row], costs: Costs, kv_bytes_per_token: int) -> float:
    """What the rectangle around ``rows`` costs beyond the rows themselves."""
    width = max(row.count for row in rows)
    length = max(row.start for row in rows) + width
    spare_tokens = sum(width - row.count for row in rows)
    spare_kv = sum(length - row.start - row.count for row in rows)
    return costs.token_bytes * spare_tokens + KV_TRAFFIC * kv_bytes_per_token * spare_kv
