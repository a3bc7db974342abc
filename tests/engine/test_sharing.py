"""Who runs when: gangs, shared prompts, the queue, bulk work, and the memory that is charged before a start."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest

from playground.engine import Branch, Engine, Request, Step
from playground.errors import PlaygroundError
from playground.models import Model
from playground.sampling import cfg
from tests.engine.wrappers import WAIT_S, Gate, Wrapper, chain, finished, run, toy, until

HOT = chain(temperature=1.5)


def test_guidance_is_two_rows_of_one_forward(model: Model, backend: Wrapper) -> None:
    with Engine(model) as engine:
        run(engine, Request((1, 2, 3), HOT, max_tokens=10, guidance=cfg(1.5), ignore_eos=True))
    assert len(backend.calls) == 10, "one forward a token, the prompt's included"
    assert all(len(call) == 2 for call in backend.calls)
    assert [len(chunk.token_ids) for chunk in backend.calls[0]] == [3, 1], "by default the last prompt token"


def test_scale_one_skips_the_second_branch(model: Model, backend: Wrapper) -> None:
    with Engine(model) as engine:
        steps, _ = run(engine, Request((1, 2, 3), HOT, max_tokens=5, others=(Branch((4,)),), ignore_eos=True))
    assert all(len(call) == 1 for call in backend.calls)
    assert all(step.other_keys == () for step in steps)


def test_the_branches_of_a_long_prompt_arrive_together(model: Model, backend: Wrapper) -> None:
    with Engine(model, prefill_chunk=16) as engine:
        run(engine, Request((1,) * 100, HOT, max_tokens=3, guidance=cfg(2.0), ignore_eos=True))
    wanting = [call for call in backend.calls if any(len(chunk.rows) for chunk in call)]
    assert len(wanting) == 3 and all(sum(len(chunk.rows) for chunk in call) == 2 for call in wanting)
    assert max(sum(len(chunk.token_ids) for chunk in call) for call in backend.calls) <= 16
    assert backend.num_tokens == 100 + 1 + 2 * 2


def test_samples_share_one_prefill(model: Model, backend: Wrapper) -> None:
    request = Request((1,) * 200, HOT, max_tokens=5, num_samples=8, guidance=cfg(1.5), ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        assert backend.num_tokens == 200 + 1 + 8 * 2 * 4
        assert backend.num_forks == 7 * 2, "the last sample takes the prompt's own lanes"
        singles = [run(engine, replace(request, num_samples=1, first_sample=number)) for number in range(8)]
    for number, (single, _) in enumerate(singles):
        assert [step.token_id for step in steps if step.sample == number] == [step.token_id for step in single]
    assert len({tuple(step.token_id for step in steps if step.sample == number) for number in range(8)}) > 1


def test_more_samples_than_lanes_run_in_turns(model: Model, backend: Wrapper) -> None:
    with Engine(model, max_lanes=4) as engine:
        request = Request((1, 2, 3), HOT, max_tokens=4, num_samples=30, guidance=cfg(1.5), ignore_eos=True)
        steps, _ = run(engine, request)
        assert engine.status()["num_lanes_used"] == 0
    assert sorted((step.sample, step.index) for step in steps) == [(n, i) for n in range(30) for i in range(4)]
    assert max(len(call) for call in backend.calls) == 4
    assert not backend.lanes and [len(chunk.token_ids) for chunk in backend.calls[0]] == [3, 1]


def test_several_requests_of_several_samples_never_wait_for_each_other(model: Model) -> None:
    """Each holds the shared prompt's lanes while it waits for another lane: all together must not take every one."""
    with Engine(model, max_lanes=5) as engine:
        request = Request((1, 2), HOT, max_tokens=3, num_samples=4, ignore_eos=True)
        streams = [engine.submit(request) for _ in range(6)]
        assert all(len(finished(stream)[0]) == 12 for stream in streams)


def test_slots_are_given_back_when_somebody_waits(backend: Wrapper) -> None:
    """A request of many samples has grown into every lane; a newcomer gets in when a sample ends, not the last."""
    gate = Gate()
    backend.before = gate
    with Engine(toy(backend), max_lanes=6) as engine:
        many = engine.submit(Request((1,), HOT, max_tokens=4, num_samples=60, ignore_eos=True))
        gate.reached.wait(WAIT_S)
        few = engine.submit(Request((2,), HOT, max_tokens=4, num_samples=2, ignore_eos=True))
        late = engine.submit(Request((3,), HOT, max_tokens=4, ignore_eos=True))
        gate.open.set()
        finished(late)
        assert many.done is None and len(many.drain()) < 4 * 30
        finished(few)


def test_slots_are_given_back_when_the_last_samples_end(model: Model) -> None:
    """One sample goes on for long; the lanes of those that have ended serve others meanwhile."""
    ends = model.backend.vocabulary.eos_ids
    slow = toy(Wrapper(lambda _: time.sleep(0.001)))
    with Engine(slow, max_lanes=2) as engine:
        request = Request((1, 2), HOT, max_tokens=1500, num_samples=2, seed=uneven_seed(model))
        stream = engine.submit(request)
        other = engine.submit(Request((3,), HOT, max_tokens=2, ignore_eos=True))
        assert len(finished(other)[0]) == 2 and stream.done is None
        assert any(item.token_id in ends for item in stream.drain() if isinstance(item, Step))


def uneven_seed(model: Model) -> int:
    """A seed of which one sample ends at once and the other not for long."""
    with Engine(model, max_lanes=64) as engine:
        for first in range(0, 960, 32):
            seeds = range(first, first + 32)
            streams = [engine.submit(Request((1, 2), HOT, max_tokens=60, num_samples=2, seed=seed)) for seed in seeds]
            for seed, stream in zip(seeds, streams, strict=True):
                steps, _ = finished(stream)
                lengths = sorted(sum(step.sample == number for step in steps) for number in range(2))
                if lengths[0] < 10 and lengths[1] == 60:
                    return seed
    raise AssertionError("no such seed")


