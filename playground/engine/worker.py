"""One round of the engine: a forward for everyone, then guidance, chain, draw and delivery.

Knows nothing about the queue, failures or other threads; of the engine it alone touches the logits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.engine.decide import Ask, Decision, decide
from playground.engine.fleet import Fleet
from playground.engine.forwarding import Answer, forward
from playground.engine.job import Job, Sample
from playground.engine.meter import Meter, StepTimes
from playground.engine.pace import Pace
from playground.engine.planning import Payment, load
from playground.engine.records import Done, Reading, Reason, Request, Step
from playground.engine.scheduler import Scheduler
from playground.engine.store import LogitsStore
from playground.errors import PlaygroundError
from playground.sampling.branches import Coins

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """A sample whose rows have arrived: float32[branches, V]."""

    job: Job
    sample: Sample
    rows: Tensor

    @property
    def request(self) -> Request:
        assert isinstance(self.job.work, Request)
        return self.job.work

    @property
    def index(self) -> int:
        """The number of the token, and of its dart."""
        return len(self.request.continued_ids) + self.sample.num_written

    @property
    def coins(self) -> Coins:
        """The numbers of the chain's random stages."""
        return self.request.chain.coins(self.request.seed, self.sample.number, self.index)


class Worker:
    """Turns plans into Steps."""

    def __init__(self, fleet: Fleet, scheduler: Scheduler, store: LogitsStore, pace: Pace, meter: Meter) -> None:
        self._fleet = fleet
        self._scheduler = scheduler
        self._store = store
        self._pace = pace
        self._meter = meter

    def round(self, plan: Sequence[Payment]) -> None:
        """Forward what is owed, draw for every sample whose rows are there, deliver."""
        start_s = time.perf_counter()
        answers = forward(self._fleet, [(payment.gang, payment.chunks) for payment in plan])
        forward_s = time.perf_counter()
        ready = self._settle(plan, answers)
        decisions = self._decide(ready)
        num_found = self._pursue()
        chain_s = time.perf_counter()
        for one, decision in zip(ready, decisions, strict=True):
            self._deliver(one, decision)
        times = StepTimes(forward_s - start_s, chain_s - forward_s, time.perf_counter() - chain_s)
        self._meter.observe(times, len(ready) + num_found)
        self._learn(plan, times)

    def _settle(self, plan: Sequence[Payment], answers: Sequence[Answer]) -> list[Ready]:
        """Hand the rows of one forward to those who wait for them."""
        ready = []
        for payment, answer in zip(plan, answers, strict=True):
            job, gang, rows = payment.job, payment.gang, answer.rows
            if isinstance(job.work, Reading):
                self._keep_read(payment, job.work, rows)
            elif job.pursuit is not None:
                for first, states in answer.states:
                    job.pursuit.see(gang, first, states)
                if not gang.num_owed:
                    job.pursuit.take(gang, rows)
            elif gang is job.root and not gang.num_owed:
                job.root_rows = rows.clone()
            elif not gang.num_owed:
                ready.append(Ready(job, next(sample for sample in job.samples if sample.gang is gang), rows))
        return ready + self._first_draws()

    def _pursue(self) -> int:
        """Searches whose rows have all arrived go on by a token; the number of Steps that were found."""
        num_found = 0
        for job in list(self._scheduler.running):
            pursuit = job.pursuit
            if pursuit is None or not pursuit.is_ready or job.stream.done:
                continue
            try:
                turn = pursuit.advance(self._scheduler.spread)
            except Exception as error:  # a chain, or a fork that found no memory: the others' lanes are as they were
                self.end(job, Done("error", explain(error)))
                continue
            if turn.progress is not None:
                job.stream.put(turn.progress)
            for step, rows in turn.steps:
                if rows is not None:
                    self._keep(job, pursuit.request, step, rows)
                job.stream.put(step)
            num_found += len(turn.steps)
            if turn.end is not None:
                self.end(job, Done(turn.end, self._why(pursuit.request, pursuit.room, turn.end)))
        return num_found

    def _first_draws(self) -> list[Ready]:
        """Samples that start now: they all draw from the rows of the prompt they share."""
        ready = []
        for job in [job for job in self._scheduler.running if job.root_rows is not None]:
            rows = job.root_rows
            assert rows is not None
            try:
                ready += [Ready(job, sample, rows) for sample in self._scheduler.start_samples(job)]
            except Exception as error:  # a fork that found no memory: the others' lanes are as they were
                self.end(job, Done("error", explain(error)))
                continue
            if job.root is None:
                job.root_rows = None
        return ready

    def _decide(self, ready: Sequence[Ready]) -> list[Decision | Exception]:
        """One decision a sample, in order."""
        if not ready:
            return []
        asks = [
            Ask(
                one.request.chain,
                one.request.guidance,
                one.index,
                one.request.dart(one.sample.number, one.index),
                one.sample.history,
                len(one.request.prompt_ids),
                one.sample.memory,
                one.coins,
            )
            for one in ready
        ]
        return decide(asks, torch.stack([one.rows[0] for one in ready]), [one.rows[1:] for one in ready])

    def _deliver(self, one: Ready, decision: Decision | Exception) -> None:
        """Write the token down, tell the reader, and free what has ended."""
        job, sample = one.job, one.sample
        if job.stream.done:  # cancelled meanwhile, or another sample of it has failed
            return
        if isinstance(decision, Exception):
            self.end(job, Done("error", explain(decision), sample.number))
            return
        dart = one.request.dart(sample.number, one.index)
        step = sample.teller.tell(decision, dart, sample.memory, len(one.rows), sample.gang.layers, one.coins)
        sample.write(decision.token_id)
        sample.memory = decision.memory
        self._keep(job, one.request, step, one.rows)
        job.stream.put(step)
        if step.end is not None:
            self._scheduler.end_sample(job, sample)
            if not job.samples and not job.num_unstarted:
                self.end(job, Done(step.end, self._why(one.request, sample.room, step.end), sample.number))

    def _keep(self, job: Job, request: Request, step: Step, rows: Tensor) -> None:
        """The rows a token was decided from go to the store, under the keys in its Step."""
        if request.keep_rows:
            keys = (step.row_key, *step.other_keys)
            kept = {key: row.clone() for key, row in zip(keys, rows, strict=True)}
            self._store.put(kept, request.session, line=job.stream.id)

    def _why(self, request: Request, room: int, end: Reason) -> str:
        if end == "length" and room < request.max_tokens:
            longest = min(self._fleet.max_context(branch.model) for branch in request.branches)
            return f"The model's context of {longest:,} tokens is full."
        return ""

    def end(self, job: Job, done: Done) -> None:
        """Free the job, then say so: whoever sees the end finds the memory free."""
        self._scheduler.free(job)
        self._store.end(job.stream.id)
        if job.stream.abandoned:
            self._store.drop(job.work.session)
        job.stream.finish(done)

    def _keep_read(self, payment: Payment, reading: Reading, rows: Tensor) -> None:
        """Rows of a teacher-forced text go to the store under the names they were asked for."""
        at = 0
        if payment.job.stream.done:  # its session may have left, and its rows with it
            return
        for chunk in payment.chunks:
            place = next(place for place, lane in enumerate(payment.gang.lanes) if lane.id == chunk.lane)
            span, first = reading.spans[place], payment.gang.lanes[place].num_paid - len(chunk.token_ids)
            for row in chunk.rows:
                key = span.keys[first + row - span.first]
                self._store.put({key: rows[at].clone()}, reading.session, recomputed=True)
                at += 1
        if not payment.gang.num_owed:
            self.end(payment.job, Done("length"))

    def _learn(self, plan: Sequence[Payment], times: StepTimes) -> None:
        """Tell the pace and the meter what this round carried."""
        if not plan:
            return
        carried = load(plan)
        self._pace.observe(carried, times.forward_s + times.chain_s + times.transfer_s)
        if not carried.num_prompt_tokens:
            num_rows = carried.num_rows + carried.num_bulk_rows
            self._meter.observe_writing(num_rows, num_rows - len(plan), times.forward_s)


def explain(error: Exception) -> str:
    """What a user may read: our own words where there are any, the kind of error and no more where there are none."""
    if isinstance(error, PlaygroundError):
        return str(error)
    log.error("a request failed", exc_info=error)
    return f"This request failed ({type(error).__name__}; the server's log says more). The others go on; try it again."
