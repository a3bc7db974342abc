"""Reading the texts of pools under features, piece by piece: what is read so far is there at once, the rest follows.

Knows nothing about targets, engines or pages. A piece is short, so that those of several tabs take turns on a worker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from playground.control.arrays import Floats
from playground.control.evaluation import Evaluated, Evaluator
from playground.control.features import Feature
from playground.control.pool import Pool
from playground.errors import UNFORESEEN, PlaygroundError
from playground.studies.analysis import Analysis
from playground.studies.giving_way import Worker, in_pieces

log = logging.getLogger(__name__)
BATCH, FEW, PIECE_S = 16, 2, 0.03
"""Texts that a classifier reads together, and others at a time; how long a piece goes on with more of them."""
ABANDONED_S = 10.0
"""A page that shows how far it is asks twice a second; after so long without a question nobody waits for it."""


def at_a_time(features: Sequence[Feature]) -> int:
    """Texts that are read together. Few, since nobody knows how long one takes: strangers may ask for sixty patterns
    of ten milliseconds each."""
    return BATCH if any(one.readers for one in features) else FEW


@dataclass
class Part:
    """One pool with the table of what is read so far: its first ``num_read`` texts, so that nothing is chosen."""

    id: str
    pool: Pool
    values: Floats
    """float64[N,F], NaN from row ``num_read`` on, and in rows that have a reason."""
    reasons: dict[int, str] = field(default_factory=dict)
    num_read: int = 0
    _analysis: Analysis | None = None

    def analysis(self, features: tuple[Feature, ...]) -> Analysis | None:
        """What is read so far; None while that is too little to say anything."""
        if self._analysis is not None:
            return self._analysis
        num_read, num_texts = self.num_read, len(self.pool)
        known = {row: why for row, why in self.reasons.copy().items() if row < num_read}
        if num_read < num_texts and num_read - len(known) < 2:
            return None
        part = self.pool if num_read == num_texts else self.pool.of(range(num_read))
        made = Analysis.read(part, features, Evaluated(self.values[:num_read], known))
        if num_read == num_texts:
            self._analysis = made
        return made

    def take_over(self, old: Part) -> None:
        """What was read when the pool was shorter."""
        self.num_read = min(old.num_read, len(self.pool))
        self.values[: self.num_read] = old.values[: self.num_read]
        self.reasons = {row: why for row, why in old.reasons.copy().items() if row < self.num_read}

    def read(self, features: Sequence[Feature], evaluator: Evaluator) -> Iterator[None]:
        """Read on; yields after each piece."""
        size = at_a_time(features)
        until = time.monotonic() + PIECE_S
        while self.num_read < len(self.pool):
            start, stop = self.num_read, min(len(self.pool), self.num_read + size)
            found = evaluator.table(features, self.pool.texts[start:stop])
            self.values[start:stop] = found.values
            self.reasons.update({start + row: why for row, why in found.reasons.items()})
            self.num_read = stop
            if time.monotonic() >= until or stop == len(self.pool):
                yield
                until = time.monotonic() + PIECE_S


@dataclass
class Reading:
    """Some pools of one tab under some features, the one that is looked at first."""

    features: tuple[Feature, ...]
    parts: tuple[Part, ...]
    error: PlaygroundError | None = None
    """Why nothing can be read with one of the features."""
    asked_s: float = field(default_factory=time.monotonic)
    _stopped: bool = False
    _num_patient: int = 0
    _looked_at: bool = False
    _task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, features: Sequence[Feature], pools: Sequence[tuple[str, Pool]], old: Reading | None = None) -> Reading:
        """Of pools (id and texts); what ``old`` has read under the same features is read already."""
        parts = tuple(Part(name, pool, np.full((len(pool), len(features)), np.nan)) for name, pool in pools)
        made = cls(tuple(features), parts)
        if old is not None and old.key[0] == made.key[0]:
            earlier = {part.id: part for part in old.parts}
            for part in parts:
                if part.id in earlier:
                    part.take_over(earlier[part.id])
        return made

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for readings of the same texts under the same features: a pool only grows."""
        return tuple(one.key for one in self.features), tuple((part.id, len(part.pool)) for part in self.parts)

    @property
    def num_texts(self) -> int:
        return sum(len(part.pool) for part in self.parts)

    @property
    def num_done(self) -> int:
        return sum(part.num_read for part in self.parts)

    @property
    def complete(self) -> bool:
        return self.num_done == self.num_texts

    @property
    def is_usable(self) -> bool:
        """Whether it has everything, or will have: not failed, not left early."""
        running = self._task is not None and not self._task.done() and not self._stopped
        return self.error is None and (running or self.complete)

    @property
    def models(self) -> list[str]:
        """The models that read."""
        return list(dict.fromkeys(name for one in self.features for name in one.readers))

    def start(self, evaluator: Evaluator, worker: Worker, is_busy: Callable[[], bool]) -> None:
        """Begin, in the background of this event loop; ``is_busy``: whether somebody goes first."""
        self._task = asyncio.get_running_loop().create_task(self._drive(evaluator, worker, is_busy))

    async def wait(self, longest_s: float | None = None) -> None:
        """Until everything is read, or once for so long. PlaygroundError where a feature cannot be had at all."""
        self.asked_s = time.monotonic()
        assert self._task is not None
        if longest_s is not None:  # who looks again, or drags meanwhile, is shown what is there
            longest_s, self._looked_at = 0.0 if self._looked_at else longest_s, True
        self._num_patient += longest_s is None
        try:
            await asyncio.wait({self._task}, timeout=longest_s)
        finally:
            self._num_patient -= longest_s is None
        if self.error is not None:
            raise self.error
        if longest_s is None and not self.complete:
            raise PlaygroundError("The texts were not read to their end: this tab was closed. Ask again.", status=409)

    def stop(self) -> None:
        """The page asks for something else now; whoever waits for all of it still gets it."""
        self._stopped = self._num_patient == 0

    def end(self) -> None:
        """The tab is gone; from any thread."""
        self._stopped = True

    def view(self) -> dict[str, Any] | None:
        """How far it is, for people; None where everything is read."""
        done, models = self.num_done, ", ".join(self.models)
        if done == self.num_texts:
            return None
        words = f"Reading {self.num_texts:,} texts{f' with {models}' if models else ''}: {done:,} done"
        if models and not done:
            words = f"Waiting for {models} to read {self.num_texts:,} texts; it may have to be loaded first"
        return {"num_done": done, "num_texts": self.num_texts, "words": words}

    def analysis(self, pool_id: str) -> Analysis | None:
        """One of the pools as far as it is read; None while that is too little."""
        return next(part for part in self.parts if part.id == pool_id).analysis(self.features)

    def _is_wanted(self) -> bool:
        return not self._stopped and (self._num_patient > 0 or time.monotonic() - self.asked_s < ABANDONED_S)

    def _pieces(self, evaluator: Evaluator) -> Iterator[None]:
        for part in self.parts:
            yield from part.read(self.features, evaluator)

    async def _drive(self, evaluator: Evaluator, worker: Worker, is_busy: Callable[[], bool]) -> None:
        try:
            async with aclosing(in_pieces(self._pieces(evaluator), worker, is_busy)) as pieces:
                async for _ in pieces:
                    if not self._is_wanted():
                        return
        except PlaygroundError as error:
            self.error = error
        except Exception:
            log.exception("texts could not be read")
            self.error = PlaygroundError(UNFORESEEN, status=500)
