"""Who goes in a round: people, and beside them as much bulk work as their pace allows, in turn. The costs are given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from playground.engine import Engine, Request
from playground.engine.budget import Cost
from playground.engine.gang import Gang, Lane
from playground.engine.job import Job
from playground.engine.pace import BULK_SHARE, Pace
from playground.engine.planning import Payment, Planner, load
from playground.engine.stream import Stream
from tests.engine.wrappers import WAIT_S, Gate, Wrapper, chain, finished, run, toy, until

HOT = chain(temperature=1.5)


def cpu(num_rows: int) -> float:
    """Seconds of a forward: every row adds to it."""
    return 0.026 + 0.004 * num_rows


def gpu(num_rows: int) -> float:
    """Rows are almost free."""
    return 0.010 + 1e-5 * num_rows


def dear(num_rows: int) -> float:
    """A row more costs three times what one alone does."""
    return 0.03 + 0.1 * (num_rows - 1)


class Machine:
    """Rounds over lanes that were made by hand; each takes as long as its cost function says."""

    def __init__(self, row_s: Callable[[int], float], token_s: float = 0.001) -> None:
        self.pace = Pace(512)
        self.planner = Planner(self.pace)
        self.running: list[Job] = []
        self.rounds: list[list[Payment]] = []
        self.seconds: list[float] = []
        self._row_s, self._token_s = row_s, token_s
        self._num_lanes = 0

    def add(self, priority: str, session: str, num_gangs: int = 1, prompt: int = 1, width: int = 1) -> list[Gang]:
        """A request of so many texts, which owe their prompt."""
        work = Request((1,), priority=priority, session=session, num_samples=num_gangs)  # type: ignore[arg-type]
        job = Job(work, Stream(work), Cost(width, 1))
        gangs = [Gang([self._lane(prompt) for _ in range(width)]) for _ in range(num_gangs)]
        job.samples = [type("Text", (), {"gang": gang})() for gang in gangs]
        self.running.append(job)
        return gangs

    def _lane(self, prompt: int) -> Lane:
        self._num_lanes += 1
        return Lane(self._num_lanes, [1] * prompt)

    def round(self) -> list[Payment]:
        """One round, learnt from; whoever has paid all owes the next token."""
        plan = self.planner.plan(self.running)
        carried = load(plan)
        num_rows = carried.num_rows + carried.num_bulk_rows
        round_s = self._row_s(num_rows) + self._token_s * carried.num_prompt_tokens
        self.pace.observe(carried, round_s)
        for payment in plan:
            if not payment.gang.num_owed:
                payment.gang.owe(1)
        self.rounds.append(plan)
        self.seconds.append(round_s)
        return plan

    def counts(self, since: int = 0) -> Counter[int]:
        """Rounds in which each gang went, by its identity."""
        return Counter(id(payment.gang) for plan in self.rounds[since:] for payment in plan)


def test_beside_a_person_a_cpu_carries_a_few_bulk_texts() -> None:
    machine = Machine(cpu)
    (person,) = machine.add("interactive", "person")
    bulk = machine.add("bulk", "pool", 32)
    for _ in range(100):
        machine.round()
    assert machine.counts()[id(person)] == 100, "never left out"
    assert max(machine.seconds) <= cpu(1) * (1 + BULK_SHARE) + 1e-9, "from the first round on"
    assert sum(machine.counts()[id(gang)] for gang in bulk) >= 160, "two rows fit into 9 ms"


def test_beside_a_person_a_gpu_carries_all_of_them() -> None:
    machine = Machine(gpu)
    machine.add("interactive", "person")
    machine.add("bulk", "pool", 32)
    for _ in range(100):
        machine.round()
    sizes = Counter(len(plan) for plan in machine.rounds[10:])
    assert sizes[33] >= 80 and set(sizes) == {1, 33}, "but for the rounds that measure the person alone"
    assert max(machine.seconds) <= gpu(1) * (1 + BULK_SHARE)


def test_a_row_that_never_fits_in_goes_now_and_then() -> None:
    machine = Machine(dear)
    machine.add("interactive", "person")
    bulk = machine.add("bulk", "pool", 3)
    for _ in range(330):
        machine.round()
    went = sum(machine.counts()[id(gang)] for gang in bulk)
    assert 20 <= went <= 33, "once in eleven rounds: 0.1 s are saved up by 9 ms a round"
    assert sum(machine.seconds) <= 1.05 * (1 + BULK_SHARE) * 330 * dear(1)


def test_however_dear_bulk_work_moves_on() -> None:
    machine = Machine(lambda num_rows: 0.001 + 9.0 * (num_rows - 1))
    machine.add("interactive", "person")
    machine.add("bulk", "pool")
    for _ in range(100):
        machine.round()
    assert sum(len(plan) == 2 for plan in machine.rounds) >= 5


def test_without_people_all_bulk_texts_write_in_every_round() -> None:
    machine = Machine(cpu)
    machine.add("bulk", "pool", 32)
    machine.add("bulk", "other", 3)
    assert all(len(machine.round()) == 35 for _ in range(20))


def test_people_who_read_are_not_held_up_by_bulk_writers() -> None:
    """Thirty-two pool texts in company do not make a person's prompt the small part of the round."""
    machine = Machine(cpu)
    machine.add("bulk", "pool", 32)
    for _ in range(5):
        machine.round()
    machine.add("interactive", "person", prompt=400)
    assert sum(payment.num_tokens for payment in machine.round() if payment.is_prompt) == 400, "nothing was measured"
    machine.add("interactive", "other", prompt=300)
    plan = machine.round()
    assert next(payment for payment in plan if payment.is_prompt).num_tokens >= 30, "as beside one writer"
    assert sum(payment.job.priority == "bulk" for payment in plan) >= 1


