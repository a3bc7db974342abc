"""The tuning panel's questions, over a tiny model: a run from start to text, and everything that is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.control.features import features
from playground.engine import Engine, EngineHost, one_thread_worker
from playground.errors import PlaygroundError
from playground.settings import Settings
from playground.studies import tuning_runs
from playground.studies.inspect import Inspector
from playground.ui.desk import Desk
from playground.ui.session import Session, Sessions
from tests.models.served import tiny

ASKED = {
    "prompt": "ABC", "features": [{"feature": "contains", "text": "K", "whole_words": False}], "targets": [1.0],
    "num_texts": 200, "max_tokens": 8, "num_epochs": 1, "num_steps": 2, "texts_per_step": 32, "learning_rate": 0.01,
}  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    host = EngineHost(lambda progress: Engine(tiny(), num_threads=1))
    host.start()
    host.wait(30)
    worker = one_thread_worker("test-charts")
    made = Desk(Settings(cache_dir=str(tmp_path)), host, Inspector(host, None, worker), Sessions(20))
    yield made
    worker.shutdown()
    made.tuning.runs.worker.shutdown()  # type: ignore[attr-defined]
    host.close()


async def until_it_ends(desk: Desk, session: Session) -> dict[str, Any]:
    while (state := await desk.tuning.state(session, {}))["active"]:
        await asyncio.sleep(0.01)
    return state


async def a_pool_of_it(desk: Desk, session: Session, step: int) -> None:
    """Drawn by the tuned model, weighed as texts of the model: more hits, and the model's own rate comes out."""
    seen = {}
    for proposal in ("model", "tuned"):
        asked = {"prompt": "ABC", "proposal": proposal, "num_texts": 150, "max_tokens": 8, "seed": 1}
        pool = (await desk.control.draw(session, asked))["pool"]
        while any(one["running"] for one in (await desk.control.pools(session, {}))["pools"]):
            await asyncio.sleep(0.01)
        seen[proposal] = await desk.control.view(session, {**ASKED, "pool": pool})
    labels = [one["label"] for one in (await desk.control.pools(session, {}))["pools"]]
    assert labels == ["the model", f"tuned, step {step}"]
    hits = {name: sum(row["values"][0] for row in view["rows"]) for name, view in seen.items()}
    assert hits["tuned"] > 2 * hits["model"]
    base, weighed = (seen[name]["gauges"][0] for name in ("model", "tuned"))
    assert abs(base["base"] - weighed["base"]) < 3 * (base["base_error"] + weighed["base_error"])


def test_from_the_pool_to_the_text(desk):
    session = desk.sessions.create()

    async def all_of_it() -> None:
        began = await desk.tuning.start(session, ASKED)
        assert began["active"] and began["state"] == "preparing"
        other = desk.sessions.create()
        with pytest.raises(PlaygroundError, match="A tuning runs already"):
            await desk.tuning.start(other, ASKED)
        with pytest.raises(PlaygroundError, match="Nothing is being tuned"):
            await desk.tuning.state(other, {})
        ended = await until_it_ends(desk, session)
        assert ended["state"] == "done" and ended["fraction"] == 1.0
        view = ended["view"]
        assert view["points"][0]["step"] == 0 and len(view["points"]) == 4
        assert view["points"][-1]["rate"] > view["points"][0]["rate"]
        assert set(ended["figures"]) == {"distance", "mass", "shares", "moments"}
        assert "figures" not in await desk.tuning.state(session, {"since": 4})
        written = await desk.tuning.write(session, {"chain": [{"sampler": "top_k", "top_k": 1}], "num_texts": 2})
        assert written["texts"][0] == written["texts"][1] and "Top-k" in written["label"]
        plain = await desk.tuning.write(session, {"num_texts": 4, "seed": 3})
        assert "itself" in plain["label"] and len(plain["texts"]) == 4
        beam = await desk.tuning.write(session, {"search": {"search": "beam", "num_beams": 3}, "num_texts": 4})
        assert len(beam["texts"]) == 1 and "beam search" in beam["label"]
        await a_pool_of_it(desk, session, view["points"][view["now"]]["step"])
        with pytest.raises(PlaygroundError, match="Nothing is being tuned"):
            await desk.control.draw(other, {"prompt": "ABC", "proposal": "tuned", "num_texts": 4})
        with pytest.raises(PlaygroundError, match="There is no search"):
            await desk.tuning.write(session, {"search": "magic"})
        name = (await desk.tuning.save(session, {}))["saved"]
        more = await desk.tuning.more(session, {"num_epochs": 0, "num_steps": 1, "texts_per_step": 32})
        assert more["active"]
        further = await until_it_ends(desk, session)
        assert further["state"] == "done" and len(further["view"]["points"]) == 6
        await desk.tuning.start(other, {**ASKED, "resume": name, "num_epochs": 0, "num_steps": 0})
        resumed = await until_it_ends(desk, other)
        assert resumed["view"]["points"][:4] == view["points"] and len(resumed["view"]["points"]) == 5

    asyncio.run(all_of_it())


