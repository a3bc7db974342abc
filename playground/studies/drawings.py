"""One pool drawn after several prompts: a request after the other, in rounds, seen as one drawing.

Knows nothing about features or pages. Every round takes each prompt in turn, so that a pool that is left half-way has
about as many texts of each; nobody's queue ever holds more than one request of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.control.pool import Pool
from playground.engine import Engine
from playground.errors import PlaygroundError
from playground.studies.drawing import Drawing
from playground.studies.proposals import Proposal, numbered

ROUND = 64
"""Texts of one prompt before the next one's turn; of a single prompt all at once."""
BUSY_S = 1.0
"""Where the queue is full between two rounds, until the next try."""


@dataclass
class Drawings:
    """``num_each`` texts of each proposal, numbered from ``first``."""

    engine: Engine
    proposals: Sequence[Proposal]
    num_each: int
    seed: int
    first: int
    session: str
    now: Drawing
    """The request that is being read, or was last."""
    _plan: deque[tuple[int, int, int]]
    """What comes behind it: which proposal, its first number, how many."""
    _kept: Pool = field(default_factory=Pool)
    _num_kept: int = 0
    _left: bool = False
    _refusal: str = ""
    started_s: float = field(default_factory=time.perf_counter)
    _ended_s: float | None = None

    @classmethod
    def start(
        cls, engine: Engine, proposals: Sequence[Proposal], num_each: int, seed: int, first: int, session: str = ""
    ) -> Drawings:
        """Queue the first request; PlaygroundError where it can never run."""
        size = num_each if len(proposals) == 1 else ROUND
        plan = deque(
            (number, first + start, min(size, num_each - start))
            for start in range(0, num_each, size)
            for number in range(len(proposals))
        )
        now = _started(engine, proposals, plan.popleft(), seed, session)
        return cls(engine, proposals, num_each, seed, first, session, now, plan)

    @property
    def pool(self) -> Pool:
        """The finished texts, as of ``Drawing.pool``."""
        return self._kept.with_rows(self.now.pool)

    def progress(self) -> dict[str, Any]:
        """As of one Drawing, over all prompts and rounds."""
        now, over = self.now.progress(), self._ended_s is not None
        num_done, num_wanted = self._num_kept + now["num_done"], self.num_each * len(self.proposals)
        elapsed_s = (self._ended_s or time.perf_counter()) - self.started_s
        rate = num_done / elapsed_s if elapsed_s > 0 else 0.0
        failed = self._refusal or now["error"]
        over = over or bool(failed) or self._left or (now["done"] and not self._plan)
        left_s = (num_wanted - num_done) / rate if rate > 0 else None
        return {
            **now,
            "num_done": num_done,
            "num_wanted": num_wanted,
            "per_s": rate,
            "remaining_s": 0.0 if over else left_s,
            "done": over,
            "cancelled": not failed and (self._left or now["cancelled"]),
            "error": failed,
        }

    async def read(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Read to the end, or until nobody wants it; whoever cancels the task cancels the request."""

        def is_still() -> bool:
            return not self._left and is_wanted()

        try:
            await self.now.read(is_still)
            while self.now.is_complete and await self._go_on(is_still):
                await self.now.read(is_still)
        finally:
            self.leave()
            self._ended_s = time.perf_counter()

    def cancel(self) -> None:
        """End it; the texts that are finished stay. From any thread."""
        self._left = self._left or bool(self._plan)
        self.now.stream.cancel()

    def leave(self) -> None:
        """End it, read or not; the engine gives lent models back."""
        self.cancel()
        self.now.leave()

    async def _go_on(self, is_wanted: Callable[[], bool]) -> bool:
        """Queue the next request; False where there is none, or nobody wants it."""
        while self._plan and is_wanted():
            try:
                following = _started(self.engine, self.proposals, self._plan[0], self.seed, self.session)
            except PlaygroundError as refusal:
                if refusal.status != 503:
                    self._refusal = str(refusal)
                    return False
                await asyncio.sleep(BUSY_S)
                continue
            self._kept, self._num_kept = self.pool, self._num_kept + self.now.num_samples
            self.now = following
            self._plan.popleft()  # last: whoever cancels from another thread finds a plan, or ends what follows
            return True
        return False


def _started(
    engine: Engine, proposals: Sequence[Proposal], turn: tuple[int, int, int], seed: int, session: str
) -> Drawing:
    which, first, num_texts = turn
    return Drawing.start(engine, proposals[which], num_texts, seed, numbered(which, first), session)
