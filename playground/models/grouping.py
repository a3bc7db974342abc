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


@dataclass(frozen=True)
class Costs:
    """What a forward pays, in bytes of memory traffic."""

    weight_bytes: float
    """Read once a forward, however few its tokens."""
    kv_bytes_per_token: float
    tokens_per_pass: float
    """How many tokens' arithmetic takes as long as one reading of the weights."""


@dataclass(frozen=True)
class Row:
    """``count`` new tokens of a sequence that already holds ``start``."""

    start: int
    count: int


def group_rows(rows: Sequence[Row], costs: Costs) -> list[list[int]]:
    """Indices into ``rows``, grouped; rows of similar shape share a group, every index appears once."""
    order = sorted(range(len(rows)), key=lambda index: (rows[index].count, rows[index].start))
    groups: list[list[int]] = []
    for index in order:
        if groups and _padding_bytes([rows[i] for i in (*groups[-1], index)], costs) < costs.weight_bytes:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


def _padding_bytes(rows: Sequence[Row], costs: Costs) -> float:
    """What the rectangle around ``rows`` costs beyond the rows themselves."""
    width = max(row.count for row in rows)
    length = max(row.start for row in rows) + width
    spare_tokens = sum(width - row.count for row in rows)
    spare_kv = sum(length - row.start - row.count for row in rows)
    compute = costs.weight_bytes * spare_tokens / costs.tokens_per_pass
    return compute + KV_TRAFFIC * costs.kv_bytes_per_token * spare_kv