def test_the_pool_of_the_control_section_is_enough(desk):
    """Nothing is drawn again: its texts, prompt and lengths are those of the pool, whatever proposed them."""
    session = desk.sessions.create()

    async def all_of_it() -> None:
        drawn = await desk.control.draw(session, {**ASKED, "proposal": "page", "chain": [
            {"sampler": "temperature", "temperature": 1.3}]})  # fmt: skip
        with pytest.raises(PlaygroundError, match="still being drawn"):
            await desk.tuning.start(session, {**ASKED, "pool": drawn["pool"]})
        while (await desk.control.pools(session, {}))["pools"][0]["running"]:
            await asyncio.sleep(0.01)
        before = desk.host.engine.status()["num_running"]
        aim = {name: ASKED[name] for name in ("features", "targets", "num_epochs", "num_steps", "texts_per_step")}
        other = {**ASKED["features"][0], "text": "1"}
        aim["features"], aim["targets"] = [*aim["features"], other], [0.5, None]
        await desk.tuning.start(session, {**aim, "pool": drawn["pool"]})
        ended = await until_it_ends(desk, session)
        assert before == 0 and ended["state"] == "done", ended["message"]
        assert ended["view"]["facts"]["base_rate"] == pytest.approx(0.08, abs=0.05)
        with pytest.raises(PlaygroundError, match="not known here"):
            await desk.tuning.start(desk.sessions.create(), {**ASKED, "pool": drawn["pool"]})

    asyncio.run(all_of_it())


def test_several_prompts_are_learnt_together(desk):
    """Conditional tuning over a pool's prompts, or those that are named; one tuned model then proposes for all."""
    session = desk.sessions.create()
    asked = {**ASKED, "more_prompts": ["DEF"], "targets": [0.3], "contexts": "each", "num_steps": 1}

    async def all_of_it() -> None:
        pool = (await desk.control.draw(session, asked))["pool"]
        while (await desk.control.pools(session, {}))["pools"][0]["running"]:
            await asyncio.sleep(0.01)
        await desk.tuning.start(session, {**asked, "pool": pool})
        ended = await until_it_ends(desk, session)
        assert ended["state"] == "done", ended["message"]
        goal = desk.tuning.runs.of(session.token).tuning.goal
        read = desk.host.engine.vocabulary.encode
        assert goal.prompts == (tuple(read("ABC")), tuple(read("DEF"))) and len(goal.written) == 400
        for number in (0, 1):
            own = goal.prompt_of == number
            assert goal.weights[own] @ goal.features[own] / goal.weights[own].sum() == pytest.approx([0.3])
        assert [one["prompt"] for one in ended["view"]["texts"]] == ["ABC", "DEF"] * 4
        written = await desk.tuning.write(session, {"num_texts": 5, "seed": 3})
        assert [one["prompt"] for one in written["texts"]] == ["ABC", "DEF", "ABC", "DEF", "ABC"]
        found = await desk.tuning.write(session, {"search": "greedy"})
        assert [one["prompt"] for one in found["texts"]] == ["ABC", "DEF"], "one a prompt"
        tuned = (await desk.control.draw(session, {**asked, "proposal": "tuned", "num_texts": 20}))["pool"]
        proposals = session.pools.get(tuned).proposals
        assert proposals[0].model is proposals[1].model is not None and proposals[1].context == "DEF"
        while any(one["running"] for one in (await desk.control.pools(session, {}))["pools"]):
            await asyncio.sleep(0.01)
        await desk.tuning.start(session, asked)
        ended = await until_it_ends(desk, session)
        assert ended["state"] == "done" and desk.tuning.runs.of(session.token).tuning.goal.prompts == goal.prompts

    asyncio.run(all_of_it())


def test_cancelled_and_left(desk):
    session = desk.sessions.create()

    async def cancel(at: str) -> dict[str, Any]:
        await desk.tuning.start(session, {**ASKED, "num_steps": 100})
        while (await desk.tuning.state(session, {}))["state"] != at:
            await asyncio.sleep(0.005)
        if at == "preparing":
            await desk.tuning.cancel(session, {})
        else:
            desk.tuning.leave(session.token)
        return await until_it_ends(desk, session)

    for at in ("preparing", "running"):
        ended = asyncio.run(cancel(at))
        assert ended["state"] == "cancelled" and "Cancelled" in ended["message"]
    assert desk.host.engine.status()["num_running"] == 0
    desk.tuning.leave("nobody")


