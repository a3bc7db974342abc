"""Long work that gives way: pieces run on a worker of their own, and people who generate go first.

Knows nothing about what the pieces are, and starts no thread: the worker is handed to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any, Protocol, TypeVar

from playground.engine import Engine

T = TypeVar("T")
POLL_S = 0.05
LONGEST_WAIT_S = 2.0
"""After so long one piece runs all the same: work that is never done is worse than a text that stutters once."""


class Worker(Protocol):
    """What ``engine.one_thread_worker`` makes."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any) -> Any: ...


async def in_pieces(pieces: Iterator[T], worker: Worker, is_busy: Callable[[], bool]) -> AsyncGenerator[T, None]:
    """Every piece as it is made. Leaving early closes the generator behind the piece that runs at that moment."""
    nothing = object()
    try:
        while True:
            await _give_way(is_busy)
            piece: Any = await asyncio.shield(asyncio.wrap_future(worker.submit(next, pieces, nothing)))
            if piece is nothing:
                return
            yield piece
    finally:
        if isinstance(pieces, Generator):
            worker.submit(pieces.close)


async def _give_way(is_busy: Callable[[], bool]) -> None:
    waited_s = 0.0
    while is_busy() and waited_s < LONGEST_WAIT_S:
        await asyncio.sleep(POLL_S)
        waited_s += POLL_S


def serving(engine: Engine) -> Callable[[], bool]:
    """Whether somebody's interactive work runs or waits at this moment."""

    def is_busy() -> bool:
        status = engine.status()
        return bool(status["num_lanes_interactive"] or status["num_waiting_interactive"])

    return is_busy
