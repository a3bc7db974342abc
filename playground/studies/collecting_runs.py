"""A collection of one tab: read on the event loop, judged on a worker, over when its rule says so or nobody asks.

Knows nothing about HTTP or JSON bodies.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playground.errors import UNFORESEEN, PlaygroundError
from playground.studies.collecting import Collection
from playground.studies.collecting_views import Promise, collection_view
from playground.studies.fresh_texts import FreshTexts
from playground.studies.giving_way import Worker
from playground.studies.reading import at_a_time

log = logging.getLogger(__name__)
ABANDONED_S = 120.0
"""A page asks how far it is several times a second; after so long without a question the tab is gone."""
LOOK_S = 1.0


@dataclass
class CollectingRun:
    """One collection under way, or over."""

    source: FreshTexts
    collection: Collection
    promise: Promise
    label: str
    """Of the pool whose proposal it is."""
    model: str
    fault: str = ""
    asked_s: float = field(default_factory=time.monotonic)
    started_s: float = field(default_factory=time.perf_counter)
    ended_s: float | None = None
    task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self.task is not None and not self.task.done()

    def start(self, worker: Worker) -> None:
        """Begin, in the background of this event loop."""
        self.task = asyncio.get_running_loop().create_task(self._run(worker))

    def cancel(self) -> None:
        """End it; what was accepted stays. From any thread."""
        if self.task is not None and self.running:
            self.task.get_loop().call_soon_threadsafe(self._end)

    async def ended(self) -> None:
        """Until it is over."""
        if self.task is not None:
            await asyncio.wait({self.task})

    def viewing(self, since: int = 0) -> Callable[[], dict[str, Any]]:
        """How far it is, to be made into plain data on a worker. Asking keeps it alive."""
        self.asked_s = time.monotonic()
        collection = self.collection.as_it_stands()
        elapsed_s = (self.ended_s or time.perf_counter()) - self.started_s
        per_s = collection.num_proposed / elapsed_s if elapsed_s > 0 else 0.0
        run = {
            "running": self.running,
            "label": self.label,
            "prompts": [one.context for one in self.source.proposals],
            "fault": self.fault,
            "per_s": per_s,
            "remaining_s": self._num_left() / per_s if per_s > 0 and self.running else None,
            "queue_place": self.source.queue_place,
        }
        return lambda: run | collection_view(collection, self.promise, since)

    def exporting(self) -> Callable[[], dict[str, Any]]:
        """Everything as it stands, to be made into plain data on a worker, for another program."""
        collection, promise = self.collection.as_it_stands(), self.promise

        def made() -> dict[str, Any]:
            return {
                "model": self.model,
                "proposal": self.label,
                "seed": self.source.seed,
                "target": [{name: one[name] for name in ("label", "exponent", "target")} for one in promise.means],
                "fit": promise.fit,
                "expected_tvd": promise.tvd,
                **collection.to_json(),
            }

        return made

    def _num_left(self) -> float:
        """Proposals still to come, by the rate so far with the pool's word for a start."""
        collection, rule = self.collection, self.collection.aim.rule
        left = float(rule.max_proposals - collection.num_proposed)
        if rule.num_accepted is None:
            return left
        rate = (collection.num_accepted + 1) / (collection.num_proposed + 1 / max(self.promise.rate, 1e-9))
        return min(left, (rule.num_accepted - collection.num_accepted) / rate)

    def _end(self) -> None:
        self.collection.end()
        self.source.close()

    async def _run(self, worker: Worker) -> None:
        watch, size = asyncio.create_task(self._watch()), at_a_time(self.collection.aim.features)
        try:
            while self.collection.reason is None:
                fresh = await self.source.read_soon()
                if not fresh.numbers:
                    break
                for piece in fresh.pieces(size):  # tabs take turns on the worker
                    if self.collection.reason is None:
                        judged = await asyncio.wrap_future(worker.submit(self.collection.judge, piece))
                        self.collection.add(judged)
                        self.source.take_in()
        except PlaygroundError as error:
            self.fault = str(error)
        except Exception:
            log.exception("a collection failed")
            self.fault = UNFORESEEN
        finally:
            watch.cancel()
            self._end()
            self.ended_s = time.perf_counter()

    async def _watch(self) -> None:
        """End what nobody asks about."""
        while time.monotonic() - self.asked_s < ABANDONED_S:
            await asyncio.sleep(min(LOOK_S, ABANDONED_S / 4))
        self.fault = "Stopped: nobody had asked about it for two minutes."
        self._end()
