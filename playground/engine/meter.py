"""Where the time of a step goes, smoothed over the recent past.

Knows nothing about requests or tensors: seconds and counts go in, plain numbers come out, from any thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from statistics import median

SMOOTHING = 0.1
NUM_FORWARDS = 31
"""Forwards of one size whose median stands for it: a mean would follow every hiccup of a shared machine."""
WINDOW_S = 5.0
"""Tokens per second are those of the last five."""


@dataclass(frozen=True)
class StepTimes:
    """Seconds of one step."""

    forward_s: float
    chain_s: float
    """Guidance, chain, draw and statistics, their one small transfer included."""
    transfer_s: float
    """Rows to the store and Steps to the streams."""


class Meter:
    """Written by the engine thread, read by everybody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step_ms = {"forward": 0.0, "chain": 0.0, "transfer": 0.0}
        self._num_steps = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._write_ms: dict[int, deque[float]] = {}
        self._last_guided: tuple[int, int] | None = None

    def observe(self, times: StepTimes, num_tokens: int) -> None:
        """One step that drew so many tokens."""
        with self._lock:
            self._num_steps += 1
            weight = max(SMOOTHING, 1 / self._num_steps)
            for name in self._step_ms:
                self._step_ms[name] += weight * (1000 * getattr(times, f"{name}_s") - self._step_ms[name])
            self._recent.append((time.monotonic(), num_tokens))
            self._forget()

    def observe_writing(self, num_rows: int, num_negative: int, forward_s: float) -> None:
        """One forward that only wrote: so many rows, of which so many were negative branches."""
        with self._lock:
            self._write_ms.setdefault(num_rows, deque(maxlen=NUM_FORWARDS)).append(1000 * forward_s)
            if num_negative:
                self._last_guided = (num_rows, num_rows - num_negative)

    def tokens_per_s(self) -> float:
        """Tokens drawn for all users together."""
        with self._lock:
            self._forget()
            if not self._recent:
                return 0.0
            since_s = max(time.monotonic() - self._recent[0][0], 0.1)
            return sum(num for _, num in self._recent) / since_s

    def step_ms(self) -> dict[str, float]:
        """Milliseconds of a recent step by part."""
        with self._lock:
            return dict(self._step_ms)

    def guidance_ms(self) -> tuple[float, float] | None:
        """Milliseconds of a forward with the negative rows and of one without; None until both were measured."""
        with self._lock:
            if self._last_guided is None:
                return None
            with_rows, without = (self._write_ms.get(num_rows) for num_rows in self._last_guided)
            return (median(with_rows), median(without)) if with_rows and without else None

    def _forget(self) -> None:
        while self._recent and self._recent[0][0] < time.monotonic() - WINDOW_S:
            self._recent.popleft()
