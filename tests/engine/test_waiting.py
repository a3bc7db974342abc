"""The queue: how full it may get, who it keeps room for, and whose turn it is."""

import pytest

from playground.engine.budget import Cost
from playground.engine.job import Job
from playground.engine.records import Request
from playground.engine.stream import Stream
from playground.engine.waiting import Waiting
from playground.errors import PlaygroundError


def job(priority: str, session: str = "") -> Job:
    work = Request((1,), priority=priority, session=session)  # type: ignore[arg-type]
    return Job(work, Stream(work), Cost(1, 1))


def test_bulk_work_leaves_half_of_the_queue_to_people():
    waiting = Waiting(8)
    bulk = [job("bulk") for _ in range(4)]
    for one in bulk:
        waiting.add(one)
    with pytest.raises(PlaygroundError, match="queue is full"):
        waiting.add(job("bulk"))
    for _ in range(4):
        waiting.add(job("interactive"))
    with pytest.raises(PlaygroundError, match="queue is full"):
        waiting.add(job("interactive"))
    bulk[0].stream.cancel()
    waiting.add(job("bulk"))
    assert (waiting.num_waiting("interactive"), waiting.num_waiting("bulk")) == (4, 4)


def test_sixteen_requests_of_one_tab_delay_another_tab_by_one():
    waiting = Waiting(256)
    many = [job("interactive", "many") for _ in range(16)]
    for one in many:
        waiting.add(one)
    other = [job("interactive", "other") for _ in range(2)]
    for one in other:
        waiting.add(one)
    assert [one.stream.position for one in other] == [2, 4]
    assert [one.stream.position for one in many[:4]] == [1, 3, 5, 6], "the places that were told are the new ones"
    started = [waiting.pop() for _ in range(18)]
    assert started == [many[0], other[0], many[1], other[1], *many[2:]], "and they are kept"


def test_a_place_only_grows_by_those_who_come_later():
    """However many come, whoever waits is next after as many as there are sessions."""
    waiting = Waiting(256)
    patient = [job("interactive", "patient") for _ in range(3)]
    for one in patient:
        waiting.add(one)
    order = []
    for number in range(12):
        waiting.add(job("interactive", f"new {number}"))
        waiting.add(job("interactive", f"newer {number}"))
        order.append(waiting.pop())
    assert [order.index(one) for one in patient[:2]] == [0, 3]


def test_bulk_work_that_goes_on_later_is_queued_behind_the_others_and_never_refused():
    waiting = Waiting(2)
    bulk = [job("bulk", name) for name in "ab"]
    waiting.add(bulk[0])
    waiting.put_back(bulk[1])
    waiting.put_back(job("bulk", "c"))
    assert len(waiting) == 3 and waiting.pop() is bulk[0] and waiting.pop() is bulk[1]


def test_those_who_leave_are_forgotten_and_the_others_move_up():
    waiting = Waiting(8)
    jobs = [job("interactive", session) for session in "aab"]
    for one in jobs:
        waiting.add(one)
    jobs[0].stream.cancel()
    waiting.forget_ended()
    waiting.number()
    assert [one.stream.position for one in jobs] == [0, 1, 2] and waiting.head() is jobs[1]
    for one in jobs:
        one.stream.cancel()
    waiting.forget_ended()
    assert len(waiting) == 0 and waiting.head() is None
