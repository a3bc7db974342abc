"""What fails ends alone: stages, rows, forwards and memory; the engine lives on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from playground.engine import Engine, Request, Step
from playground.models.backend import Chunk
from playground.sampling import Chain, cfg
from tests.engine.wrappers import Broken, Gate, Wrapper, chain, finished, out_of_memory, run, toy

HOT = chain(temperature=1.5)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_a_stage_that_raises_ends_only_its_own_stream(scale: float) -> None:
    gate = Gate()
    backend = Wrapper(gate)
    model = toy(backend)
    with Engine(model) as engine:
        good = [Request((5, n), HOT, 30, seed=n, guidance=cfg(scale), ignore_eos=True) for n in range(6)]
        bad = Request((1, 2), Chain((Broken(),)), 30, guidance=cfg(scale), ignore_eos=True)
        streams = [engine.submit(request) for request in (*good[:3], bad, *good[3:])]
        gate.open.set()
        answers = [finished(stream) for stream in streams]
        steps, done = answers.pop(3)
        assert done.reason == "error" and "ValueError" in done.message and len(steps) == 10
        for request, (steps, done) in zip(good, answers, strict=True):
            assert done.reason == "length"
            assert [step.token_id for step in steps] == [step.token_id for step in run(engine, request)[0]]
    assert not backend.lanes


class BadRows(Wrapper):
    """Answers rows of one lane with scores that are no distribution."""

    bad: Tensor

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        logits = super().forward(chunks)
        for row, chunk in enumerate(chunks):
            if 77 in chunk.token_ids:
                logits[row] = self.bad
        return logits


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("stages", [Chain(), HOT, chain(min_p=0.1, top_p=0.9), chain(temperature=0)], ids=str)
def test_a_row_that_is_no_distribution_ends_only_its_own_stream(value: float, stages: Chain) -> None:
    backend = BadRows()
    backend.bad = torch.full((backend.vocabulary.size,), value)
    with Engine(toy(backend)) as engine:
        streams = [engine.submit(Request((n,), stages, 4, ignore_eos=True)) for n in (3, 77, 4)]
        answers = [finished(stream) for stream in streams]
    assert [done.reason for _, done in answers] == ["length", "error", "length"]
    assert answers[1][0] == [] and not backend.lanes


def test_out_of_memory_ends_the_youngest_and_the_rest_write_on_unchanged() -> None:
    def scarce(chunks: Sequence[Chunk]) -> None:
        if len(chunks) > 4:
            out_of_memory()

    gate = Gate()
    backend = Wrapper(gate)
    with Engine(toy(backend)) as engine:
        requests = [Request((5, n), HOT, 12, seed=n, guidance=cfg(1.5), ignore_eos=True) for n in range(4)]
        streams = [engine.submit(request) for request in requests]
        backend.before = scarce
        gate.open.set()
        answers = [finished(stream) for stream in streams]
        assert [done.reason for _, done in answers] == ["length", "length", "error", "error"]
        assert "memory" in answers[3][1].message and "youngest" in answers[3][1].message
        for request, (steps, _) in zip(requests[:2], answers[:2], strict=True):
            assert [step.token_id for step in steps] == [step.token_id for step in run(engine, request)[0]]
        assert engine.status()["kv_bytes_used"] == 0
    assert not backend.lanes


def test_out_of_memory_ends_long_work_before_people() -> None:
    def scarce(chunks: Sequence[Chunk]) -> None:
        if len(chunks) > 2:
            out_of_memory()

    gate = Gate()
    backend = Wrapper(gate)
    with Engine(toy(backend)) as engine:
        pool = engine.submit(Request((5,), HOT, 12, num_samples=8, priority="bulk", ignore_eos=True))
        people = [engine.submit(Request((5, n), HOT, 12, ignore_eos=True)) for n in range(2)]
        backend.before = scarce
        gate.open.set()
        done = finished(pool)[1]
        assert done.reason == "error" and "long work" in done.message
        assert all(finished(person)[1].reason == "length" for person in people)


def test_out_of_memory_half_way_through_a_forward_leaves_no_lane_half_advanced() -> None:
    """Some lanes have the new token and some not when it happens: nobody may be left with a wrong history."""

    class Half(Wrapper):
        num_failures = 0

        def forward(self, chunks: Sequence[Chunk]) -> Tensor:
            if len(self.calls) == 6 and not self.num_failures:
                self.num_failures += 1
                self.inner.forward(chunks[: len(chunks) // 2])
                out_of_memory()
            return super().forward(chunks)

    backend = Half()
    with Engine(toy(backend)) as engine:
        requests = [Request((5, n), HOT, 20, seed=n, num_samples=2, ignore_eos=True) for n in range(3)]
        streams = [engine.submit(request) for request in requests]
        answers = [finished(stream) for stream in streams]
        assert backend.num_failures == 1
        ended = [done.reason for _, done in answers]
        assert ended.count("error") == 1 and ended.count("length") == 2
        for request, (steps, done) in zip(requests, answers, strict=True):
            if done.reason == "length":
                assert tokens(steps) == tokens(run(engine, request)[0])
    assert not backend.lanes


def tokens(steps: list[Step]) -> set[tuple[int, int, int]]:
    return {(step.sample, step.index, step.token_id) for step in steps}


def test_a_forward_that_crashes_ends_those_in_it_and_the_engine_lives() -> None:
    def crash(chunks: Sequence[Chunk]) -> None:
        if any(13 in chunk.token_ids for chunk in chunks):
            raise RuntimeError("a kernel has failed")

    backend = Wrapper(crash)
    with Engine(toy(backend)) as engine:
        steps, done = run(engine, Request((13,), HOT, 5))
        assert done.reason == "error" and "Error" in done.message and "kernel" not in done.message and steps == []
        assert run(engine, Request((5,), chain(temperature=0), 5, ignore_eos=True))[1].reason == "length"
        assert engine.status()["num_lanes_used"] == 0
    assert not backend.lanes


def test_a_fork_that_fails_ends_its_request() -> None:
    class NoFork(Wrapper):
        def fork(self, src: int, dst: int, length: int | None = None) -> None:
            raise RuntimeError("no room for a copy")

    backend = NoFork()
    with Engine(toy(backend)) as engine:
        assert "Error" in run(engine, Request((5,), HOT, 5, num_samples=3))[1].message
        assert run(engine, Request((5,), HOT, 5, ignore_eos=True))[1].reason == "length"
    assert not backend.lanes


def test_a_fork_that_fails_beside_others_ends_its_request_alone() -> None:
    """With guidance the second of two lanes fails: the first copy must not stay behind."""

    class OneFork(Wrapper):
        def fork(self, src: int, dst: int, length: int | None = None) -> None:
            if self.num_forks:
                raise torch.OutOfMemoryError("no room for a copy")
            super().fork(src, dst, length)

    gate = Gate()
    backend = OneFork(gate)
    with Engine(toy(backend)) as engine:
        other = engine.submit(Request((5,), HOT, 30, ignore_eos=True))
        many = engine.submit(Request((6,), HOT, 30, num_samples=3, guidance=cfg(2.0), priority="bulk", session="a"))
        gate.open.set()
        assert finished(many)[1].reason == "error"
        assert len(finished(other)[0]) == 30
        assert engine.status()["num_lanes_used"] == 0
    assert not backend.lanes