def test_a_run_that_nobody_asks_about_ends(desk, monkeypatch):
    monkeypatch.setattr(tuning_runs, "ABANDONED_S", -1.0)

    async def start() -> dict[str, Any]:
        session = desk.sessions.create()
        await desk.tuning.start(session, ASKED)
        return await until_it_ends(desk, session)

    assert "nobody had asked" in asyncio.run(start())["message"]


def test_a_run_that_is_left_while_its_pool_is_drawn_ends_too(desk, monkeypatch):
    """One at a time: else a closed laptop would hold up everybody for as long as five thousand texts take."""
    monkeypatch.setattr(tuning_runs, "ABANDONED_S", 0.2)
    session = desk.sessions.create()

    async def start() -> None:
        await desk.tuning.start(session, {**ASKED, "num_texts": 5000, "max_tokens": 128})
        await asyncio.wait_for(asyncio.shield(desk.tuning.runs._runs[session.token].task), 10)

    asyncio.run(start())
    run = desk.tuning.runs.of(session.token)
    assert run.state == "cancelled" and "nobody had asked" in run.message and run.tuning is None
    assert run.drawn < 1


def test_features_are_read_off_the_event_loop(desk, monkeypatch):
    threads: set[str] = set()

    def read(*arguments: Any) -> Any:
        threads.add(threading.current_thread().name)
        return features(*arguments)

    monkeypatch.setattr("playground.ui.tuning_desk.features", read)

    async def start() -> None:
        session = desk.sessions.create()
        await desk.tuning.start(session, ASKED)
        await desk.tuning.cancel(session, {})
        await until_it_ends(desk, session)

    asyncio.run(start())
    assert threads and threading.current_thread().name not in threads


def test_a_run_ends_after_a_while_and_is_not_kept_for_ever(desk, monkeypatch):
    """One at a time trains and the shelf is everybody's: nobody may hold the one or fill the other."""
    monkeypatch.setattr(tuning_runs, "LONGEST_S", -1.0)

    async def start() -> dict[str, Any]:
        session = desk.sessions.create()
        await desk.tuning.start(session, ASKED)
        ended = await until_it_ends(desk, session)
        for _ in range(tuning_runs.MAX_SAVES):
            await desk.tuning.save(session, {})
        with pytest.raises(PlaygroundError, match="kept 4 times"):
            await desk.tuning.save(session, {})
        return ended

    assert "so that others can begin" in asyncio.run(start())["message"]


WRONG = [
    ({"targets": [1.0, 2.0]}, "list of 1 numbers"),
    ({"targets": ["1"]}, "targets must be a number"),
    ({"exponents": [float("inf")]}, "exponents must be a number"),
    ({"features": []}, "features must be a list"),
    ({"features": [{"feature": "nothing"}]}, "no feature"),
    ({"prompt": ""}, "prompt is empty"),
    ({"num_texts": 10**9}, "num_texts"),
    ({"num_steps": 10**6}, "num_steps"),
    ({"texts_per_step": 0}, "texts_per_step"),
    ({"learning_rate": 7}, "learning_rate"),
    ({"loss": "hinge"}, "no loss called"),
    ({"preset": "quick"}, "preset"),
    ({"resume": "../../etc"}, "no saved adapter"),
    ({"resume": 5}, "must be a text"),
    ({"contexts": "all"}, "contexts is one of"),
    ({"more_prompts": ["DEF"], "num_texts": 4000}, "from 16 to 2500"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_what_is_refused_at_once(desk, change, words):
    session = desk.sessions.create()
    with pytest.raises(PlaygroundError, match=words):
        asyncio.run(desk.tuning.start(session, {**ASKED, **change}))


def test_what_fails_on_the_way_is_said(desk):
    """The target is found impossible only when the pool is there; nothing can be written or kept before."""
    session = desk.sessions.create()

    async def start(change: dict[str, Any]) -> dict[str, Any]:
        await desk.tuning.start(session, {**ASKED, **change})
        with pytest.raises(PlaygroundError, match="no adapter yet"):
            await desk.tuning.save(session, {})
        return await until_it_ends(desk, session)

    never = asyncio.run(start({"features": [{"feature": "contains", "text": "never seen"}]}))
    assert never["state"] == "failed" and "never seen" in never["message"]
    zeros = asyncio.run(start({"loss": "reverse_kl"}))
    assert zeros["state"] == "failed" and "infinite here" in zeros["message"]
    for ask in (desk.tuning.write, desk.tuning.more):
        with pytest.raises(PlaygroundError, match="no adapter yet"):
            asyncio.run(ask(session, {}))


def test_choices_are_those_of_the_study(desk):
    choices = asyncio.run(desk.tuning.choices(desk.sessions.create(), {}))
    assert choices["losses"][0]["name"] == choices["defaults"]["loss"] == "forward_kl"
    assert choices["forgetting"]["learning_rate"] == 1e-3 and choices["forgetting"]["num_epochs"] == 8
