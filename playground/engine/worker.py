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
from playground.engine.job import Job, Sample
from playground.engine.meter import Meter, StepTimes
from playground.engine.pace import Pace
from playground.engine.records import Done, Reading, Reason, Request, Step
from playground.engine.refilling import branch_key
from playground.engine.scheduler import Payment, Scheduler
from playground.engine.store import LogitsStore
from playground.errors import PlaygroundError
from playground.sampling.branches import Coins
from playground.sampling.draw import uniform

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

    def round(self, plan: Sequence[Payment], anyone_waiting: bool) -> None:
        """Forward what is owed, draw for every sample whose rows are there, deliver."""
        start_s = time.perf_counter()
        logits = self._forward(plan)
        forward_s = time.perf_counter()
        ready = self._settle(plan, logits)
        decisions = self._decide(ready)
        chain_s = time.perf_counter()
        for one, decision in zip(ready, decisions, strict=True):
            self._deliver(one, decision, anyone_waiting)
        times = StepTimes(forward_s - start_s, chain_s - forward_s, time.perf_counter() - chain_s)
        self._meter.observe(times, len(ready))
        self._learn(plan, times.forward_s)

    def _forward(self, plan: Sequence[Payment]) -> Tensor | None:
        """float32[n,V], or None where nothing is owed (a further sample of a prompt that is read)."""
        chunks = [chunk for payment in plan for chunk in payment.chunks]
        if not chunks:
            return None
        logits = self._fleet.forward(chunks)
        if logits.is_cuda:
            torch.cuda.synchronize(logits.device)  # or the clock would show the launch, not the work
        return logits

    def _settle(self, plan: Sequence[Payment], logits: Tensor | None) -> list[Ready]:
        """Hand the rows of one forward to those who wait for them."""
        ready, at = [], 0
        for payment in plan:
            assert logits is not None
            job, gang = payment.job, payment.gang
            rows = logits[at : at + payment.num_rows]
            at += payment.num_rows
            if isinstance(job.work, Reading):
                self._keep_read(payment, job.work, rows)
            elif gang is job.root and not gang.num_owed:
                job.root_rows = rows.clone()
            elif not gang.num_owed:
                ready.append(Ready(job, next(sample for sample in job.samples if sample.gang is gang), rows))
        return ready + self._first_draws()

    def _first_draws(self) -> list[Ready]:
        """Samples that start now: they all draw from the rows of the prompt they share."""
        ready = []
        for job in [job for job in self._scheduler.running if job.root_rows is not None]:
            rows = job.root_rows
            assert rows is not None
            ready += [Ready(job, sample, rows) for sample in self._scheduler.start_samples(job)]
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
                uniform(one.request.seed, one.sample.number, one.index),
                one.sample.history,
                len(one.request.prompt_ids),
                one.sample.memory,
                one.coins,
            )
            for one in ready
        ]
        return decide(asks, torch.stack([one.rows[0] for one in ready]), [one.rows[1:] for one in ready])

    def _deliver(self, one: Ready, decision: Decision | Exception, anyone_waiting: bool) -> None:
        """Write the token down, tell the reader, and free what has ended."""
        job, sample = one.job, one.sample
        if job.stream.done:  # cancelled meanwhile, or another sample of it has failed
            return
        if isinstance(decision, Exception):
            self.end(job, Done("error", explain(decision), sample.number))
            return
        step = self._step(one, decision)
        sample.write(decision.token_id)
        sample.memory = decision.memory
        if one.request.keep_rows:
            keys = (step.row_key, *step.other_keys)
            rows = {key: row.clone() for key, row in zip(keys, one.rows, strict=True)}
            self._store.put(rows, one.request.session, line=job.stream.id)
        job.stream.put(step)
        if step.end is not None:
            self._scheduler.end_sample(job, sample, anyone_waiting)
            if not job.samples and not job.num_unstarted:
                self.end(job, Done(step.end, self._why(one, step.end), sample.number))

    def _step(self, one: Ready, decision: Decision) -> Step:
        request, sample = one.request, one.sample
        token_id = decision.token_id
        is_eos = token_id in self._fleet.vocabulary.eos_ids and not request.ignore_eos
        is_last = is_eos or sample.num_written + 1 >= sample.room
        text = sample.text.add(self._fleet.vocabulary.piece(token_id), is_last)
        end: Reason | None = "stop" if sample.text.stopped else "eos" if is_eos else "length" if is_last else None
        key = f"{one.job.stream.id}-{sample.number}-{one.index}"
        return Step(
            index=one.index,
            sample=sample.number,
            token_id=token_id,
            text=text,
            logprob_base=decision.logprob_base,
            logprob_final=decision.logprob_final,
            entropy_bits=decision.entropy_bits,
            base_entropy_bits=decision.base_entropy_bits,
            surprisal_bits=decision.surprisal_bits,
            uniform=uniform(request.seed, sample.number, one.index),
            row_key=key,
            other_keys=tuple(branch_key(key, branch) for branch in request.other_branches[: len(one.rows) - 1]),
            memory=sample.memory,
            memory_after=decision.memory,
            coins=one.coins,
            end=end,
        )

    def _why(self, one: Ready, end: Reason) -> str:
        if end == "length" and one.sample.room < one.request.max_tokens:
            longest = min(self._fleet.max_context(branch.model) for branch in one.request.branches)
            return f"The model's context of {longest:,} tokens is full."
        return ""

    def end(self, job: Job, done: Done) -> None:
        """Free the job, then say so: whoever sees the end finds the memory free."""
        self._scheduler.free(job)
        self._store.end(job.stream.id)
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

    def _learn(self, plan: Sequence[Payment], forward_s: float) -> None:
        """Tell the pace and the meter what this forward carried."""
        reading = [payment for payment in plan if payment.is_prompt]
        num_prompt_tokens = sum(len(chunk.token_ids) for payment in reading for chunk in payment.chunks)
        num_writing = len(plan) - len(reading)
        if plan:
            self._pace.observe(num_prompt_tokens, num_writing, forward_s)
        if plan and not reading:
            num_rows = sum(len(payment.chunks) for payment in plan)
            self._meter.observe_writing(num_rows, num_rows - len(plan), forward_s)


def explain(error: Exception) -> str:
    """What a user may read: our own words where there are any, the kind of error and no more where there are none."""
    if isinstance(error, PlaygroundError):
        return str(error)
    log.error("a request failed", exc_info=error)
    return f"This request failed ({type(error).__name__}; the server's log says more). The others go on; try it again."
