"""Who holds how many lanes: sessions share them evenly, newcomers start at once, nobody starves, nothing is exceeded.

Most of it without a model: a round in which everybody is answered takes microseconds.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.engine import Done, Engine, Request
from playground.engine.budget import Budget, Cost
from playground.engine.fairness import fill, share_out
from playground.engine.fleet import Fleet
from playground.engine.job import Job
from playground.engine.pace import Pace
from playground.engine.planning import load
from playground.engine.scheduler import TURN_SAMPLES, Scheduler
from playground.engine.stream import Stream
from playground.engine.waiting import Waiting
from tests.engine.wrappers import Wrapper, chain, finished, run, toy

HOT = chain(temperature=1.5)
LENGTH = 20
"""Tokens of a text in the house."""


class NoModel(Wrapper):
    """Only counts lanes."""

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        self.lanes.add(dst)

    def release(self, lane: int) -> None:
        self.lanes.discard(lane)


class House:
    """The scheduler with its queue, and rounds in which every text gets a token."""

    def __init__(self, max_lanes: int, num_bytes: int = 10**9) -> None:
        self.budget = Budget(max_lanes, num_bytes)
        self.pace = Pace(512)
        self.scheduler = Scheduler(Fleet([toy(NoModel())]), self.budget, self.pace)
        self.waiting = Waiting(256)
        self.jobs: list[Job] = []
        self.texts: Counter[str] = Counter()
        """Texts that have ended, by session."""
        self.put_back: Counter[str] = Counter()

    def ask(
        self,
        session: str,
        num_samples: int,
        priority: str = "bulk",
        lanes: int = 1,
        num_bytes: int = 1,
        max_tokens: int = LENGTH,
    ) -> Job:
        """A request arrives."""
        work = Request((1,), max_tokens=max_tokens, num_samples=num_samples, priority=priority, session=session)  # type: ignore[arg-type]
        job = Job(work, Stream(work), Cost(lanes, num_bytes), len(self.jobs))
        self.jobs.append(job)
        self.waiting.add(job)
        return job

    def rounds(self, number: int) -> None:
        for _ in range(number):
            self.round()

    def round(self) -> None:
        """As the engine and its worker do it, but that every answer is the same token."""
        self.scheduler.sweep()
        self.waiting.forget_ended()
        for job in self.scheduler.admit(self.waiting):
            self.put_back[job.work.session] += 1
        self.waiting.number()
        self.check()
        ready = []
        plan = self.scheduler.plan()
        self.pace.observe(load(plan), 0.01)  # rows cost nothing
        for payment in plan:
            if payment.gang is payment.job.root:
                payment.job.root_rows = torch.zeros(1, 1)
            else:
                ready.append((payment.job, next(one for one in payment.job.samples if one.gang is payment.gang)))
        for job in [job for job in self.scheduler.running if job.root_rows is not None]:
            ready += [(job, sample) for sample in self.scheduler.start_samples(job)]
            if job.root is None:
                job.root_rows = None
        for job, sample in ready:
            sample.write(0)
            if sample.num_written == sample.room:
                self.scheduler.end_sample(job, sample)
                self.texts[job.work.session] += 1
            if not job.samples and not job.num_unstarted:
                self.scheduler.free(job)
                job.stream.finish(Done("length"))

    def check(self) -> None:
        """What is charged is what is held, and never more than there is."""
        for priority in ("interactive", "bulk"):
            held = [job for job in self.scheduler.running if job.priority == priority]
            assert self.budget.lanes_used[priority] == sum(job.num_slots * job.cost.num_lanes for job in held)
        num_bytes = {
            priority: sum(
                job.num_slots * job.cost.num_bytes for job in self.scheduler.running if job.priority == priority
            )
            for priority in ("interactive", "bulk")
        }
        assert self.budget.bytes_used == sum(num_bytes.values()) <= self.budget.num_bytes
        assert sum(self.budget.lanes_used.values()) <= self.budget.num_lanes
        assert self.budget.lanes_used["bulk"] <= self.budget.num_lanes // 2
        assert num_bytes["bulk"] <= self.budget.num_bytes // 2
        assert all(job.num_used <= job.num_slots for job in self.scheduler.running if job.is_elastic)


def test_one_session_alone_has_all_bulk_lanes_but_those_kept_for_a_newcomer() -> None:
    house = House(128)
    job = house.ask("one", 5000)
    house.rounds(30)
    assert job.num_slots == 60
    assert house.texts["one"] > 0


def test_a_newcomer_starts_in_the_next_round_and_soon_has_half() -> None:
    """A second tab's sixty-four texts do not wait for the first tab's five thousand."""
    house = House(128)
    first = house.ask("first", 5000)
    house.rounds(50)
    second = house.ask("second", 64)
    house.rounds(2)
    assert second.stream.position == 0 and len(second.samples) >= 1, "it writes already"
    house.rounds(2 * LENGTH)
    assert second.num_slots >= 28 and first.num_slots <= 32
    house.rounds(3 * LENGTH)
    assert second.num_unstarted == 0 and house.texts["second"] >= 60
    house.rounds(2 * LENGTH)
    assert second.stream.done == Done("length") and first.num_slots == 60, "and everything is the first one's again"


def test_sessions_count_and_not_requests() -> None:
    house = House(128)
    greedy = [house.ask("greedy", 5000) for _ in range(3)]
    modest = house.ask("modest", 5000)
    house.rounds(5 * LENGTH)
    assert abs(sum(job.num_slots for job in greedy) - modest.num_slots) <= 6
    assert max(job.num_slots for job in greedy) - min(job.num_slots for job in greedy) <= 2


def test_what_one_session_has_no_use_for_the_others_get() -> None:
    house = House(128)
    small, large = house.ask("small", 4, max_tokens=500), house.ask("large", 5000)
    house.rounds(3 * LENGTH)
    assert len(small.samples) == 4 and large.num_slots >= 55


def test_shares_are_of_memory_where_memory_is_scarce() -> None:
    """Bulk work has 500 of 1,000 bytes; a first tab, of texts that take 20 each, holds all when the other comes."""
    house = House(1024, num_bytes=1000)
    first = house.ask("first", 5000, num_bytes=20)
    house.rounds(10)
    assert first.num_slots == 23
    second = house.ask("second", 5000, num_bytes=10)
    house.rounds(4 * LENGTH)
    assert first.num_slots * 20 == pytest.approx(250, abs=25) and second.num_slots * 10 == pytest.approx(250, abs=40)


@pytest.mark.parametrize("lanes", [1, 2])
def test_more_sessions_than_lanes_take_turns(lanes: int) -> None:
    """Each needs two slots at least, and only a few have them: who has had its turn stops for who waits."""
    house = House(8 * lanes)
    for number in range(7):
        house.ask(f"tab {number}", 1000, lanes=lanes)
    house.rounds(7 * LENGTH * TURN_SAMPLES * 3)
    assert len(house.texts) == 7 and min(house.texts.values()) >= 2 * TURN_SAMPLES
    assert max(house.texts.values()) <= min(house.texts.values()) + 2 * TURN_SAMPLES
    assert len(house.put_back) == 7


def test_nobody_stops_for_a_session_that_has_more() -> None:
    house = House(8)
    other = house.ask("other", 1000)
    for _ in range(5):
        house.ask("greedy", 1000)
    house.rounds(200)
    assert house.put_back["other"] == 0 and other.num_slots == 2


def test_a_request_that_was_put_back_can_be_cancelled_and_goes_on_with_its_next_text() -> None:
    house = House(8)
    jobs = [house.ask(f"tab {number}", 1000) for number in range(4)]
    while not house.put_back:
        house.round()
    stopped = next(job for job in jobs if house.put_back[job.work.session])
    assert stopped.stream.position > 0 and stopped.num_slots == 0 and not stopped.gangs, "it says that it waits"
    num_started = stopped.num_started
    while stopped.stream.position:
        house.round()
    assert stopped.num_started >= num_started >= TURN_SAMPLES
    again = next(job for job in jobs if job.stream.position)
    again.stream.cancel()
    house.round()
    assert again not in list(house.waiting) and again.stream.done == Done("cancelled")
    assert not again.stream.finish(Done("length")), "one end, the first"


def test_one_tab_of_many_samples_does_not_keep_another_person_waiting() -> None:
    house = House(64)
    house.ask("first", 500, priority="interactive")
    house.rounds(10)
    people = [house.ask(f"person {number}", 1, priority="interactive") for number in range(4)]
    house.round()
    assert all(person.stream.position == 0 for person in people)
    crowd = [house.ask(f"late {number}", 1, priority="interactive") for number in range(20)]
    house.rounds(2 * LENGTH)
    assert all(person.stream.position == 0 for person in crowd)


def test_bulk_work_that_waits_takes_nothing_from_people() -> None:
    house = House(32)
    person = house.ask("person", 500, priority="interactive")
    house.rounds(10)
    slots = person.num_slots
    for number in range(30):
        house.ask(f"pool {number}", 50)
    house.rounds(10)
    assert person.num_slots >= slots - 2


def test_people_who_wait_get_the_slots_of_bulk_texts_that_end() -> None:
    house = House(16)
    pool = house.ask("pool", 5000)
    house.rounds(10)
    for number in range(20):
        house.ask(f"person {number}", 1, priority="interactive", max_tokens=400)
    house.rounds(2 * LENGTH)
    assert pool.num_slots <= 2, "no more than its prompt and one text"


def job_of(session: str, num_samples: int, lanes: int = 1) -> Job:
    work = Request((1,), num_samples=num_samples, priority="bulk", session=session)
    return Job(work, Stream(work), Cost(lanes, 1))


def test_shares_by_hand() -> None:
    budget = Budget(48, 10**6)  # bulk work has 24
    jobs = [job_of("a", 100), job_of("a", 100), job_of("b", 4), job_of("c", 100, lanes=2)]
    share_out(jobs, budget, "bulk")
    assert [job.fair_slots for job in jobs] == [5, 5, 4, 5], "24 lanes: 10 for a, 4 for b, 10 for c in pairs"


@given(st.lists(st.floats(0, 3), max_size=12), st.floats(0, 2))
def test_filling_wastes_nothing_and_favours_nobody(wanted: list[float], room: float) -> None:
    shares = fill(wanted, room)
    assert all(0 <= share <= want + 1e-12 for share, want in zip(shares, wanted, strict=True))
    assert sum(shares) == pytest.approx(min(room, sum(wanted)))
    short = [share for share, want in zip(shares, wanted, strict=True) if share < want - 1e-9]
    assert not short or max(shares) <= min(short) + 1e-9, "who gets less than another gets all it wants"


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
def test_whatever_comes_nothing_is_exceeded_and_everything_ends(seed: int) -> None:
    """Random arrivals, lengths and cancellations; ``House.check`` looks at the books in every round."""
    choice = random.Random(seed)
    house = House(choice.choice([4, 8, 20, 64]), num_bytes=choice.choice([60, 10**6]))
    for _ in range(60):
        if choice.random() < 0.4:
            house.ask(
                choice.choice(["a", "b", "c", ""]), choice.choice([1, 1, 3, 40]),
                choice.choice(["interactive", "bulk"]), choice.choice([1, 1, 2]) if house.budget.num_lanes > 4 else 1,
                choice.choice([1, 10]), choice.randint(1, 12),
            )  # fmt: skip
        if house.jobs and choice.random() < 0.1:
            choice.choice(house.jobs).stream.cancel()
        house.round()
    for _ in range(20_000):
        if all(job.stream.done for job in house.jobs):
            break
        house.round()
    house.round()
    assert all(job.stream.done is not None for job in house.jobs)
    assert house.budget.lanes_used == {"interactive": 0, "bulk": 0} and house.budget.bytes_used == 0
    assert not house.scheduler.running and not len(house.waiting)


def test_texts_of_requests_that_take_turns_are_those_of_requests_alone() -> None:
    """Prompts are read again after every turn; every text is told once, and no stream ends twice."""
    requests = [
        Request((5, n, 7), HOT, 6, seed=n, num_samples=12, priority="bulk", session=f"tab {n}", ignore_eos=True)
        for n in range(5)
    ]
    backend = Wrapper()
    with Engine(toy(backend), max_lanes=8) as engine:
        streams = [engine.submit(request) for request in requests]
        together = [finished(stream) for stream in streams]
        assert engine.status()["num_lanes_used"] == 0 and not backend.lanes
        num_read = sum(len(chunk.token_ids) == 3 for call in backend.calls for chunk in call)
        alone = [run(engine, request) for request in requests]
    assert num_read > 5, "else nobody was put back, and this shows nothing"
    for (steps, done), (expected, _) in zip(together, alone, strict=True):
        assert done.reason == "length" and len(steps) == 12 * 6
        assert {(s.sample, s.index): s.token_id for s in steps} == {(s.sample, s.index): s.token_id for s in expected}