def test_the_queue_holds_256_and_says_when_it_is_full() -> None:
    gate = Gate()
    with Engine(toy(Wrapper(gate)), max_lanes=1) as engine:
        running = engine.submit(Request((1,), HOT, max_tokens=1))
        gate.reached.wait(WAIT_S)
        queued = [engine.submit(Request((1,), HOT, max_tokens=1)) for _ in range(256)]
        assert [stream.position for stream in queued] == list(range(1, 257))
        with pytest.raises(PlaygroundError, match="full") as refusal:
            engine.submit(Request((1,), HOT))
        assert refusal.value.status == 503
        queued[17].cancel()
        late = engine.submit(Request((1,), HOT, max_tokens=1))
        assert late.position == 256, "who has left keeps no place"
        gate.open.set()
        for stream in [running, *queued[:17], *queued[18:], late]:
            assert len(finished(stream)[0]) == 1 and stream.position == 0


def test_interactive_work_goes_before_bulk_work() -> None:
    gate = Gate()
    with Engine(toy(Wrapper(gate)), max_lanes=2) as engine:
        blockers = [engine.submit(Request((1,), HOT, max_tokens=1)) for _ in range(2)]
        gate.reached.wait(WAIT_S)
        until(lambda: sum(stream.position == 0 for stream in blockers) >= 1)
        bulk = engine.submit(Request((1,), HOT, max_tokens=1, priority="bulk"))
        quick = engine.submit(Request((1,), HOT, max_tokens=1))
        assert bulk.position > quick.position > 0
        gate.open.set()
        for stream in (*blockers, bulk, quick):
            finished(stream)


def test_bulk_work_never_holds_more_than_half_the_lanes(model: Model, backend: Wrapper) -> None:
    with Engine(model, max_lanes=8) as engine:
        bulk = [engine.submit(Request((1,), HOT, 30, ignore_eos=True, priority="bulk")) for _ in range(6)]
        bulk.append(engine.submit(Request((2,), HOT, 30, num_samples=9, ignore_eos=True, priority="bulk")))
        for stream in bulk:
            finished(stream)
    assert max(len(call) for call in backend.calls) == 4


def test_what_does_not_fit_waits_and_what_can_never_fit_is_refused() -> None:
    gate = Gate()
    model = toy(Wrapper(gate))
    row_bytes = 6 * 4 * model.backend.vocabulary.size
    large = (2**20 - row_bytes) // model.kv_bytes_per_token  # tokens that fill a budget of 1 MB
    model.backend.max_context = model.backend.inner.max_context = 10**6  # type: ignore[attr-defined]
    with Engine(model, kv_budget_mb=1) as engine:
        half = Request((1,) * 10, HOT, max_tokens=int(large * 0.6), ignore_eos=True)
        first, second, small = engine.submit(half), engine.submit(half), engine.submit(Request((1,), HOT, max_tokens=1))
        gate.reached.wait(WAIT_S)
        until(lambda: second.position == 1)
        assert small.position == 2, "nothing small passes what waits for memory, or that would wait for ever"
        with pytest.raises(PlaygroundError, match="MB"):
            engine.submit(Request((1,) * 10, HOT, max_tokens=large))
        with pytest.raises(PlaygroundError, match="MB"):
            engine.submit(Request((1,) * 10, HOT, max_tokens=int(large * 0.6), guidance=cfg(2.0)))
        first.cancel()
        gate.open.set()
        assert len(finished(small)[0]) == 1 and second.position == 0
        second.cancel()
        until(lambda: engine.status()["kv_bytes_used"] == 0)


def test_a_request_of_more_lanes_than_there_are_is_refused(model: Model) -> None:
    with Engine(model, max_lanes=2) as engine:
        with pytest.raises(PlaygroundError, match="lanes"):
            engine.submit(Request((1,), num_samples=2, guidance=cfg(2.0)))
        with pytest.raises(PlaygroundError, match="lanes"):
            engine.submit(Request((1,), guidance=cfg(2.0), priority="bulk"))


def test_a_text_far_longer_than_the_others_writes_in_every_second_step() -> None:
    """It slows fifteen short ones by less, loses nothing but time, and alone it never waits."""
    long = Request((7,) * 4000, HOT, max_tokens=150, ignore_eos=True, seed=3)
    backend = Wrapper(max_context=8192)
    with Engine(toy(backend)) as engine:
        alone, _ = run(engine, long)
        num_alone = sum(all(len(chunk.token_ids) == 1 for chunk in call) for call in backend.calls)
        backend.calls.clear()
        stream = engine.submit(long)
        until(lambda: len(backend.calls) > 0 and len(backend.calls[-1][0].token_ids) == 1)  # it has begun to write
        shorts = [engine.submit(Request((2, n), HOT, max_tokens=200, ignore_eos=True)) for n in range(3)]
        together, _ = finished(stream)
        for short in shorts:
            finished(short)
    assert [step.token_id for step in together] == [step.token_id for step in alone]
    assert 149 <= num_alone <= 150
    lane = next(chunk.lane for call in backend.calls for chunk in call if len(chunk.token_ids) > 100)
    # Beside three that write: one token each, where a prompt has two.
    beside = [call for call in backend.calls if [len(one.token_ids) for one in call if one.lane != lane] == [1] * 3]
    wrote = [any(chunk.lane == lane and len(chunk.token_ids) == 1 for chunk in call) for call in beside]
    assert sum(wrote) >= 10
    assert not any(one and two for one, two in itertools.pairwise(wrote)), "never two steps running"
