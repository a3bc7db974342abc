"""A request's life: it starts, writes, ends in exactly one way, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from playground.engine import Branch, Done, Engine, Reading, Request, Span, Step
from playground.errors import PlaygroundError
from playground.models import Model
from playground.sampling import Guidance, cfg
from tests.engine.wrappers import GREEDY, WAIT_S, Gate, Wrapper, chain, finished, ids, run, toy, until

HOT = chain(temperature=1.5)


def test_length_ends_a_text(model: Model) -> None:
    with Engine(model) as engine:
        steps, done = run(engine, Request(ids(model, "The old"), HOT, max_tokens=7, seed=3, ignore_eos=True))
    assert [step.index for step in steps] == list(range(7))
    assert done == Done("length") and steps[-1].end == "length"
    assert all(step.end is None for step in steps[:-1])


def test_eos_ends_a_text_unless_ignored(model: Model) -> None:
    request = Request(ids(model, "The house of the house."), GREEDY, max_tokens=30)
    eos_ids = model.backend.vocabulary.eos_ids
    with Engine(model) as engine:
        steps, done = run(engine, request)
        ignoring, other = run(engine, Request(request.prompt_ids, GREEDY, max_tokens=30, ignore_eos=True))
    assert done.reason == "eos" and steps[-1].token_id in eos_ids and steps[-1].text == ""
    assert other.reason == "length" and len(ignoring) == 30


def test_a_full_context_ends_a_text_and_says_so() -> None:
    model = toy(Wrapper(max_context=16))
    with Engine(model) as engine:
        steps, done = run(engine, Request((1,) * 10, HOT, max_tokens=50, ignore_eos=True))
    assert len(steps) == 7, "six more fit, and the last token is never fed back"
    assert done.reason == "length" and "16" in done.message


def test_a_stop_string_is_found_across_tokens_and_never_shown(model: Model) -> None:
    prompt = ids(model, "Once upon")
    with Engine(model) as engine:
        plain, _ = run(engine, Request(prompt, HOT, max_tokens=40, seed=5, ignore_eos=True))
        text = "".join(step.text for step in plain)
        boundary = next(at for at in range(5, 30) if plain[at].text and len(plain[at + 1].text) > 1)
        before = "".join(step.text for step in plain[:boundary])
        stop = plain[boundary].text[-1] + plain[boundary + 1].text[:2]
        steps, done = run(engine, Request(prompt, HOT, max_tokens=40, seed=5, ignore_eos=True, stop=("zzz", stop)))
    assert done.reason == "stop" and steps[-1].end == "stop"
    assert "".join(step.text for step in steps) == text[: text.index(stop)]
    assert text.index(stop) <= len(before) + len(plain[boundary].text)
    assert [step.token_id for step in steps] == [step.token_id for step in plain[: len(steps)]]


def test_text_of_the_steps_joins_to_the_text_of_the_tokens(model: Model) -> None:
    with Engine(model) as engine:
        steps, _ = run(engine, Request(ids(model, "Ein"), chain(temperature=4), max_tokens=80, ignore_eos=True))
    decoded = model.backend.vocabulary.decode([step.token_id for step in steps])
    assert "".join(step.text for step in steps) == decoded
    assert "\ufffd" in decoded, "at this temperature the toy draws broken bytes, or this test shows nothing"


def test_cancelled_while_it_waits() -> None:
    gate = Gate()
    model = toy(Wrapper(gate))
    with Engine(model, max_lanes=1) as engine:
        first = engine.submit(Request((1, 2), HOT, max_tokens=3, ignore_eos=True))
        gate.reached.wait(WAIT_S)
        second = engine.submit(Request((1, 2), HOT, max_tokens=3))
        third = engine.submit(Request((1, 2), HOT, max_tokens=3, ignore_eos=True))
        assert (second.position, third.position) == (1, 2)
        assert engine.cancel(second.id) and second.done == Done("cancelled")
        assert not engine.cancel(second.id), "it has ended"
        gate.open.set()
        assert finished(second)[0] == []
        assert len(finished(first)[0]) == len(finished(third)[0]) == 3
        assert third.position == 0


def test_cancelled_while_it_writes(model: Model, backend: Wrapper) -> None:
    with Engine(model) as engine:
        stream = engine.submit(Request((1, 2), HOT, max_tokens=1500, guidance=cfg(2.0), ignore_eos=True))
        assert isinstance(next(iter(stream)), Step)
        stream.cancel()
        assert stream.done == Done("cancelled"), "at once, not after the next step"
        until(lambda: not backend.lanes)
        num_calls = len(backend.calls)
        time.sleep(0.05)
        assert len(backend.calls) == num_calls, "nobody is left to write for"
        assert engine.status()["kv_bytes_used"] == 0


def test_a_session_that_leaves_takes_its_streams_and_rows_along(model: Model, backend: Wrapper) -> None:
    with Engine(model) as engine:
        other, _ = run(engine, Request((1, 2), HOT, max_tokens=4, session="stays", ignore_eos=True))
        streams = [
            engine.submit(Request((1, 2), HOT, max_tokens=1500, session="leaves", ignore_eos=True)) for _ in range(3)
        ]
        for stream in streams:
            next(iter(stream))
        key = next(step.row_key for step in streams[0] if isinstance(step, Step))
        assert engine.cancel_session("leaves") == 3
        assert all(finished(stream)[1] == Done("cancelled") for stream in streams)
        with pytest.raises(PlaygroundError) as missing:
            engine.row(key)
        assert missing.value.status == 404
        assert len(engine.row(other[0].row_key)) == 4 * model.backend.vocabulary.size
        until(lambda: not backend.lanes)


@pytest.mark.parametrize(
    "work",
    [Request((1, 2), HOT, max_tokens=5, session="me"), Reading((Span((1, 2), 0, ("a", "b")),), session="me")],
    ids=["request", "reading"],
)
def test_rows_that_arrive_after_the_session_has_left_are_not_kept(work: Request | Reading) -> None:
    gate = Gate()
    with Engine(toy(Wrapper(gate))) as engine:
        stream = engine.submit(work)
        gate.reached.wait(WAIT_S)
        engine.cancel_session("me")
        gate.open.set()
        until(lambda: engine.status()["num_lanes_used"] == 0)
        assert engine.store.num_rows == 0 and finished(stream) == ([], Done("cancelled"))


def test_closing_the_engine_ends_every_stream() -> None:
    gate = Gate()
    model = toy(Wrapper(gate))
    engine = Engine(model, max_lanes=2)
    streams = [engine.submit(Request((1,), HOT, max_tokens=500, ignore_eos=True)) for _ in range(5)]
    gate.open.set()
    engine.close()
    for stream in streams:
        assert finished(stream)[1].reason == "cancelled"
    with pytest.raises(PlaygroundError, match="closed"):
        engine.submit(Request((1,), HOT))
    assert not model.backend.lanes  # type: ignore[attr-defined]


def test_a_slow_reader_blocks_nobody(model: Model) -> None:
    with Engine(model) as engine:
        slow = engine.submit(Request((1, 2), HOT, max_tokens=300, ignore_eos=True))
        quick, _ = run(engine, Request((3,), HOT, max_tokens=300, ignore_eos=True))
        assert len(quick) == 300
        assert len(finished(slow)[0]) == 300, "everything waits for the reader who never read meanwhile"


def test_reading_asynchronously(model: Model) -> None:
    request = Request(ids(model, "The old"), HOT, max_tokens=40, seed=1, ignore_eos=True)

    async def read(engine: Engine) -> list[list[Step | Done]]:
        async def one() -> list[Step | Done]:
            return [item async for item in engine.submit(request)]

        return await asyncio.wait_for(asyncio.gather(*(one() for _ in range(5))), WAIT_S)

    with Engine(model) as engine:
        texts = asyncio.run(read(engine))
        assert texts[0][-1] == Done("length") and len(texts[0]) == 41
        assert len({tuple(item.token_id for item in text if isinstance(item, Step)) for text in texts}) == 1


def test_a_reader_that_goes_away_asynchronously_leaves_the_engine_alone(model: Model) -> None:
    async def leave(engine: Engine) -> None:
        async def read() -> None:
            async for _ in engine.submit(Request((1,), HOT, max_tokens=200, ignore_eos=True)):
                await asyncio.sleep(0)

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(read(), 0.01)

    with Engine(toy(Wrapper(lambda _: time.sleep(0.002)))) as engine:
        asyncio.run(leave(engine))
        assert run(engine, Request((1,), HOT, max_tokens=2, ignore_eos=True))[1].reason == "length"


def test_a_text_is_continued_with_the_same_darts(model: Model) -> None:
    for scale in (1.0, 1.7):
        request = Request(ids(model, "The old"), HOT, max_tokens=20, seed=4, guidance=cfg(scale), ignore_eos=True)
        with Engine(model) as engine:
            whole, _ = run(engine, request)
            start = tuple(step.token_id for step in whole[:8])
            rest, _ = run(engine, replace(request, max_tokens=12, continued_ids=start))
        assert [(step.index, step.token_id) for step in rest] == [(step.index, step.token_id) for step in whole[8:]]


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (Request(()), "empty"),
        (Request((1,), others=(Branch(()),), guidance=cfg(2.0)), "negative"),
        (Request((1,), guidance=Guidance((1.0, 0.5, -0.5))), "weights"),
        (Request((1,), max_tokens=0), "max_tokens"),
        (Request((1,), max_tokens=2.5), "max_tokens"),  # type: ignore[arg-type]
        (Request((1,), num_samples=0), "num_samples"),
        (Request((1,), seed="x"), "seed"),  # type: ignore[arg-type]
        (Request((-1,)), "token id"),
        (Request((10**6,)), "token id"),
        (Request((1,) * 3000), "2,048"),
        (Request((1,), others=(Branch((1,) * 3000),), guidance=cfg(2.0)), "2,048"),
        (Request((1,), stop=("",)), "stop"),
        (Request((1,), priority="urgent"), "priority"),  # type: ignore[arg-type]
        (Reading(()), "nothing"),
        (Reading((Span((1, 2), 1, ("a", "b")),)), "within"),
        (Reading((Span((1, 2), 0, ()),)), "within"),
    ],
)
def test_what_can_never_run_is_refused_with_the_reason(model: Model, work: Request | Reading, says: str) -> None:
    with Engine(model) as engine, pytest.raises(PlaygroundError, match=says):
        engine.submit(work)


def test_rows_that_are_kept_while_their_session_leaves_are_forgotten_too() -> None:
    """The round under way has looked whether the stream goes on, then the tab is closed, then it keeps the rows."""
    with Engine(toy()) as engine:
        keep = engine.store.put

        def leave_first(*given: Any, **named: Any) -> None:
            engine.cancel_session("me")
            keep(*given, **named)

        engine.store.put = leave_first  # type: ignore[method-assign]
        for work in (Request((1, 2), max_tokens=20, session="me"), Request((1, 2), max_tokens=1, session="me")):
            engine.submit(work).result(WAIT_S)
            until(lambda: engine.status()["num_running"] == 0 == engine.store.num_rows)
