"""Collecting through the desk, on the toy: a frozen aim, fresh darts, every way to end, one a tab, refusals."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.ui.desk import Desk
from playground.ui.session import Session
from tests.ui.pools import drawn, given

MOON = {"features": ["moon", {"feature": "num_tokens"}], "targets": [0.5, 9.0], "acceptance_rate": 0.25}
LONG = {"num_accepted": None, "max_proposals": 5000, "acceptance_rate": None, "log_beta": 9.0}


@pytest.fixture
def tab(desk: Desk) -> Session:
    return desk.sessions.create()


def run(work: Any) -> Any:
    return asyncio.run(work)


async def collected(desk: Desk, tab: Session, since: int = 0) -> dict[str, Any]:
    while (view := await desk.collect.collection(tab, {"since": since}))["running"]:
        await asyncio.sleep(0.01)
    return view


async def idle(desk: Desk) -> None:
    for _ in range(500):
        status = desk.host.engine.status()
        if not status["num_running"] and not status["num_waiting_bulk"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(status)


def test_as_many_as_wanted(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab)
        view = await desk.control.view(tab, {"pool": pool, **MOON})
        first = await desk.collect.collect(tab, {"pool": pool, **MOON, "num_accepted": 12})
        assert first["running"] and first["log_beta"] == view["beta"]["log_beta"]
        low, high = first["promised"]["between"]
        assert first["promised"]["rate"] == pytest.approx(0.25) and 0.15 < low < 0.25 < high < 0.35
        told = await collected(desk, tab)
        assert told["reason"] == "enough" and told["num_accepted"] == 12 == len(told["rows"])
        assert told["ending"].startswith("12 of ") and told["low"] < told["rate"] < told["high"]
        assert told["unbiased"] == pytest.approx(11 / (told["num_proposed"] - 1)) and told["unbiased"] < told["rate"]
        assert all(row["accepted"] and row["u"] < row["keep"] for row in told["rows"])
        moon = told["means"][0]
        assert moon["target"] == pytest.approx(0.5) and moon["at_beta"] == pytest.approx(view["gauges"][0]["at_beta"])
        assert moon["mean"] == pytest.approx(sum("moon" in row["text"] for row in told["rows"]) / 12)
        assert moon["low"] < moon["mean"] < moon["high"] and told["tvd"] >= 0
        later = await desk.collect.collection(tab, {"since": 10})
        assert [row["text"] for row in later["rows"]] == [row["text"] for row in told["rows"][10:]]
        await idle(desk)

    run(main())


def test_fresh_darts_and_a_pool_that_grows_meanwhile(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab, num_texts=50)
        asked = {"pool": pool, **MOON, "num_accepted": 5}
        seen: list[int] = []
        for _ in range(2):
            await desk.collect.collect(tab, asked)
            await collected(desk, tab)
            data = await desk.collect.export(tab, {})
            assert min(data["numbers"]) >= 50 and not set(seen) & set(data["numbers"])
            seen += data["numbers"]
        await drawn(desk, tab, pool=pool, num_texts=20)
        texts = tab.pools.get(pool).pool
        assert len(texts) == 70 and not set(texts.uniforms.tolist()) & set(data["pool"]["uniforms"])

    run(main())


def test_the_aim_stands_still(desk, tab):
    """Whatever is dragged, drawn or dropped while it runs."""

    async def main() -> None:
        pool = await given(desk, tab)
        before = await desk.collect.collect(tab, {"pool": pool, **MOON, "num_accepted": 40})
        await desk.control.view(tab, {"pool": pool, **MOON, "targets": [0.1, 5.0], "acceptance_rate": 0.9})
        await desk.control.drop(tab, {"pool": pool})
        after = await collected(desk, tab)
        assert after["reason"] == "enough" and after["log_beta"] == before["log_beta"]
        assert [one["target"] for one in after["means"]] == [one["target"] for one in before["means"]]
        data = await desk.collect.export(tab, {})
        assert data["seed"] == 7 and data["proposal"] == "the model" and data["log_beta"] == before["log_beta"]
        assert len(data["accepted"]) == data["num_proposed"] == len(data["pool"]["texts"])
        assert sum(data["accepted"]) == data["num_accepted"] == 40
        assert [one["target"] for one in data["target"]] == pytest.approx([0.5, 9.0])

    run(main())


def test_several_prompts_share_it_by_darts(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab, num_texts=100, more_prompts=["The moon"])
        asked = {"pool": pool, "features": ["sea"], "targets": [0.3], "acceptance_rate": 0.5}
        first = await desk.collect.collect(tab, asked | {"num_accepted": 60})
        assert first["prompts"] == ["The dragon", "The moon"]
        told = await collected(desk, tab)
        assert told["num_accepted"] == 60
        data = await desk.collect.export(tab, {})
        contexts = data["pool"]["contexts"]
        assert 0.3 < contexts.count("The moon") / len(contexts) < 0.7
        old = tab.pools.get(pool).pool
        assert not set(old.uniforms.tolist()) & set(data["pool"]["uniforms"]), "darts never thrown before"

    run(main())


def test_exponents_by_hand_and_a_word_the_pool_never_saw(desk, tab):
    """Set by hand, an exponent tilts and excludes nothing, not even what the pool happens to lack."""

    async def main() -> None:
        pool = await given(desk, tab, num_texts=3)
        asked = {"pool": pool, "features": ["moon"], "targets": [None], "exponents": [-1.0], "log_beta": -1.0}
        await desk.collect.collect(tab, asked | {"num_accepted": None, "max_proposals": 300})
        told = await collected(desk, tab)
        assert told["reason"] == "proposals" and told["num_accepted"] == 300 and told["means"][0]["mean"] > 0
        assert told["means"][0]["exponent"] == -1.0

    run(main())


def test_cancelling_keeps_what_was_accepted(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab)
        await desk.collect.collect(tab, {"pool": pool, **MOON, **LONG, "log_beta": 0.0})
        with pytest.raises(PlaygroundError, match="under way in this tab"):
            await desk.collect.collect(tab, {"pool": pool, **MOON})
        while (await desk.collect.collection(tab, {}))["num_accepted"] < 3:
            await asyncio.sleep(0.01)
        told = await desk.collect.stop(tab, {})
        assert not told["running"] and told["reason"] == "cancelled" and told["num_accepted"] >= 3
        assert "then it was stopped" in told["ending"] and told["unbiased"] is None
        await idle(desk)
        assert (await desk.collect.stop(tab, {}))["num_accepted"] == told["num_accepted"]
        assert (await desk.collect.collect(tab, {"pool": pool, **MOON, "num_accepted": 1}))["running"]
        await collected(desk, tab)

    run(main())


def test_slow_marks_hold_up_nobody(desk, tab, monkeypatch):
    """Patterns of strangers are looked up off the event loop, and an answer has fewer texts where that takes long."""
    monkeypatch.setattr("playground.studies.collecting_views.MARKING_S", -1.0)
    threads: set[str] = set()

    def marked(*_: Any) -> list[list[int]]:
        threads.add(threading.current_thread().name)
        return []

    monkeypatch.setattr("playground.studies.collecting_views.marks_in", marked)

    async def main() -> None:
        pool = await given(desk, tab)
        await desk.collect.collect(tab, {"pool": pool, **MOON, "num_accepted": 5})
        await collected(desk, tab)
        told = [(await desk.collect.collection(tab, {"since": since}))["rows"] for since in range(6)]
        assert [len(rows) for rows in told] == [1, 1, 1, 1, 1, 0]
        assert len({rows[0]["u"] for rows in told[:5]}) == 5
        assert threads and threading.current_thread().name not in threads

    run(main())


@pytest.mark.parametrize("way", ["closed", "forgotten", "pushed out"])
def test_leaving_ends_it(desk, tab, way):
    async def main() -> None:
        pool = await given(desk, tab)
        await desk.collect.collect(tab, {"pool": pool, **MOON, **LONG})
        await asyncio.sleep(0.05)
        if way == "closed":
            desk.sessions.tie("a connection", tab)
            await asyncio.to_thread(desk.leave, "a connection")
        elif way == "forgotten":
            desk.forget(tab)
        else:
            for _ in range(desk.settings.max_sessions + 1):
                desk.sessions.create()
        await asyncio.wait_for(tab.collecting.task, 5)
        await idle(desk)

    run(main())


def test_what_nobody_asks_about_ends(desk, tab, monkeypatch):
    monkeypatch.setattr("playground.studies.collecting_runs.ABANDONED_S", 0.15)

    async def main() -> None:
        pool = await given(desk, tab)
        await desk.collect.collect(tab, {"pool": pool, **MOON, **LONG})
        await asyncio.wait_for(tab.collecting.task, 5)
        assert "nobody had asked" in (await desk.collect.collection(tab, {}))["fault"]
        await idle(desk)

    run(main())


def test_a_failing_engine_is_told(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab)

        def full(*_: Any) -> Any:
            raise PlaygroundError("The queue is full. Try again in a moment.", status=503)

        tab.pools.get(pool).reserved = full
        await desk.collect.collect(tab, {"pool": pool, **MOON})
        told = await collected(desk, tab)
        assert told["fault"].startswith("The queue is full") and told["num_proposed"] == 0 and told["rate"] is None

    run(main())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pool": "toy"}, "listed already"),
        ({"pool": "nobody"}, "not known here"),
        ({"pool": 5}, "must be a text"),
        ({"num_accepted": 0}, "num_accepted must be"),
        ({"num_accepted": 1001}, "num_accepted must be"),
        ({"num_accepted": 2.5}, "whole number"),
        ({"max_proposals": 5001}, "max_proposals must be"),
        ({"max_proposals": None}, "max_proposals must be"),
        ({"precision": 0}, "precision must be"),
        ({"precision": "x"}, "precision must be"),
        ({"targets": [0.5]}, "list of 2 numbers"),
        ({"targets": [2.0, 9.0]}, "impossible"),
        ({"log_beta": math.inf}, "log_beta must be"),
        ({"features": []}, "must be a list"),
    ],
)
def test_strangers_are_told_what_is_wrong(desk, tab, change, reason):
    async def main() -> None:
        pool = await given(desk, tab, num_texts=30)
        with pytest.raises(PlaygroundError, match=reason):
            await desk.collect.collect(tab, {"pool": pool, **MOON, **change})
        assert tab.collecting is None

    run(main())


def test_nothing_is_collected_in_another_tab(desk, tab):
    for ask in (desk.collect.collection, desk.collect.stop, desk.collect.export):
        with pytest.raises(PlaygroundError, match="Nothing is being collected"):
            run(ask(tab, {}))
