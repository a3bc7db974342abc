"""The desk without a server: what a stateful question needs, and what happens while there is no engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from playground.engine import EngineHost, one_thread_worker
from playground.errors import PlaygroundError
from playground.settings import Settings
from playground.studies import first_view
from playground.studies.inspect import Inspector
from playground.ui.desk import Desk
from playground.ui.session import Session, Sessions
from tests.running import run


def without_engine(make: Any, first: Any = None) -> Desk:
    host = EngineHost(make)
    return Desk(Settings(), host, Inspector(host, first, one_thread_worker("test-charts")), Sessions(5))


def refuse(progress: Any) -> Any:
    raise PlaygroundError("There is no model called x. Give --model a folder.")


def refusal(question: Any) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as caught:
        run(question)
    return caught.value


async def all_of(deltas: Any) -> list[Any]:
    return [delta async for delta in deltas]


def test_while_the_model_loads_the_answer_is_503_and_says_so() -> None:
    desk = without_engine(refuse)  # not started: it loads for ever
    session = run(desk.open())["session"]
    tab = desk.sessions.get(session)
    for question in (desk.next(tab, {"prompt": "a"}), all_of(desk.generate(tab, {"prompt": "a"}))):
        error = refusal(question)
        assert error.status == 503 and "loading" in str(error)
    assert desk.status()["state"] == "loading"
    desk.leave("nobody")
    desk.forget(tab)


def test_bad_input_is_told_before_the_engine_is_missed() -> None:
    desk = without_engine(refuse)
    assert refusal(desk.next(Session(), {"prompt": ""})).status == 400


def test_a_model_that_could_not_be_loaded_is_503_with_the_reason() -> None:
    desk = without_engine(refuse)
    desk.host.start()
    error = refusal(_wait_and_ask(desk))
    assert error.status == 503 and "no model called x" in str(error)
    assert desk.status() == {"state": "failed", "fraction": 0.0, "message": str(error)}


async def _wait_and_ask(desk: Desk) -> None:
    while desk.status()["state"] == "loading":
        await asyncio.sleep(0.01)
    await desk.next(Session(), {"prompt": "a"})


def test_the_first_view_works_while_the_model_loads() -> None:
    stored = first_view.load()
    assert stored is not None, "assets/first_view.npz is part of the checkout"
    desk = without_engine(refuse, stored)
    one, two = (run(desk.open()) for _ in range(2))
    keys = [answer["first"]["view"]["key"] for answer in (one, two)]
    assert keys[0] != keys[1] and one["first"]["view"]["rows"] == two["first"]["view"]["rows"]
    assert "".join(token["text"] for token in one["first"]["prompt_tokens"]) == one["prompt"]
    first, second = (desk.sessions.get(answer["session"]) for answer in (one, two))
    knobs = {"key": keys[0], "strip": [{"id": "top_k", "top_k": 3}], "scale": 1.5}
    assert run(desk.trace(first, knobs))["final"]["support"] == 3
    assert refusal(desk.trace(second, knobs)).status == 404, "another tab's key"
    assert refusal(desk.trace(first, {"key": f"{keys[0]}@2", "refill": True})).status == 503


def test_two_tabs_never_share(desk: Desk) -> None:
    async def ask() -> None:
        one, two = Session(), Session()
        keys = [(await desk.next(tab, {"prompt": "The old sailor"}))["key"] for tab in (one, two)]
        assert keys[0] != keys[1], "the same prompt is two places"
        for tab, key in ((one, keys[1]), (two, keys[0])):
            with pytest.raises(PlaygroundError) as caught:
                await desk.trace(tab, {"key": key})
            assert caught.value.status == 404
        desk.forget(one)
        assert (await desk.trace(one, {"key": keys[0]})) == {"missing": True, "key": keys[0]}
        assert (await desk.trace(two, {"key": keys[1]}))["key"] == keys[1], "one tab's leaving takes nobody's rows"

    run(ask())


def test_rows_that_left_the_store_come_back_where_they_are_asked_for(desk: Desk) -> None:
    async def ask() -> None:
        tab = Session()
        body = {"prompt": "The old sailor", "scale": 2.0, "seed": 3}
        before = await desk.next(tab, body)
        for question in (
            desk.trace(tab, {**body, "key": before["key"], "refill": True}),
            desk.step(tab, before["key"]),
            desk.scale_figure(tab, {"key": before["key"]}),
        ):
            desk.forget(tab)
            assert await question
        after = await desk.trace(tab, {**body, "key": before["key"]})
        assert [row["p_final"] for row in after["rows"]] == pytest.approx([row["p_final"] for row in before["rows"]])

    run(ask())


def test_rows_that_leave_again_at_once_are_an_explained_503(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.host.engine.store, "get", lambda key: None)
    error = refusal(desk.next(Session(), {"prompt": "The"}))
    assert error.status == 503 and "try again" in str(error)
