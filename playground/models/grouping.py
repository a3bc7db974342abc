"""Which rows of a ragged call make one rectangle.

Knows nothing about lanes, caches or tensors: it weighs bytes against bytes.

A rectangle pads every row to its longest; another rectangle costs another attention call in each layer, or, where a
model cannot pack several into one forward, another reading of the weights. Rows are put together as long as padding
costs less than that, so one long text does not slow fifteen short ones, and a short negative prompt still shares its
forward with a long prompt.
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


CPU_SEGMENT_BYTES = 5e7
GPU_SEGMENT_BYTES = 4e9
"""Another segment of a packed forward: a few small kernels a layer, 3 ms on two CPU cores, about 1 ms on a GPU."""

NEVER = 1e18
"""Bytes: the price of padding a token where a second rectangle is to be had without another forward."""


@dataclass(frozen=True)
class Costs:
    """What another rectangle and a padded token cost, in bytes of memory traffic."""

    rectangle_bytes: float
    token_bytes: float


@dataclass(frozen=True)
class Row:
    """``count`` new tokens of a sequence that already holds ``start``."""

    start: int
    count: int


def forward_costs(weight_bytes: int, device_type: str) -> Costs:
    """Where each rectangle is a forward of its own."""
    if device_type == "cpu":
        return Costs(weight_bytes, weight_bytes / CPU_TOKENS_PER_FORWARD)
    return Costs(max(weight_bytes, GPU_LEAST_BYTES), weight_bytes / GPU_TOKENS_PER_FORWARD)


def segment_costs(device_type: str) -> Costs:
    """Where all rectangles are packed into one forward: rows of unequal width never share one."""
    return Costs(CPU_SEGMENT_BYTES if device_type == "cpu" else GPU_SEGMENT_BYTES, NEVER)


def group_rows(rows: Sequence[Row], costs: Costs, kv_bytes_per_token: int) -> list[list[int]]:
    """Indices into ``rows``, grouped; rows of similar shape share a group, every index appears once."""
    order = sorted(range(len(rows)), key=lambda index: (rows[index].count, rows[index].start))
    groups: list[list[int]] = []
    for index in order:
        if groups:
            together = [rows[i] for i in (*groups[-1], index)]
            if padding_bytes(together, costs, kv_bytes_per_token) < costs.rectangle_bytes:
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
