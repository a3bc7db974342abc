"""The engine: one thread that serves everybody's requests with one model, and the messages it takes.

Knows nothing about pages or routes. Callers hold streams, keys and numbers, never a lane, a tensor or the model.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from playground.engine import writing
from playground.engine.budget import Budget, num_first_slots, slot_cost
from playground.engine.check import check
from playground.engine.failures import Guard
from playground.engine.fleet import Fleet
from playground.engine.job import Job
from playground.engine.meter import Meter
from playground.engine.pace import Pace
from playground.engine.records import Branch, Done, Reading, Request, Span, Step
from playground.engine.scheduler import Scheduler
from playground.engine.status import Status
from playground.engine.store import LogitsStore
from playground.engine.stream import Stream
from playground.engine.waiting import Waiting
from playground.engine.worker import Worker
from playground.errors import PlaygroundError
from playground.models.backend import Model

MB = 2**20
DEFAULT_NUM_THREADS = torch.get_num_threads()
"""Asked when this module is imported: later any thread that lowers its own number lowers what new threads are told."""


class Engine:
    """Continuous batching over a Model; close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        model: Model,
        *,
        others: Sequence[Model] = (),
        num_threads: int | None = None,
        max_lanes: int = 128,
        kv_budget_mb: int = 2048,
        store_budget_mb: int = 512,
        max_queue: int = 256,
        prefill_chunk: int = 512,
    ) -> None:
        """``others``: models of the same vocabulary, which branches of guidance may name. ``num_threads``: of torch,
        in the engine's thread; None or 0 leaves torch's own number."""
        self.model = model
        self.fleet = Fleet((model, *others))
        self.vocabulary = model.backend.vocabulary
        self.num_threads = num_threads or DEFAULT_NUM_THREADS
        self.store = LogitsStore(store_budget_mb * MB)
        self._meter = Meter()
        self._budget = Budget(max_lanes, kv_budget_mb * MB)
        pace = Pace(prefill_chunk)
        self._scheduler = Scheduler(self.fleet, self._budget, pace)
        self._worker = Worker(self.fleet, self._scheduler, self.store, pace, self._meter)
        self._guard = Guard(self._worker, self._scheduler)
        self._waiting = Waiting(max_queue)
        self._ages = itertools.count()
        self._unwanted: set[int] = set()
        """Numbers of lent models that go as soon as nobody runs on them."""
        self._streams: weakref.WeakValueDictionary[str, Stream] = weakref.WeakValueDictionary()
        self._news = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="playground-engine", daemon=True)
        self._thread.start()

    # Messages in

    def submit(self, work: Request | Reading) -> Stream:
        """Queue the work and answer at once. PlaygroundError where it can never run, or (503) the queue is full."""
        check(work, self.fleet)
        if isinstance(work, Request):
            work = replace(work, chain=work.chain.bind(self.vocabulary))
        cost = slot_cost(work, self.fleet)
        refusal = self._budget.refusal(cost, num_first_slots(work), work.priority)
        if refusal is not None:
            raise PlaygroundError(refusal)
        stream = Stream(work)
        with self._news:
            if self._closing:
                raise PlaygroundError("The engine is closed; start it again.", status=503)
            self._waiting.add(Job(work, stream, cost, next(self._ages)))
            self._streams[stream.id] = stream
            self._news.notify()
        return stream

    def cancel(self, stream_id: str) -> bool:
        """End a stream now; False where there is none of that id any more."""
        with self._news:
            stream = self._streams.get(stream_id)
        if stream is None or stream.done:
            return False
        stream.cancel()
        return True

    def cancel_session(self, session: str) -> int:
        """Somebody has left: end their streams and forget their rows. How many streams ended."""
        with self._news:
            streams = [stream for stream in self._streams.values() if stream.request.session == session]
        num_ended = sum(stream.abandon() for stream in streams)
        self.store.drop(session)
        return num_ended

    # Models for a while

    def lend(self, model: Model) -> int:
        """A model more (a tuned one, say), for branches to name by the number until ``withdraw``. PlaygroundError
        where its vocabulary is another one."""
        return self.fleet.lend(model)

    def withdraw(self, number: int) -> None:
        """End whatever still runs on a lent model, and forget it once its lanes are free."""
        with self._news:
            streams = [stream for stream in self._streams.values() if number in stream.request.models]
            self._unwanted.add(number)
            self._news.notify()
        for stream in streams:
            stream.cancel()

    # Rows

    def row(self, key: str) -> bytes:
        """The raw logits of one branch at one step, float32[V]; PlaygroundError (404) where they are not kept."""
        logits = self.store.get(key)
        if logits is None:
            raise PlaygroundError("This step's numbers are no longer kept; read them again with refill.", status=404)
        return logits.numpy().tobytes()

    def next_rows(
        self, prompt_ids: Sequence[int], negative_ids: Sequence[int] | None = None, session: str = ""
    ) -> tuple[str, str]:
        """Keys of the rows that follow the prompt and the negative (None: the prompt's last token), one batch."""
        others = () if negative_ids is None else (Branch(tuple(negative_ids)),)
        request = Request(tuple(prompt_ids), max_tokens=1, others=others, both_branches=True, session=session)
        step = writing.first_step(self.submit(request))
        return step.row_key, step.other_keys[0]

    def next_logits(self, text: str) -> Tensor:
        """float32[V], nats: the raw row that follows the text."""
        step = writing.first_step(self.submit(Request(tuple(self.vocabulary.encode(text)), max_tokens=1)))
        logits = self.store.get(step.row_key)
        assert logits is not None
        return logits

    def refill(self, token_ids: Sequence[int], first_position: int, keys: Sequence[str], session: str = "") -> None:
        """Put rows back under their keys by one teacher-forced pass: ``keys[i]`` names the row that follows the token
        at ``first_position + i``. They are marked recomputed. ``around`` in refilling.py builds this from Steps."""
        span = Span(tuple(token_ids), first_position, tuple(keys))
        writing.expect_good(self.submit(Reading((span,), session=session)).result())

    # Text

    def generate(self, prompt: str, **options: Any) -> Iterator[Step]:
        """Steps as they are drawn; the options are those of ``writing.request_for``."""
        return writing.steps(
            self.submit(writing.request_for(self.model, prompt, other_models=self.fleet.models[1:], **options))
        )

    def complete(self, prompt: str, **options: Any) -> str:
        """The whole text that follows the prompt."""
        return "".join(step.text for step in self.generate(prompt, **options))

    # State

    def status(self) -> Status:
        """Figures for people, from any thread."""
        with self._news:
            num_interactive, num_bulk = (self._waiting.num_waiting(line) for line in ("interactive", "bulk"))
            running = list(self._scheduler.running)
        guidance = self._meter.guidance_ms()
        writing = [job for job in running if isinstance(job.work, Request)]
        return Status(
            num_waiting_interactive=num_interactive,
            num_waiting_bulk=num_bulk,
            num_running=len(running),
            num_users_generating=len({job.work.session or job.stream.id for job in writing}),
            tokens_per_s=self._meter.tokens_per_s(),
            step_ms=self._meter.step_ms(),
            guidance_cost=None if guidance is None else guidance[0] / guidance[1],
            guidance_cost_ms=self.guidance_cost_ms,
            num_lanes_used=sum(self._budget.lanes_used.values()),
            num_lanes_interactive=self._budget.lanes_used["interactive"],
            num_lanes=self._budget.num_lanes,
            kv_bytes_used=self._budget.bytes_used,
            kv_bytes=self._budget.num_bytes,
            store_bytes=self.store.num_bytes,
            num_rows_kept=self.store.num_rows,
            num_threads=self.num_threads,
        )

    @property
    def guidance_cost_ms(self) -> float | None:
        """Milliseconds that the negative rows add to a step; None until steps with and without were measured."""
        guidance = self._meter.guidance_ms()
        return None if guidance is None else max(0.0, guidance[0] - guidance[1])

    def close(self) -> None:
        """End every stream and the thread."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The thread

    def _run(self) -> None:
        torch.set_num_threads(self.num_threads)
        try:
            with torch.no_grad():
                while self._take_news():
                    self._guard.round()
        finally:
            self._end_all()

    def _take_news(self) -> bool:
        """Sleep until there is work, free what was cancelled, admit what fits. False: the engine closes."""
        with self._news:
            self._news.wait_for(
                lambda: self._closing or len(self._waiting) or self._scheduler.running or self._unwanted
            )
        for job in self._scheduler.sweep():  # without the lock: freeing lanes may copy, and submit must not wait
            self.store.end(job.stream.id)
            if job.stream.abandoned:  # the round that was under way may have kept rows after they were forgotten
                self.store.drop(job.work.session)
        with self._news:
            self._waiting.forget_ended()
            self._take_back()
            for job in self._scheduler.admit(self._waiting):
                self.store.end(job.stream.id)
            self._waiting.number()
            return not self._closing

    def _take_back(self) -> None:
        """Forget the unwanted models that no work names any more."""
        for number in list(self._unwanted):
            if not any(number in job.work.models for job in [*self._waiting, *self._scheduler.running]):
                self._unwanted.remove(number)
                self.fleet.take_back(number)

    def _end_all(self) -> None:
        with self._news:
            self._closing = True
            for job in [*self._waiting, *self._scheduler.running]:
                job.stream.finish(Done("cancelled", "The engine was closed."))
            self._waiting.forget_ended()
            self._scheduler.sweep()
