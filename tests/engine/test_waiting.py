"""The queue: how full it may get, and who it keeps room for."""

import pytest

from playground.engine.budget import Cost
from playground.engine.job import Job
from playground.engine.records import Request
from playground.engine.stream import Stream
from playground.engine.waiting import Waiting
from playground.errors import PlaygroundError


def job(priority: str) -> Job:
    work = Request((1,), priority=priority)  # type: ignore[arg-type]
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
