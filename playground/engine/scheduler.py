"""Who runs: jobs are admitted when their memory fits, grow by slots, and give everything back when they end.

Knows nothing about logits, chains or threads: the engine thread alone calls it.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.beaming import BeamPursuit
from playground.engine.budget import Budget, num_first_slots
from playground.engine.contrasting import ContrastivePursuit
from playground.engine.fleet import Fleet
from playground.engine.gang import Gang, Lane
from playground.engine.job import Job, Sample
from playground.engine.pace import Pace
from playground.engine.planning import Payment, Planner
from playground.engine.pursuit import Pursuit
from playground.engine.records import Reading, Request
from playground.engine.telling import Teller
from playground.engine.waiting import Waiting
from playground.sampling.search import BeamSearch, ContrastiveSearch

PURSUITS: dict[type, type[Pursuit]] = {BeamSearch: BeamPursuit, ContrastiveSearch: ContrastivePursuit}


class Scheduler:
    """The running jobs and their lanes."""

    def __init__(self, fleet: Fleet, budget: Budget, pace: Pace) -> None:
        self.running: list[Job] = []
        self._fleet = fleet
        self._budget = budget
        self._planner = Planner(pace)

    def admit(self, waiting: Waiting) -> None:
        """Start what fits, in the order of the queue; then let running jobs grow into what nobody waits for.

        The head is never passed by a smaller job, so that a large one cannot starve.
        """
        while (job := waiting.head()) is not None:
            num_slots = num_first_slots(job.work)
            if not job.stream.done and not self._budget.fits(job.cost, num_slots, job.priority):
                break
            waiting.pop()
            if not job.stream.done:
                self._start(job, num_slots)
        if waiting.head() is None:
            self._grow()

    def sweep(self) -> list[Job]:
        """Free every job whose stream has ended, whoever ended it."""
        ended = [job for job in self.running if job.stream.done]
        for job in ended:
            self.free(job)
        return ended

    def free(self, job: Job) -> None:
        """Give back everything the job holds."""
        for gang in job.gangs:
            self._release(gang)
        job.root, job.root_rows, job.samples, job.pursuit = None, None, [], None
        self._hold(job, 0)
        self.running.remove(job)

    def plan(self) -> list[Payment]:
        """What every gang that goes in the next round pays."""
        return self._planner.plan(self.running)

    def start_samples(self, job: Job) -> list[Sample]:
        """Samples that draw their first token now from the shared prompt: one a free slot, the last on its lanes."""
        assert isinstance(job.work, Request)
        started: list[Sample] = []
        while job.root is not None and job.num_unstarted:
            if job.num_unstarted == 1:
                gang, job.root = job.root, None
            elif len(job.samples) < job.num_slots - 1:
                gang = self._fork(job.root)
            else:
                break
            number, room = job.work.first_sample + job.num_started, self._room(job.work)
            teller = Teller(job.stream.id, job.work, number, room, self._fleet.vocabulary)
            sample = Sample(number, gang, job.work, room, teller)
            job.samples.append(sample)
            job.num_started += 1
            started.append(sample)
        return started

    def end_sample(self, job: Job, sample: Sample, anyone_waiting: bool) -> None:
        """Free the sample's lanes. Its slot stays for the job's next sample unless others wait for the room."""
        self._release(sample.gang)
        job.samples.remove(sample)
        num_used = len(job.samples) + (job.root is not None)
        if not job.num_unstarted:
            self._hold(job, num_used)
        elif anyone_waiting:
            self._hold(job, max(2, num_used))

    def spread(self, gangs: Sequence[Gang], sources: Sequence[int]) -> list[Gang]:
        """Gangs for the next texts of a search: text i goes on where gang ``sources[i]`` stands.

        Gangs from which nobody goes on are freed first, so there are never more lanes than before or than texts.
        """
        for place, gang in enumerate(gangs):
            if place not in sources:
                self._release(gang)
        first = {source: place for place, source in reversed(list(enumerate(sources)))}
        spread: list[Gang] = []
        try:
            for place, source in enumerate(sources):
                spread.append(gangs[source] if first[source] == place else self._fork(gangs[source]))
        except Exception:
            for gang in spread:
                self._release(gang)
            raise
        return spread

    def restart(self, gangs: Sequence[Gang]) -> None:
        """A forward has failed half-way: the backend forgets these lanes and their gangs owe everything again."""
        for gang in gangs:
            self._release(gang)
            gang.restart()

    def _start(self, job: Job, num_slots: int) -> None:
        self._hold(job, num_slots)
        if isinstance(job.work, Reading):
            spans = job.work.spans
            lanes = [
                Lane(self._fleet.new_lane(one.model), list(one.token_ids), one.wanted, layers=one.layers)
                for one in spans
            ]
        else:
            branches = job.work.branches
            lanes = [
                Lane(self._fleet.new_lane(one.model), list(one.token_ids), model=one.model, layers=one.layers)
                for one in branches
            ]
            lanes[0].keeps_states = job.work.search is not None and job.work.search.needs_states
        if isinstance(job.work, Request) and job.work.looks_ahead:
            pursue = PURSUITS[type(job.work.search)]
            job.pursuit = pursue(job.work, job.stream.id, self._room(job.work), self._fleet.vocabulary, Gang(lanes))
        else:
            job.root = Gang(lanes)
        job.stream.position = 0
        self.running.append(job)

    def _grow(self) -> None:
        for job in self.running:
            while job.num_slots < len(job.gangs) + job.num_unstarted and self._budget.fits(job.cost, 1, job.priority):
                self._hold(job, job.num_slots + 1)

    def _hold(self, job: Job, num_slots: int) -> None:
        self._budget.take(job.cost, num_slots - job.num_slots, job.priority)
        job.num_slots = num_slots

    def _fork(self, root: Gang) -> Gang:
        lanes = [lane.copy(self._fleet.new_lane(lane.model)) for lane in root.lanes]
        for source, target in zip(root.lanes, lanes, strict=True):
            self._fleet.fork(source.id, target.id)
        return Gang(lanes, root.layers)

    def _release(self, gang: Gang) -> None:
        for lane in gang.lanes:
            self._fleet.release(lane.id)

    def _room(self, request: Request) -> int:
        """Tokens a sample may write. The last one is never fed back, hence the one more than the context holds."""
        left = (self._fleet.max_context(one.model) - len(one.token_ids) + 1 for one in request.branches)
        # Contrastive search reads every token before it takes it, the last one too.
        spare = 1 if request.search is not None and request.search.needs_states else 0
        return min(request.max_tokens, *(room - spare for room in left))
