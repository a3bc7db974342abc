"""The pools of one tab: being drawn, drawn, added to, cancelled; bounded, so that nobody fills the server with texts.

Knows nothing about HTTP or targets. Reading a stream needs an event loop; a pool that fails keeps what it has.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.control.evaluation import Evaluator
from playground.control.features import Feature
from playground.control.pool import Pool
from playground.engine import Engine
from playground.errors import PlaygroundError
from playground.studies.drawings import Drawings
from playground.studies.giving_way import Worker
from playground.studies.proposals import Proposal
from playground.studies.reading import Reading

MAX_POOLS, MAX_TEXTS = 6, 5_000
TOY = "toy"
ABANDONED_S = 120.0
"""A page asks how far it is several times a second; after so long without a question the tab is gone."""


@dataclass
class PoolRecord:
    """One pool: what it is drawn from, the finished part, and the drawing that goes on."""

    id: str
    label: str
    proposals: tuple[Proposal, ...]
    """One for each prompt."""
    seed: int
    kept: Pool = field(default_factory=Pool)
    """From drawings that have ended."""
    num_asked: int = 0
    """Texts of each prompt ever asked for: the number of the next one, so that no dart is thrown twice."""
    drawing: Drawings | None = None
    task: asyncio.Task[None] | None = None

    @property
    def pool(self) -> Pool:
        return self.kept if self.drawing is None else self.kept.with_rows(self.drawing.pool)

    def reserved(self, num_texts: int) -> int:
        """So many numbers that no text of this pool has had or will have; the first of them."""
        first, self.num_asked = self.num_asked, self.num_asked + num_texts
        return first

    @property
    def running(self) -> bool:
        """Until the last text is read: the engine is done with them earlier."""
        return self.task is not None and not self.task.done()

    def view(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "label": self.label,
            "prompts": [one.context for one in self.proposals],
            "num_texts": len(self.pool),
            "running": self.running,
            "progress": None if self.drawing is None else self.drawing.progress(),
        }


@dataclass
class Pools:
    """All pools of a tab, newest last, and what features made of their texts."""

    records: OrderedDict[str, PoolRecord] = field(default_factory=OrderedDict)
    _evaluator: Evaluator = field(default_factory=Evaluator)
    _reading: Reading | None = None
    """The newest; one that is no longer asked for ends."""
    _asked_s: float = field(default_factory=time.monotonic)

    def views(self) -> list[dict[str, Any]]:
        """How far each of them is. Asking keeps drawings alive."""
        self._asked_s = time.monotonic()
        return [record.view() for record in self.records.values()]

    def draw(
        self, engine: Engine, proposals: Sequence[Proposal], label: str, num_texts: int, seed: int, session: str
    ) -> PoolRecord:
        """Start a new pool of ``num_texts`` of each prompt; the oldest makes room."""
        record = PoolRecord(secrets.token_hex(8), label, tuple(proposals), seed)
        self._start(engine, record, num_texts, session)
        self.records[record.id] = record
        while len(self.records) > MAX_POOLS:
            self.drop(next(iter(self.records)))
        return record

    def add(self, engine: Engine, pool_id: str, num_texts: int, session: str) -> PoolRecord:
        """Draw more of the same into a pool; nothing that is there is drawn or scored again."""
        record = self.get(pool_id)
        if record.running:
            raise PlaygroundError("This pool is still being drawn; wait for it, or cancel it first.")
        self._start(engine, record, num_texts, session)
        return record

    def get(self, pool_id: str) -> PoolRecord:
        """One of this tab's pools; PlaygroundError (404) for anybody else's."""
        if pool_id not in self.records:
            raise PlaygroundError("This pool is not known here (any more); draw it again.", status=404)
        return self.records[pool_id]

    def alike(self, pool_id: str, others: Sequence[str]) -> list[str]:
        """Those of the others that follow the same prompts: after others, the same wish is another target."""
        prompts = {
            one: {(each.context, each.prompt_ids) for each in self.get(one).proposals} for one in (pool_id, *others)
        }
        return [one for one in others if prompts[one] == prompts[pool_id]]

    def cancel(self, pool_id: str) -> PoolRecord:
        """End the drawing; the texts that are finished stay."""
        record = self.get(pool_id)
        if record.drawing is not None:
            record.drawing.cancel()
        return record

    def drop(self, pool_id: str) -> None:
        """Forget a pool, drawn or not."""
        record = self.cancel(pool_id)
        if record.task is not None:
            record.task.cancel()
        if record.drawing is not None:  # a task that was cancelled before it began left nothing tidy
            record.drawing.leave()
        del self.records[pool_id]

    def texts(self, pool_id: str) -> Pool:
        """A pool as it stands (on the event loop, which also reads the stream); the toy's is empty here."""
        return Pool() if pool_id == TOY else self.get(pool_id).pool

    def read(
        self, pool_ids: Sequence[str], features: Sequence[Feature], worker: Worker, is_busy: Callable[[], bool]
    ) -> Reading:
        """Have pools read under features (on the event loop): what is read already, or goes on being read."""
        if not features:
            raise PlaygroundError("Name at least one feature: what should the texts be like?")
        pools = [(one, self.get(one).pool) for one in pool_ids]
        if not len(pools[0][1]):
            raise PlaygroundError("There are no texts yet: draw a pool first.")
        made = Reading.of(features, pools, self._reading)
        if self._reading is not None:
            if self._reading.key == made.key and self._reading.is_usable:
                return self._reading
            self._reading.stop()
        self._reading = made
        made.start(self._evaluator, worker, is_busy)
        return made

    def leave(self) -> None:
        """The tab is gone: nothing is read or drawn for it any more. From any thread."""
        for record in list(self.records.values()):
            if record.drawing is not None:
                record.drawing.cancel()
        if self._reading is not None:
            self._reading.end()

    def _is_wanted(self) -> bool:
        return time.monotonic() - self._asked_s < ABANDONED_S

    def _start(self, engine: Engine, record: PoolRecord, num_texts: int, session: str) -> None:
        num_prompts = len(record.proposals)
        if len(record.pool) + num_texts * num_prompts > MAX_TEXTS:
            each = f" ({MAX_TEXTS // num_prompts:,} of each of {num_prompts} prompts)" if num_prompts > 1 else ""
            raise PlaygroundError(
                f"A pool of this page holds at most {MAX_TEXTS:,} texts{each}; scripts may draw more."
            )
        self._asked_s = time.monotonic()
        drawing = Drawings.start(engine, record.proposals, num_texts, record.seed, record.num_asked, session)
        record.reserved(num_texts)
        record.kept, record.drawing = record.pool, drawing
        record.task = asyncio.get_running_loop().create_task(drawing.read(self._is_wanted))
