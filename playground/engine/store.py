"""The logits store: raw rows by key, within a byte budget, least recently used first out.

Knows nothing about requests or models. Rows are read from any thread without touching the engine's.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

NUM_NEWEST = 16
"""Steps of a stream whose rows stay without anybody looking at them."""


@dataclass(frozen=True)
class _Row:
    logits: Tensor
    """float32[V], on the device that made it: copied to the host only when somebody looks."""
    owner: str
    recomputed: bool


class LogitsStore:
    """float32 rows per branch, before any mixing.

    A row that was read is *pinned*: its stream's newer rows no longer push it out, only the budget does.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._num_bytes = 0
        self._rows: OrderedDict[str, _Row] = OrderedDict()
        self._newest: dict[str, deque[tuple[str, ...]]] = {}
        self._pinned: set[str] = set()
        self._lock = threading.Lock()

    def put(self, rows: Mapping[str, Tensor], owner: str, line: str | None = None, recomputed: bool = False) -> None:
        """Keep the rows of one step, float32[V] each, to which nobody will write again. ``owner`` is a session.

        ``line`` is the stream they belong to, of which only the newest steps stay; None: not part of one.
        """
        with self._lock:
            for key, logits in rows.items():
                self._remove(key)
                self._rows[key] = _Row(logits, owner, recomputed)
                self._num_bytes += _size(logits)
            if line is not None:
                self._retire_oldest(tuple(rows), line)
            while self._num_bytes > self._budget_bytes and self._rows:
                self._remove(next(iter(self._rows)))

    def get(self, key: str) -> Tensor | None:
        """The row as float32[V] on the host, or None where it has left the store. Looking at a row pins it."""
        with self._lock:
            row = self._rows.get(key)
            if row is None:
                return None
            self._rows.move_to_end(key)
            self._pinned.add(key)
        return row.logits.to("cpu", torch.float32)

    def is_recomputed(self, key: str) -> bool:
        """Whether the row came from a later teacher-forced pass (equal within 1e-4 nats in float32)."""
        with self._lock:
            row = self._rows.get(key)
            return row is not None and row.recomputed

    def end(self, line: str) -> None:
        """The stream grows no further; its newest rows stay until the budget needs their room."""
        with self._lock:
            self._newest.pop(line, None)

    def drop(self, owner: str) -> None:
        """Forget every row of a session that has left."""
        with self._lock:
            for key in [key for key, row in self._rows.items() if row.owner == owner]:
                self._remove(key)

    @property
    def num_rows(self) -> int:
        with self._lock:
            return len(self._rows)

    @property
    def num_bytes(self) -> int:
        with self._lock:
            return self._num_bytes

    def _retire_oldest(self, keys: tuple[str, ...], line: str) -> None:
        steps = self._newest.setdefault(line, deque())
        steps.append(keys)
        if len(steps) > NUM_NEWEST:
            for key in steps.popleft():
                if key not in self._pinned:
                    self._remove(key)

    def _remove(self, key: str) -> None:
        row = self._rows.pop(key, None)
        self._pinned.discard(key)
        if row is not None:
            self._num_bytes -= _size(row.logits)


def _size(logits: Tensor) -> int:
    return logits.numel() * logits.element_size()
