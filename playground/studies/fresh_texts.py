"""Fresh texts of one or several proposals in an order that is fixed before they are written.

Knows nothing about features or targets. The order is that of numbers, never of who was finished first: whoever stops
in the middle has not favoured short texts. Several prompts take turns by darts, so that the texts are independent draws
of the mixture, however early somebody stops.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from playground.control.pool import Pool
from playground.engine import Done, Engine, Item
from playground.errors import PlaygroundError
from playground.sampling.draw import Purpose, uniform
from playground.studies.drawing import Drawing
from playground.studies.proposals import MAX_DRAWN, Proposal, numbered

A_ROUND = 64
"""Texts that each of several prompts is asked for at a time: those of one prompt must not all come before the next."""
BUSY_S = 1.0
"""Where the queue is full between two requests, until the next try."""


@dataclass(frozen=True)
class FreshRows:
    """Texts that are ready, in order, and the number under which each one was drawn."""

    rows: Pool
    numbers: tuple[int, ...]

    def pieces(self, size: int) -> Iterator[FreshRows]:
        """So many at a time."""
        for start in range(0, len(self.numbers), size):
            at = range(start, min(start + size, len(self.numbers)))
            yield FreshRows(self.rows.of(at), self.numbers[start : at.stop])


@dataclass
class _Reading:
    """One proposal's request of this round."""

    drawing: Drawing
    number: int
    """That of the next text."""
    ready: deque[Pool] = field(default_factory=deque)
    items: Iterator[Item] | None = None
    items_soon: AsyncIterator[Item] | None = None

    def take(self, *items: Item) -> None:
        """These items, and all that have arrived behind them: what judges texts judges many at once."""
        for one in (*items, *self.drawing.stream.drain()):
            self.drawing.take(one)
        ready = self.drawing.next_ready()
        self.ready.extend(ready.of([row]) for row in range(len(ready)))

    def check(self) -> None:
        """Why nothing more comes; PlaygroundError where that is a fault."""
        done = self.drawing.stream.done
        if done is not None and done.reason == "error":
            raise PlaygroundError(done.message, status=500)


@dataclass
class FreshTexts:
    """At most ``max_texts`` of them; read with ``read`` or ``read_soon`` until nothing comes, and ``close``."""

    engine: Engine
    proposals: Sequence[Proposal]
    """One for each prompt; they count alike."""
    seed: int
    max_texts: int
    reserve: Callable[[int], int]
    """Takes so many numbers for which no dart was ever thrown and answers the first of them."""
    session: str = ""
    num_asked: int = 0
    _first: int = 0
    """The first number of this round, of every prompt."""
    _order: deque[int] = field(default_factory=deque)
    """Whose turn it is: the numbers of the proposals of the texts that this round still owes."""
    _readings: dict[int, _Reading] = field(default_factory=dict)
    _begun: bool = False
    _closed: bool = False

    def read(self) -> FreshRows:
        """Wait for the next ones (scripts); nothing where all have been told or somebody has ended it."""
        while (reading := self._awaited()) is not None:
            if not reading.ready:
                reading.items = reading.items or iter(reading.drawing.stream)
                self._took(reading, next(reading.items, None))
            if fresh := self._ready():
                return fresh
        return FreshRows(Pool(), ())

    async def read_soon(self) -> FreshRows:
        """The same on an event loop (pages), where a queue that has become full is waited for."""
        while (reading := await self._awaited_soon()) is not None:
            if not reading.ready:
                reading.items_soon = reading.items_soon or aiter(reading.drawing.stream)
                self._took(reading, await anext(reading.items_soon, None))
            if fresh := self._ready():
                return fresh
        return FreshRows(Pool(), ())

    def take_in(self) -> None:
        """What has arrived, while somebody is slow to judge: tokens on their way need much more room than texts."""
        for reading in self._readings.values():
            reading.take()

    def close(self) -> None:
        """End the requests: the engine stops writing at once."""
        self._closed = True
        for reading in self._readings.values():
            reading.drawing.leave()

    @property
    def queue_place(self) -> int:
        """Of the text that is waited for; 0 once it is being written."""
        reading = self._readings.get(self._order[0]) if self._order else None
        return 0 if reading is None else reading.drawing.stream.position

    def _awaited(self) -> _Reading | None:
        """Whose next text is to come. A prompt's request of this round is queued when its first turn comes."""
        if self._closed or not (self._order or self._start_round()):
            return None
        which = self._order[0]
        if which not in self._readings:
            number, size, proposal = numbered(which, self._first), self._order.count(which), self.proposals[which]
            drawing = Drawing.start(self.engine, proposal, size, self.seed, number, self.session)
            self._readings[which], self._begun = _Reading(drawing, number), True
        return self._readings[which]

    async def _awaited_soon(self) -> _Reading | None:
        while True:
            try:
                return self._awaited()
            except PlaygroundError as refusal:
                if refusal.status != 503 or not self._begun:
                    raise
                await asyncio.sleep(BUSY_S)

    def _start_round(self) -> bool:
        """Throw the darts for the order of the next texts; False where there are none to come."""
        num_prompts = len(self.proposals)
        size = min(MAX_DRAWN if num_prompts == 1 else A_ROUND * num_prompts, self.max_texts - self.num_asked)
        if size < 1:
            return False
        for reading in self._readings.values():
            reading.drawing.leave()
        self._readings.clear()
        self._first = self.reserve(size)
        self.num_asked += size
        darts = (uniform(self.seed, self._first + place, 0, Purpose.PROMPT) for place in range(size))
        self._order.extend([0] * size if num_prompts == 1 else (int(dart * num_prompts) for dart in darts))
        return True

    def _took(self, reading: _Reading, item: Item | None) -> None:
        if item is not None:
            reading.take(item)
        if (item is None or isinstance(item, Done)) and not reading.ready:
            reading.check()
            self.close()  # somebody has left, and no more is to come

    def _ready(self) -> FreshRows | None:
        """Everything that is ready and whose turn it is."""
        rows: list[Pool] = []
        numbers: list[int] = []
        while self._order and (reading := self._readings.get(self._order[0])) is not None and reading.ready:
            self._order.popleft()
            rows.append(reading.ready.popleft())
            numbers.append(reading.number)
            reading.number += 1
        if not rows:
            return None
        return FreshRows(Pool.joined(rows), tuple(numbers))
