"""Guidance as the page and the API ask for it: presets, changes on a text that is there, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from playground.engine import Engine, EngineHost, one_thread_worker
from playground.errors import PlaygroundError
from playground.models import load_model
from playground.sampling import PRESETS, Recipe
from playground.settings import Settings
from playground.studies.inspect import Inspector
from playground.ui import asks
from playground.ui.desk import Desk
from playground.ui.session import Session, Sessions
from tests.running import run
from tests.studies import naive

PROMPT = "The old sailor told the children a"
NO_END = [{"id": "logit_bias", "bias": {"256": -100}}]


@pytest.fixture(scope="module")
def two_models() -> Iterator[Desk]:
    settings = Settings(backend="toy", second_model="toy-small")
    models = [load_model(name, backend="toy") for name in ("toy", "toy-small")]
    host = EngineHost(lambda progress: Engine(models[0], others=models[1:], num_threads=1))
    host.start()
    host.wait(30)
    worker = one_thread_worker("test-charts")
    yield Desk(settings, host, Inspector(host, None, worker), Sessions(20))
    worker.shutdown()
    host.close()


def test_the_scale_alone_is_cfg_and_may_stand_beside_a_preset() -> None:
    assert asks.guidance({}) == Recipe() and asks.guidance({"scale": 1.5}) == Recipe(scale=1.5)
    assert asks.guidance({"guidance": {"scale": 2}}) == Recipe(scale=2.0)
    assert asks.guidance({"guidance": {"preset": "cad"}}) == PRESETS["cad"].recipe
    assert asks.guidance({"guidance": {"preset": "cad"}, "scale": 3}) == PRESETS["cad"].recipe.at(3.0)
    assert asks.guidance({"guidance": {"preset": "cad", "scale": 2}, "scale": 3}) == PRESETS["cad"].recipe.at(2.0)
    assert asks.knobs({"guidance": "adacad"}).recipe == PRESETS["adacad"].recipe


@pytest.mark.parametrize(
    "guidance", [5, [], "magic", {"scale": 21}, {"scale": None}, {"scale": 10**400}, {"mask": -1}, {"gate": []}]
)
def test_bad_guidance_is_a_400_that_says_why(guidance: Any) -> None:
    with pytest.raises(PlaygroundError) as caught:
        asks.guidance({"guidance": guidance})
    assert caught.value.status == 400 and len(str(caught.value)) < 400


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.recipe.num_models == 1])
def test_a_preset_on_a_place_that_is_there_reads_only_what_is_missing(desk: Desk, name: str) -> None:
    async def ask() -> tuple[dict[str, Any], dict[str, Any]]:
        session = Session()
        key = (await desk.next(session, {"prompt": PROMPT, "negative": "The house"}))["key"]
        body = {"key": key, "guidance": {"preset": name, "scale": 2}}
        first = await desk.trace(session, body)
        return first, await desk.trace(session, {**body, "refill": True})

    first, view = run(ask())
    reads_the_negative = PRESETS[name].recipe.contexts[0].kind == "other"
    assert first.get("missing", False) is not reads_the_negative
    assert view["guidance"]["preset"] == name and not view["guidance"]["off"]
    sizes = {row["token_id"]: row["p_final"] for row in view["rows"]}
    assert sum(sizes.values()) + view["others"]["p_final"] == pytest.approx(1.0)


def test_a_text_may_be_compared_and_continued_under_another_preset(desk: Desk) -> None:
    async def ask() -> tuple[Any, Any, Any, list[Any]]:
        session = Session()
        body = {"prompt": PROMPT, "max_tokens": 12, "seed": 3, "strip": NO_END, "guidance": {"preset": "adacad"}}
        deltas = [delta async for delta in desk.generate(session, body)]
        text = deltas[-1]["generation"]
        same = await desk.replay(session, {**body, "generation": text})
        other = {**body, "guidance": {"preset": "coherence", "scale": 3, "k": 2}}
        parted = await desk.replay(session, {**other, "generation": text})
        view = await desk.trace(session, {**other, "key": f"{text}.{parted['index']}", "refill": True})
        onward = {"key": f"{text}.{parted['index']}"}
        written = [delta async for delta in desk.generate(session, {**other, "continue": onward})]
        return same, parted, view, session.generations[written[-1]["generation"]].tokens

    same, parted, view, tokens = run(ask())
    assert same["index"] is None and same["num_checked"] == 12
    assert parted["index"] is not None
    assert view["dart"]["text"] == parted["text"] == tokens[parted["index"]]["label"]


def test_the_card_and_the_rows_of_a_gated_text_follow_the_step(desk: Desk) -> None:
    async def ask() -> list[dict[str, Any]]:
        session = Session()
        guidance = {"scale": 3, "gate": {"kind": "first", "tokens": 2}}
        body = {"prompt": PROMPT, "max_tokens": 4, "seed": 3, "strip": NO_END, "guidance": guidance}
        text = [delta async for delta in desk.generate(session, body)][-1]["generation"]
        return [await desk.trace(session, {**body, "key": f"{text}.{index}"}) for index in range(4)]

    views = run(ask())
    assert ["open" in view["guidance"]["gate"] for view in views] == [True, True, False, False]
    assert [view["guided"] == view["base"] for view in views] == [False, False, True, True]
    for view in views:
        chosen = next(row for row in view["rows"] if row["chosen"])
        assert chosen["drawn"], "the generator went by the same gate as the picture"


def test_contrastive_decoding_over_two_models(two_models: Desk) -> None:
    async def ask() -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
        session = Session()
        opened = await two_models.open()
        view = await two_models.next(session, {"prompt": PROMPT, "guidance": {"preset": "contrastive", "scale": 2}})
        deltas = two_models.generate(
            session, {"prompt": PROMPT, "guidance": {"preset": "contrastive"}, "max_tokens": 5}
        )
        return opened, view, [delta async for delta in deltas]

    opened, view, deltas = run(ask())
    assert [opened["guidance"]["presets"][name]["missing_models"] for name in ("cfg", "contrastive", "proxy")] == [
        0,
        0,
        1,
    ]
    assert view["guidance"]["branches"][1]["model"] == "toy-small" and not deltas[-1]["error"]
    rows = []
    for model in two_models.host.engine.fleet.models:
        with Engine(model) as engine:
            rows.append(engine.next_logits(PROMPT).double().numpy())
    expert, amateur = np.log(naive.softmax(rows[0])), np.log(naive.softmax(rows[1] / 0.5))
    scores = np.where(expert >= expert.max() + np.log(0.1) - 1e-7, expert - amateur, -np.inf)
    expected = naive.softmax(scores)
    for row in view["rows"]:
        assert row["p_final"] == pytest.approx(expected[row["token_id"]], rel=1e-5)


def test_a_model_that_is_not_loaded_is_named_by_its_setting(desk: Desk) -> None:
    with pytest.raises(PlaygroundError, match="--second-model"):
        run(desk.next(Session(), {"prompt": PROMPT, "guidance": {"preset": "proxy"}}))