def test_a_bulk_prompt_rides_in_small_parts_and_arrives() -> None:
    machine = Machine(cpu)
    machine.add("interactive", "person")
    for _ in range(3):
        machine.round()
    machine.pace.prompt_token_s = 0.001
    (reader,) = machine.add("bulk", "pool", prompt=300)
    since = len(machine.rounds)
    while not reader.settles_at_once:
        machine.round()
    assert max(machine.seconds[since:]) <= cpu(1) * (1 + BULK_SHARE) + 1e-9
    assert len(machine.rounds) - since < 80, "nine tokens a round"


def test_sessions_share_the_rounds_however_many_texts_they_have() -> None:
    machine = Machine(cpu)
    machine.add("interactive", "person")
    many = machine.add("bulk", "many", 30) + machine.add("bulk", "many", 20)
    (one,), guided = machine.add("bulk", "one"), machine.add("bulk", "guided", 3, width=2)
    for _ in range(400):
        machine.round()
    went = machine.counts()
    rows = [sum(went[id(gang)] for gang in many), went[id(one)], 2 * sum(went[id(gang)] for gang in guided)]
    assert max(rows) <= 1.1 * min(rows), rows


def test_a_newcomer_starts_level_and_neither_waits_nor_catches_up() -> None:
    machine = Machine(cpu)
    machine.add("interactive", "person")
    machine.add("bulk", "old", 10)
    for _ in range(200):
        machine.round()
    machine.add("bulk", "new", 10)
    since = len(machine.rounds)
    for _ in range(60):
        machine.round()
    rows = Counter(one.job.owner for plan in machine.rounds[since:] for one in plan)
    assert any(one.job.owner == "new" for plan in machine.rounds[since : since + 3] for one in plan)
    assert abs(rows["old"] - rows["new"]) <= 4, rows


def test_the_oldest_text_goes_first_and_every_text_is_done() -> None:
    """Texts of a pool end one after the other: the first is of use long before the last."""
    machine = Machine(cpu)
    machine.add("interactive", "person")
    machine.add("bulk", "pool", 8)
    job = machine.running[-1]
    ended: list[int] = []
    for number in range(400):
        machine.round()
        for text in list(job.samples):
            if text.gang.length > 20:
                ended.append(number)
                job.samples.remove(text)
    assert len(ended) == 8 and not job.samples
    assert ended[0] < 30 and ended[-1] > 70


def test_somebody_who_comes_is_measured_before_bulk_work_rides_along() -> None:
    machine = Machine(cpu)
    machine.add("bulk", "pool", 32)
    machine.add("interactive", "first")
    for _ in range(50):
        machine.round()
    machine.add("interactive", "second", 7)
    assert len(machine.round()) == 8, "eight people alone"
    assert max(machine.seconds[1:]) <= cpu(8) * (1 + BULK_SHARE)


def test_bulk_work_beside_people_writes_what_it_writes_alone() -> None:
    pool = Request((1, 2), HOT, 12, seed=3, num_samples=9, priority="bulk", session="pool", ignore_eos=True)
    person = Request((3,), HOT, 400, session="person", ignore_eos=True)
    with Engine(toy()) as engine:
        alone, person_alone = run(engine, pool)[0], run(engine, person)[0]
        beside = engine.submit(person)
        together = run(engine, pool)[0]
        person_beside = finished(beside)[0]
    texts = [{(s.sample, s.index): s.token_id for s in steps} for steps in (alone, together)]
    assert texts[0] == texts[1] and len(texts[0]) == 9 * 12
    assert [s.token_id for s in person_beside] == [s.token_id for s in person_alone]


@pytest.mark.parametrize("num_people", [1, 5])
def test_every_round_of_the_engine_carries_the_people(num_people: int) -> None:
    gate = Gate()
    backend = Wrapper(gate)
    with Engine(toy(backend)) as engine:
        pool = engine.submit(Request((1,), HOT, 30, num_samples=200, priority="bulk", ignore_eos=True))
        gate.reached.wait(WAIT_S)
        people = [engine.submit(Request((n + 2, n + 2), HOT, 60, ignore_eos=True)) for n in range(num_people)]
        gate.open.set()
        for person in people:
            assert len(finished(person)[0]) == 60
        pool.cancel()
        until(lambda: not backend.lanes)
    lanes = {chunk.lane for call in backend.calls for chunk in call if len(chunk.token_ids) == 2}
    with_people = [n for n, call in enumerate(backend.calls) if lanes & {chunk.lane for chunk in call}]
    assert len(lanes) == num_people and len(with_people) == 60 == with_people[-1] - with_people[0] + 1
    beside = [len(backend.calls[n]) - num_people for n in with_people]
    assert max(beside) >= 1 and min(beside) == 0
