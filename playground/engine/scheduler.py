"""Who runs: jobs are admitted when their memory fits, grow by slots, and give everything back when they end.

Knows nothing about logits, chains or threads: the engine thread alone calls it.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.beaming import BeamPursuit
from playground.engine.budget import Budget
from playground.engine.contrasting import ContrastivePursuit
from playground.engine.fairness import held, share_out
from playground.engine.fleet import Fleet
from playground.engine.gang import Gang, Lane
from playground.engine.job import Job, Sample
from playground.engine.pace import Pace
from playground.engine.planning import Payment, Planner
from playground.engine.pursuit import Pursuit
from playground.engine.records import Priority, Reading, Request
from playground.engine.telling import Teller
from playground.engine.waiting import Waiting
from playground.sampling.search import BeamSearch, ContrastiveSearch

PURSUITS: dict[type, type[Pursuit]] = {BeamSearch: BeamPursuit, ContrastiveSearch: ContrastivePursuit}
PRIORITIES: tuple[Priority, ...] = ("interactive", "bulk")
STARTS_A_ROUND = 8
"""Samples of a request that start in one round at most, beside others."""
TURN_SAMPLES = 4
"""Samples after which a request that holds no more than it needs makes room for one that waits."""


class Scheduler:
    """The running jobs and their lanes."""

    def __init__(self, fleet: Fleet, budget: Budget, pace: Pace) -> None:
        self.running: list[Job] = []
        self._fleet = fleet
        self._budget = budget
        self._planner = Planner(pace)

    def admit(self, waiting: Waiting) -> list[Job]:
        """Start what fits, in the order of the queue; requests of several samples give room to others, or take what
        nobody waits for. Those that were put back into the queue.

        The head is never passed by a smaller job, so that a large one cannot starve.
        """
        self._start_fitting(waiting)
        if not any(job.is_elastic for job in self.running):
            return []
        self._share_out(waiting)
        put_back = self._make_room(waiting)
        self._start_fitting(waiting)
        self._grow(waiting.head())
        return put_back

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
        """Samples that draw their first token now from the shared prompt: one a free slot, the last on its lanes.
        Beside others not all in one round: copying a long prompt to sixty lanes would hold them up."""
        assert isinstance(job.work, Request)
        most = STARTS_A_ROUND if len(self.running) > 1 else job.num_unstarted
        started: list[Sample] = []
        while job.root is not None and job.num_unstarted and len(started) < most:
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

    def end_sample(self, job: Job, sample: Sample) -> None:
        """Free the sample's lanes. Its slot stays for the job's next sample unless ``admit`` finds others who have
        less."""
        self._release(sample.gang)
        job.samples.remove(sample)
        if not job.num_unstarted:
            self._hold(job, job.num_used)

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

    def _start(self, job: Job) -> None:
        self._hold(job, job.num_first_slots)
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
        job.num_before_turn = job.num_started
        self.running.append(job)

    def _start_fitting(self, waiting: Waiting) -> None:
        while (job := waiting.head()) is not None:
            if not job.stream.done and not self._fits(job):
                break
            waiting.pop()
            if not job.stream.done:
                self._start(job)

    def _fits(self, job: Job) -> bool:
        return self._budget.fits(job.cost, job.num_first_slots, job.priority)

    def _share_out(self, waiting: Waiting) -> None:
        """Say how many slots everybody may hold; while somebody interactive waits, bulk work as few as it can."""
        for priority in PRIORITIES:
            jobs = [job for job in (*self.running, *waiting) if job.priority == priority]
            share_out(jobs, self._budget, priority)
        if waiting.num_waiting("interactive"):
            for job in self.running:
                if job.priority == "bulk":
                    job.fair_slots = job.num_first_slots

    def _make_room(self, waiting: Waiting) -> list[Job]:
        """Give back the slots of ended samples that are more than a share. Where somebody waits all the same, requests
        that have had their turn and write nothing at the moment go back into the queue; those that did."""
        for job in self.running:
            if job.is_elastic:
                self._hold(job, max(job.num_used, min(job.num_slots, job.fair_slots)))
        put_back: list[Job] = []
        while (head := waiting.head()) is not None and not self._fits(head):
            idle = next((job for job in self.running if self._has_had_its_turn(job, head)), None)
            if idle is None:
                break
            self._stop(idle)
            waiting.put_back(idle)
            put_back.append(idle)
        return put_back

    def _has_had_its_turn(self, job: Job, head: Job) -> bool:
        """Whether it can make room for the head of the queue and read its prompt again later. Nobody stops for a
        session that has as much."""
        if job.root_rows is None or job.samples or job.num_started - job.num_before_turn < TURN_SAMPLES:
            return False
        if job.priority != head.priority:
            return job.priority == "bulk"
        parts = held(self.running, self._budget, job.priority)
        return head.owner not in parts or parts[job.owner] > parts[head.owner]

    def _stop(self, job: Job) -> None:
        """Take the lanes of a job that only holds its prompt."""
        assert job.root is not None and not job.samples
        self._release(job.root)
        job.root, job.root_rows = None, None
        self._hold(job, 0)
        self.running.remove(job)

    def _grow(self, head: Job | None) -> None:
        """Slots that nobody waits for go to those who have less than their share, first to whoever has least."""
        if head is not None and head.priority == "interactive":
            return
        for priority in PRIORITIES if head is None else PRIORITIES[:1]:
            parts = held(self.running, self._budget, priority)
            hungry = [job for job in self.running if job.priority == priority and job.is_hungry]
            while hungry:
                job = min(hungry, key=lambda job: (parts[job.owner], job.num_slots))
                if not self._budget.may_grow(job.cost, priority):
                    hungry.remove(job)
                    continue
                self._hold(job, job.num_slots + 1)
                parts[job.owner] += self._budget.part(job.cost, priority)
                if not job.is_hungry:
                    hungry.remove(job)

    def _hold(self, job: Job, num_slots: int) -> None:
        self._budget.take(job.cost, num_slots - job.num_slots, job.priority)
        job.num_slots = num_slots

    def _fork(self, root: Gang) -> Gang:
        gang = Gang([lane.copy(self._fleet.new_lane(lane.model)) for lane in root.lanes], root.layers)
        try:
            for source, target in zip(root.lanes, gang.lanes, strict=True):
                self._fleet.fork(source.id, target.id)
        except Exception:
            self._release(gang)
            raise
        return gang

    def _release(self, gang: Gang) -> None:
        for lane in gang.lanes:
            self._fleet.release(lane.id)

    def _room(self, request: Request) -> int:
        """Tokens a sample may write. The last one is never fed back, hence the one more than the context holds."""
        left = (self._fleet.max_context(one.model) - len(one.token_ids) + 1 for one in request.branches)
        # Contrastive search reads every token before it takes it, the last one too.
        spare = 1 if request.search is not None and request.search.needs_states else 0
        return min(request.max_tokens, *(room - spare for room in left))
