"""A Stream: what a caller holds while the engine works; read it with ``for`` or ``async for``.

Knows nothing about models or scheduling: a queue with one writer and one reader, which never blocks the writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator

from playground.engine.records import Done, Progress, Reading, Request, Step

Item = Step | Progress | Done


class Stream:
    """Steps as they are drawn (of a search also what it looks at), then one Done, which ends both kinds of iteration.

    A reader that is slow only lets its own queue grow (by at most max_tokens * num_samples items).
    """

    def __init__(self, request: Request | Reading) -> None:
        self.id = secrets.token_hex(16)
        self.request = request
        self.position = 0
        """Place in the queue, 1 = next; 0 once the work has started or ended."""
        self.abandoned = False
        """Its session has left."""
        self._items: deque[Item] = deque()
        self._done: Done | None = None
        self._changed = threading.Condition()
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    @property
    def done(self) -> Done | None:
        """The end, as soon as it is known; Steps before it may still wait to be read."""
        return self._done

    def cancel(self) -> None:
        """End the stream now; the engine frees its lanes before the next plan."""
        self.finish(Done("cancelled"))

    def put(self, item: Step | Progress) -> None:
        """Deliver one step (engine only); after the end it is dropped."""
        self._append(item)

    def finish(self, done: Done) -> bool:
        """Deliver the end; only the first one counts, and the answer says whether this was it."""
        return self._append(done)

    def abandon(self) -> bool:
        """End it because its session has left, and nobody will ask for its rows."""
        self.abandoned = True
        return self.finish(Done("cancelled"))

    def drain(self) -> list[Item]:
        """Everything that has arrived and was not read yet, without waiting."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            return items

    def result(self, timeout_s: float | None = None) -> Done:
        """Wait for the end and leave the items unread; TimeoutError after ``timeout_s``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._done is not None, timeout_s):
                raise TimeoutError(f"stream {self.id} has not ended after {timeout_s} s")
        assert self._done is not None
        return self._done

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._done is not None)
                if not self._items:
                    return
                item = self._items.popleft()
            yield item

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            with self._changed:
                item = self._items.popleft() if self._items else None
                if item is None and self._done is not None:
                    return
                arrival = None if item else self._wait_in(asyncio.get_running_loop())
            if item is not None:
                yield item
            elif arrival is not None:
                await arrival

    def _wait_in(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """A future that the next arrival resolves (called with the lock held)."""
        arrival: asyncio.Future[None] = loop.create_future()
        self._waiter = (loop, arrival)
        return arrival

    def _append(self, item: Item) -> bool:
        with self._changed:
            if self._done is not None:
                return False
            self._items.append(item)
            if isinstance(item, Done):
                self._done, self.position = item, 0
            waiter, self._waiter = self._waiter, None
            self._changed.notify_all()
        if waiter is not None:
            loop, arrival = waiter
            # The reader's loop may have closed in between: nobody is left to wake.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, arrival)
        return True


def _resolve(arrival: asyncio.Future[None]) -> None:
    if not arrival.done():  # the reader may have been cancelled while it waited
        arrival.set_result(None)
