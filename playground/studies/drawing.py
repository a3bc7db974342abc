"""Drawing a pool through the engine: steps in, finished texts out, with rate and remaining time; it can be left early.

Knows nothing about features or pages. A pool holds the finished texts up to the first one still being written: taking
whatever is finished would fill half-drawn pools with short texts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from playground.control.pool import Pool
from playground.control.texts import Text
from playground.engine import Done, Engine, Item, Step, Stream
from playground.errors import PlaygroundError
from playground.sampling.draw import Purpose, uniform
from playground.studies.proposals import Proposal

LN2 = math.log(2.0)


@dataclass
class _Row:
    """A text on its way."""

    token_ids: list[int] = field(default_factory=list)
    log_base: float = 0.0
    log_proposal: float = 0.0
    finished: bool = False


@dataclass
class Drawing:
    """One request for texts; ``take`` every item of its stream, look at ``pool`` whenever you like."""

    engine: Engine
    proposal: Proposal
    num_samples: int
    seed: int
    first_sample: int
    stream: Stream
    lent: int | None = None
    """The number of the proposal's own model, which the engine has for as long as the drawing lasts."""
    started_s: float = field(default_factory=time.perf_counter)
    _rows: dict[int, _Row] = field(default_factory=dict)
    _num_ready: int = 0
    _num_finished: int = 0
    _pool: Pool = field(default_factory=Pool)
    _ended_s: float | None = None

    @classmethod
    def start(
        cls,
        engine: Engine,
        proposal: Proposal,
        num_samples: int,
        seed: int = 0,
        first_sample: int = 0,
        session: str = "",
    ) -> Drawing:
        """Queue the request; PlaygroundError where it can never run."""
        seed = proposal.seed_of(seed)
        lent = None if proposal.model is None else engine.lend(proposal.model)
        try:
            stream = engine.submit(proposal.request(num_samples, seed, first_sample, session, lent or 0))
        except PlaygroundError:
            if lent is not None:
                engine.withdraw(lent)
            raise
        return cls(engine, proposal, num_samples, seed, first_sample, stream, lent)

    def take(self, item: Item) -> None:
        """One item of the stream; what a search looks at on its way is no text."""
        if isinstance(item, Done):
            self._ended_s = time.perf_counter()
            return
        if not isinstance(item, Step):
            return
        row = self._rows.setdefault(item.sample, _Row())
        row.token_ids.append(item.token_id)
        row.log_base -= item.surprisal_bits * LN2
        row.log_proposal += item.logprob_final
        if item.end is not None:
            row.finished = True
            self._num_finished += 1

    @property
    def pool(self) -> Pool:
        """The finished texts before the first unfinished one, in the order of their numbers."""
        if len(ready := self.next_ready()):
            self._pool = self._pool.with_rows(ready)
        return self._pool

    def next_ready(self) -> Pool:
        """Those that have become so since they were last asked for; for whoever never looks at ``pool``."""
        ready: list[int] = []
        number = self.first_sample + self._num_ready
        while (row := self._rows.get(number)) is not None and row.finished:
            ready.append(number)
            number += 1
        if not ready:
            return Pool()
        made = self._made(ready)
        self._num_ready += len(ready)
        for done in ready:
            del self._rows[done]
        return made

    @property
    def is_complete(self) -> bool:
        """Whether every text that was asked for is finished."""
        return self._num_finished == self.num_samples

    def progress(self) -> dict[str, Any]:
        """How far it is, for people: counts, texts a second, seconds that are left."""
        elapsed_s = (self._ended_s or time.perf_counter()) - self.started_s
        rate = self._num_finished / elapsed_s if elapsed_s > 0 else 0.0
        left = self.num_samples - self._num_finished
        done = self.stream.done
        failed = done.message if done is not None and done.reason == "error" else ""
        return {
            "num_done": self._num_finished,
            "num_writing": sum(not row.finished for row in list(self._rows.values())),
            "num_wanted": self.num_samples,
            "per_s": rate,
            "remaining_s": left / rate if rate > 0 and done is None else (0.0 if done is not None else None),
            "queue_place": self.stream.position,
            "done": done is not None,
            "cancelled": done is not None and done.reason == "cancelled",
            "error": failed,
        }

    def run(self) -> Iterator[Drawing]:
        """Read to the end (scripts); itself after every finished text. Leaving early cancels the request."""
        try:
            for item in self.stream:
                self.take(item)
                if isinstance(item, Step) and item.end is not None:
                    yield self
        finally:
            self.leave()
        if (done := self.stream.done) is not None and done.reason == "error":
            raise PlaygroundError(done.message, status=500)

    async def read(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Read to the end, or until nobody wants it (pages); whoever cancels the task cancels the request."""
        try:
            async for item in self.stream:
                self.take(item)
                if not is_wanted():
                    return
        finally:
            self.leave()
            self._ended_s = self._ended_s or time.perf_counter()

    def leave(self) -> None:
        """End it, read or not; the engine gives a lent model back."""
        self.stream.cancel()
        if self.lent is not None:
            self.engine.withdraw(self.lent)
            self.lent = None

    def _made(self, numbers: list[int]) -> Pool:
        decode = self.engine.model.backend.vocabulary.decode
        rows = [self._rows[number] for number in numbers]
        log_base = np.array([row.log_base for row in rows])
        log_proposal = log_base.copy() if self.proposal.is_base else np.array([row.log_proposal for row in rows])
        return Pool(
            tuple(Text(decode(row.token_ids), len(row.token_ids), -row.log_base / LN2) for row in rows),
            log_base,
            log_proposal,
            np.array([uniform(self.seed, number, 0, Purpose.ACCEPT) for number in numbers]),
            (self.proposal.context,) * len(rows),
            tuple(tuple(row.token_ids) for row in rows),
            self.proposal.truncates or not log_proposal.any(),  # all certain: greedy, at temperature 0
        )
