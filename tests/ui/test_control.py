"""The control section's desk on the toy: pools that are drawn, watched, cancelled; views that cost no model call."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import numpy as np
import orjson
import pytest

from playground.control.evaluation import Evaluator
from playground.control.features import features
from playground.errors import PlaygroundError
from playground.studies.analysis import Analysis
from playground.studies.control_asks import Ask, target_of
from playground.ui.desk import Desk
from playground.ui.session import Session
from tests.ui.pools import DRAW, drawn, given

MOON = {"features": ["moon", {"feature": "num_tokens"}], "targets": [0.5, 9.0]}


@pytest.fixture
def tab(desk: Desk) -> Session:
    return desk.sessions.create()


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def test_start_tells_the_page_everything(desk, tab):
    start = run(desk.control.start(tab, {}))
    names = {kind["name"] for kind in start["kinds"]}
    assert {"contains", "regex", "first_of", "num_tokens"} <= names and "classifier" not in names
    assert start["pools"] == [] and orjson.loads(orjson.dumps(start)) == start


def test_draw_watch_view_and_export(desk, tab):
    async def main() -> None:
        pool = await drawn(desk, tab)
        (shown,) = (await desk.control.pools(tab, {}))["pools"]
        assert shown["num_texts"] == 200 and shown["progress"]["num_done"] == 200 and shown["label"] == "the model"
        view = await desk.control.view(tab, {"pool": pool, **MOON, "bands": True})
        orjson.dumps(view)
        moon, length = view["gauges"]
        assert moon["fitted"] == pytest.approx(0.5) and length["fitted"] == pytest.approx(9.0)
        assert moon["yes_no"] and moon["kind"] == "distributional" and 0 < moon["base"] < 0.5
        assert view["beta"]["tvd"] == pytest.approx(0, abs=1e-9)
        assert view["beta"]["log_beta"] == view["beta"]["log_largest"]
        assert len(view["lines"][0]["low"]) == len(view["lines"][0]["divergence"])
        assert all(row["accepted"] == (row["u"] < row["keep"]) for row in view["rows"])
        looser = await desk.control.view(tab, {"pool": pool, **MOON, "acceptance_rate": 0.5, "only": "rejected"})
        assert looser["beta"]["acceptance_rate"] == pytest.approx(0.5)
        assert looser["num_accepted"] > view["num_accepted"] and not any(row["accepted"] for row in looser["rows"])
        again = await desk.control.view(tab, {"pool": pool, **MOON, "only": "resampled"})
        share = sum(row["values"][0] for row in again["rows"]) / len(again["rows"])
        assert share == pytest.approx(0.5, abs=0.12)
        export = await desk.control.export(tab, {"pool": pool, **MOON})
        assert len(export["pool"]["texts"]) == 200 and export["seed"] == 7
        assert export["fit"]["moments"][0] == pytest.approx(0.5)
        assert export["log_beta"] == view["beta"]["log_beta"], "what is shown, however it was asked for"
        by_rate = await desk.control.export(tab, {"pool": pool, **MOON, "acceptance_rate": 0.5})
        assert by_rate["log_beta"] == looser["beta"]["log_beta"]
        orjson.dumps(export)

    run(main())


def test_views_never_ask_the_model(desk, tab, monkeypatch):
    async def main() -> None:
        pool = await given(desk, tab, num_texts=50)
        monkeypatch.setattr(type(desk.host.engine), "submit", lambda *_: pytest.fail("the model was asked"))
        for change in ({"log_beta": 1.0}, {"targets": [0.6, 8.0]}, {"exponents": [1.0, 0.1]}, {"measure": "js"}):
            await desk.control.view(tab, {"pool": pool, **MOON, **change})

    run(main())


def test_exponents_by_hand_give_their_moments(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab)
        fitted = await desk.control.view(tab, {"pool": pool, **MOON})
        exponents = [gauge["exponent"] for gauge in fitted["gauges"]]
        by_hand = await desk.control.view(tab, {"pool": pool, **MOON, "exponents": exponents})
        assert [gauge["fitted"] for gauge in by_hand["gauges"]] == pytest.approx([0.5, 9.0])
        nothing = await desk.control.view(tab, {"pool": pool, **MOON, "exponents": [0.0, 0.0]})
        assert nothing["fit"]["kl"] == pytest.approx(0, abs=1e-9)
        assert nothing["gauges"][0]["fitted"] == pytest.approx(nothing["gauges"][0]["base"])

    run(main())


def test_what_cannot_be_met_is_said_at_its_gauge(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab)
        ask = {"pool": pool, "features": ["moon", "zebra"], "targets": [0.5, 0.5]}
        view = await desk.control.view(tab, ask)
        assert "zebra” was never so in 200 rows" in view["refusal"] and "lines" not in view
        assert view["gauges"][0]["refusal"] == "" and "667 rows" in view["gauges"][1]["refusal"]
        pointwise = await desk.control.view(tab, {"pool": pool, "features": ["moon"], "targets": [1.0]})
        assert pointwise["gauges"][0]["kind"] == "pointwise" and pointwise["gauges"][0]["exponent"] == "inf"
        assert pointwise["beta"]["acceptance_rate"] == pytest.approx(pointwise["gauges"][0]["base"])

    run(main())


def test_what_is_left_as_it_is_forbids_nothing(desk, tab):
    """A word that the pool never saw and nobody asked about: no filter, on the page or for fresh texts."""

    async def main() -> None:
        pool = await given(desk, tab)
        ask = {"pool": pool, "features": ["moon", "zebra"], "targets": [0.5, None]}
        view = await desk.control.view(tab, ask)
        zebra = view["gauges"][1]
        assert (zebra["kind"], zebra["exponent"], zebra["base"]) == ("distributional", 0.0, 0.0)
        analysis = Analysis.of(tab.pools.texts(pool), features(["moon", "zebra"]), Evaluator())
        rows = np.array([[1.0, 0.0], [1.0, 1.0]])
        free, asked = (target_of(analysis, Ask((0.5, wanted)).filled(analysis)) for wanted in (np.nan, 0.0))
        assert free.log_factor(rows)[1] == free.log_factor(rows)[0] and asked.log_factor(rows)[1] == -np.inf
        assert view["fit"]["kl"] == pytest.approx(asked.kl)

    run(main())


def test_proposals_are_overlaid_and_their_floor_is_told(desk, tab):
    async def main() -> None:
        model = await given(desk, tab)
        page = await given(desk, tab, proposal="page", chain=[{"sampler": "top_k", "top_k": 3}], scale=1.5)
        other = await given(desk, tab, proposal="prompt", asked="The moon and the moon", num_texts=100)
        view = await desk.control.view(tab, {"pool": model, **MOON, "targets": [0.3, 9.0], "others": [page, other]})
        labels = [line["label"] for line in view["lines"]]
        assert labels[1:] == ["guidance 1.5 → top_k", "prompted: The moon and the moon"]
        assert view["reachable"] == [1.0, 0.0]
        cut = await desk.control.view(tab, {"pool": page, **MOON, "targets": [0.3, 9.0]})
        assert 0 < cut["reachable"][0] < 1 and cut["lines"][0]["floor"] == pytest.approx(1 - cut["reachable"][0])
        asked = await desk.control.view(tab, {"pool": other, **MOON, "targets": [0.3, 9.0]})
        assert asked["reachable"] == [1.0, 0.0], "another prompt cuts nothing off"
        assert orjson.dumps(view["figure"])

    run(main())


def test_adding_cancelling_and_dropping(desk, tab):
    async def main() -> None:
        pool = await drawn(desk, tab, num_texts=20)
        await drawn(desk, tab, num_texts=10, pool=pool)
        (shown,) = (await desk.control.pools(tab, {}))["pools"]
        assert shown["num_texts"] == 30
        long = (await desk.control.draw(tab, DRAW | {"num_texts": 5000, "max_tokens": 64}))["pool"]
        with pytest.raises(PlaygroundError, match="still being drawn"):
            await desk.control.draw(tab, {"pool": long, "num_texts": 10})
        await asyncio.sleep(0.2)
        await desk.control.cancel(tab, {"pool": long})
        await asyncio.sleep(0.05)
        stopped = next(one for one in (await desk.control.pools(tab, {}))["pools"] if one["id"] == long)
        assert not stopped["running"] and stopped["progress"]["cancelled"] and stopped["num_texts"] < 5000
        assert [one["id"] for one in (await desk.control.drop(tab, {"pool": long}))["pools"]] == [pool]
        for number in range(7):
            await drawn(desk, tab, num_texts=2, seed=number)
        assert len(tab.pools.records) == 6 and pool not in tab.pools.records

    run(main())


SEVERAL = ["The moon", "  ", "The sea", "The moon"]


def test_several_prompts_are_one_pool_drawn_in_turn(desk, tab):
    async def main() -> None:
        answer = await desk.control.draw(tab, DRAW | {"num_texts": 100, "more_prompts": SEVERAL})
        seen = []
        while (shown := (await desk.control.pools(tab, {}))["pools"][0])["running"]:
            seen.append(shown["progress"])
            await asyncio.sleep(0.02)
        assert shown["prompts"] == ["The dragon", "The moon", "The sea"], "blank ones go, and twice is once"
        assert shown["num_texts"] == 300 and shown["label"] == "the model, 3 prompts"
        assert shown["progress"]["done"] and shown["progress"]["num_done"] == 300 and not shown["progress"]["cancelled"]
        counts = [one["num_done"] for one in seen]
        assert counts == sorted(counts) and all(one["num_wanted"] == 300 for one in seen)
        assert not any(one["done"] and one["num_done"] < 300 for one in seen), "between two rounds it is not over"
        pool = tab.pools.get(answer["pool"]).pool
        assert [pool.contexts.count(one) for one in shown["prompts"]] == [100] * 3
        assert len(set(pool.uniforms)) == 300, "darts of different prompts differ"
        await drawn(desk, tab, pool=answer["pool"], num_texts=20)
        more = tab.pools.get(answer["pool"]).pool
        assert more.texts[:300] == pool.texts and [more.contexts.count(one) for one in shown["prompts"]] == [120] * 3
        assert len(set(more.uniforms)) == 360

    run(main())


def test_several_prompts_draw_what_each_alone_would(desk, tab):
    async def main() -> None:
        both = tab.pools.get(await drawn(desk, tab, num_texts=70, more_prompts=["The moon"])).pool
        alone = tab.pools.get(await drawn(desk, tab, num_texts=70)).pool
        rows = [row for row, prompt in enumerate(both.contexts) if prompt == "The dragon"]
        assert both.of(rows).token_ids == alone.token_ids and both.of(rows).uniforms.tolist() == alone.uniforms.tolist()

    run(main())


def test_several_prompts_that_are_left_have_about_as_many_texts_each(desk, tab):
    async def main() -> None:
        body = DRAW | {"num_texts": 2000, "max_tokens": 8, "more_prompts": ["The moon"]}
        pool = (await desk.control.draw(tab, body))["pool"]
        while (shown := (await desk.control.pools(tab, {}))["pools"][0])["num_texts"] < 200:
            await asyncio.sleep(0.01)
        assert 0 < shown["progress"]["remaining_s"] < 600 and shown["progress"]["num_wanted"] == 4000
        stopped = (await desk.control.cancel(tab, {"pool": pool}))["pools"][0]
        assert stopped["progress"]["cancelled"] and stopped["progress"]["remaining_s"] == 0.0
        await asyncio.sleep(0.05)
        (shown,) = (await desk.control.pools(tab, {}))["pools"]
        assert not shown["running"] and shown["progress"]["done"] and shown["num_texts"] < 4000
        contexts = tab.pools.get(pool).pool.contexts
        assert abs(contexts.count("The dragon") - contexts.count("The moon")) <= 64

    run(main())


@pytest.mark.parametrize("contexts", ["pooled", "averaged", "each"])
def test_several_prompts_meet_the_target_in_the_chosen_way(desk, tab, contexts):
    async def main() -> None:
        pool = await given(desk, tab, more_prompts=["The moon"])
        ask = {"pool": pool, "features": ["sea", {"feature": "num_tokens"}], "targets": [0.3, None]}
        view = await desk.control.view(tab, ask | {"contexts": contexts, "bands": True})
        orjson.dumps(view)
        sea, length = view["gauges"]
        assert view["contexts"] == contexts and sea["fitted"] == pytest.approx(0.3)
        assert length["fitted"] == pytest.approx(length["base"]), "as it is under the model"
        prompts = view["prompts"]
        assert [one["prompt"] for one in prompts] == ["The dragon", "The moon"]
        own = [one["cells"][0] for one in prompts]
        assert sum(one["share"] * cell["fitted"] for one, cell in zip(prompts, own, strict=True)) == pytest.approx(0.3)
        assert sum(cell["base"] for cell in own) / 2 == pytest.approx(sea["base"])
        assert ([one["share"] for one in prompts] == pytest.approx([0.5, 0.5])) == (contexts != "pooled")
        assert ([cell["fitted"] for cell in own] == pytest.approx([0.3, 0.3])) == (contexts == "each")
        assert (own[0]["exponent"] == own[1]["exponent"]) == (contexts != "each")
        assert (sea["exponent"] is None) == (contexts == "each")
        if contexts == "each":  # as it is under the model: every prompt keeps its own mean
            lengths = [one["cells"][1] for one in prompts]
            assert [one["fitted"] for one in lengths] == pytest.approx([one["base"] for one in lengths])
        assert [row["prompt"] for row in view["rows"][:4]] == [0, 1, 0, 1] and view["figure"]
        export = await desk.control.export(tab, ask | {"contexts": contexts})
        assert export["fit"]["contexts"] == contexts and len(export["fit"]["prompts"]) == 2
        assert export["fit"]["prompts"][0]["moments"][0] == pytest.approx(own[0]["fitted"])
        assert set(export["pool"]["contexts"]) == {"The dragon", "The moon"}

    run(main())


def test_a_prompt_that_cannot_meet_the_target_is_named(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab, more_prompts=["The moon"], num_texts=150, max_tokens=8, seed=1)
        ask = {"pool": pool, "features": ["sea"], "targets": [0.4]}
        view = await desk.control.view(tab, ask | {"contexts": "each"})
        assert view["refusal"].startswith("Prompt “The moon”: contains “sea” was never so in 150 rows")
        assert view["gauges"][0]["refusal"] == view["refusal"]
        dragon, moon = view["prompts"]
        assert dragon["refusal"] == "" and "never so in 150 rows" in moon["refusal"] and moon["share"] is None
        assert (await desk.control.view(tab, ask))["refusal"] == "", "together they can"

    run(main())


def test_exponents_by_hand_over_several_prompts(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab, more_prompts=["The moon"])
        ask = {"pool": pool, "features": ["sea"], "targets": [0.3]}
        for contexts in ("pooled", "averaged"):
            fitted = await desk.control.view(tab, ask | {"contexts": contexts})
            exponent = fitted["gauges"][0]["exponent"]
            by_hand = await desk.control.view(tab, ask | {"contexts": contexts, "exponents": [exponent]})
            assert by_hand["gauges"][0]["fitted"] == pytest.approx(0.3)
            assert by_hand["fit"]["kl"] == pytest.approx(fitted["fit"]["kl"])
        view = await desk.control.view(tab, ask | {"contexts": "each", "exponents": [1.0]})
        assert "choose pooled or averaged" in view["refusal"]

    run(main())


def test_only_pools_of_the_same_prompts_are_overlaid(desk, tab):
    async def main() -> None:
        both = await given(desk, tab, more_prompts=["The moon"])
        alone = await given(desk, tab)
        other = await given(desk, tab, proposal="page", chain=[{"sampler": "temperature", "temperature": 1.3}],
                            more_prompts=["The dragon"], prompt="The moon")
        ask = {"pool": both, "features": ["sea"], "targets": [0.2], "others": [alone, other]}
        for contexts in ("pooled", "each"):
            view = await desk.control.view(tab, ask | {"contexts": contexts})
            assert [line["label"] for line in view["lines"]] == ["this pool", "temperature, 2 prompts"]
        one = await desk.control.view(tab, ask | {"pool": alone, "others": [both]})
        assert one["prompts"] == [] and len(one["lines"]) == 1

    run(main())


def test_a_pool_that_lacks_a_prompt_so_far_is_not_overlaid(desk, tab):
    async def main() -> None:
        whole, begun = [await given(desk, tab, more_prompts=["The moon"], seed=seed, num_texts=100) for seed in (1, 2)]
        record = tab.pools.get(begun)
        record.drawing = None
        ask = {"features": [{"feature": "num_tokens"}], "targets": [8.0], "contexts": "each"}
        for kept in (tab.pools.get(whole).pool.of(range(64)), tab.pools.get(whole).pool.of([])):
            record.kept = kept
            view = await desk.control.view(tab, ask | {"pool": whole, "others": [begun]})
            assert len(view["lines"]) == 1 and not view["refusal"]
        record.kept = tab.pools.get(whole).pool.of(range(64))
        view = await desk.control.view(tab, ask | {"pool": begun, "others": [whole]})
        assert len(view["lines"]) == 1 and view["prompts"] == [] and view["gauges"][0]["fitted"] == pytest.approx(8.0)

    run(main())


def test_accepted_texts_of_several_prompts_are_collected(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab, more_prompts=["The moon"])
        ask = {"pool": pool, "features": ["sea"], "targets": [0.3], "contexts": "each", "acceptance_rate": 0.3}
        view = await desk.collect.collect(tab, ask | {"num_accepted": 30, "max_proposals": 2000})
        while view["running"]:
            await asyncio.sleep(0.02)
            view = await desk.collect.collection(tab, {})
        assert view["num_accepted"] == 30 and not view["fault"] and view["prompts"] == ["The dragon", "The moon"]
        assert {row["prompt"] for row in view["rows"]} == {0, 1}
        told = (await desk.collect.export(tab, {}))["fit"]
        assert told["contexts"] == "each" and len({part["exponents"][0] for part in told["prompts"]}) == 2

    run(main())


def test_a_full_queue_between_two_prompts_is_waited_for(desk, tab, monkeypatch):
    monkeypatch.setattr("playground.studies.drawings.BUSY_S", 0.01)
    engine, refused = type(desk.host.engine), []
    submit = engine.submit

    def full(self: Any, work: Any) -> Any:
        if len(refused) < 3:
            refused.append(work)
            raise PlaygroundError("The queue is full.", status=503)
        return submit(self, work)

    async def main() -> None:
        answer = await desk.control.draw(tab, DRAW | {"num_texts": 10, "more_prompts": ["The moon"]})
        monkeypatch.setattr(engine, "submit", full)
        while (shown := (await desk.control.pools(tab, {}))["pools"][0])["running"]:
            assert not shown["progress"]["done"]
            await asyncio.sleep(0.01)
        assert len(refused) == 3 and tab.pools.get(answer["pool"]).pool.contexts.count("The moon") == 10

    run(main())


def test_another_tab_has_other_pools(desk, tab):
    async def main() -> None:
        pool = await given(desk, tab, num_texts=5)
        with pytest.raises(PlaygroundError, match="not known here"):
            await desk.control.view(desk.sessions.create(), {"pool": pool, **MOON})

    run(main())


def test_leaving_ends_the_drawing(desk, tab):
    async def main() -> None:
        await desk.control.draw(tab, DRAW | {"num_texts": 5000, "max_tokens": 64})
        await asyncio.sleep(0.1)
        desk.forget(tab)
        await asyncio.sleep(0.1)
        assert not any(one["running"] for one in (await desk.control.pools(tab, {}))["pools"])

    run(main())


def test_leaving_between_two_prompts_ends_the_drawing_too(desk, tab, monkeypatch):
    monkeypatch.setattr("playground.studies.drawings.ROUND", 1)

    async def main() -> None:
        body = {"num_texts": 1600, "max_tokens": 1, "more_prompts": ["The moon", "The sea"]}
        pool = (await desk.control.draw(tab, DRAW | body))["pool"]
        await asyncio.sleep(0.2)
        desk.forget(tab)
        await asyncio.sleep(0.1)
        record = tab.pools.records[pool]
        assert not record.running and record.drawing.progress()["cancelled"] and len(record.pool) < 3000

    run(main())


def test_a_drawing_that_nobody_asks_about_ends(desk, tab, monkeypatch):
    monkeypatch.setattr("playground.studies.pools.ABANDONED_S", 0.15)

    async def main() -> None:
        pool = (await desk.control.draw(tab, DRAW | {"num_texts": 5000, "max_tokens": 64}))["pool"]
        await asyncio.sleep(0.6)
        record = tab.pools.records[pool]
        assert not record.running and record.drawing.progress()["cancelled"]

    run(main())


def test_the_toy_is_exact(desk, tab):
    view = run(desk.control.view(tab, {"pool": "toy", "targets": [0.6, 2.2], "log_beta": math.log(1.5)}))
    assert [gauge["exponent"] for gauge in view["gauges"]] == pytest.approx([0.32594705849557387, 0.24759103455399462])
    assert view["beta"]["acceptance_rate"] == pytest.approx(0.9403789826479322)
    assert view["beta"]["tvd"] == pytest.approx(0.10983186703212833) and view["enumerated"]
    assert len(view["rows"]) == 15 and sum(row["p"][2] for row in view["rows"]) == pytest.approx(1)
    assert view["gauges"][0]["at_beta"] == pytest.approx(0.5104325052527326)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"features": []}, "must be a list"),
        ({"features": "zzz", "targets": []}, "list of 1 numbers"),
        ({"targets": [0.5]}, "list of 2 numbers"),
        ({"targets": [0.5, "x"]}, "must be a number"),
        ({"targets": [0.5, True]}, "must be a number"),
        ({"measure": "chi2"}, "measure is one of"),
        ({"only": "some"}, "measure is one of"),
        ({"contexts": "both"}, "contexts is one of pooled, averaged, each"),
        ({"contexts": 3}, "contexts must be a text"),
        ({"log_beta": "x"}, "log_beta must be"),
        ({"acceptance_rate": 2}, "acceptance_rate must be"),
        ({"exponents": [1]}, "list of 2 numbers"),
        ({"others": "all"}, "list of pools"),
        ({"others": ["nobody"]}, "not known here"),
        ({"pool": "nobody"}, "not known here"),
        ({"pool": 5}, "must be a text"),
        ({"features": [{"feature": "classifier", "model": "a/b", "label": "c"}], "targets": [0.5]}, "no classifiers"),
        ({"features": [{"feature": "regex", "pattern": "(" * 50}], "targets": [0.5]}, "cannot be read"),
    ],
)
def test_strangers_are_told_what_is_wrong(desk, tab, change, reason):
    async def main() -> None:
        pool = await given(desk, tab, num_texts=5)
        with pytest.raises(PlaygroundError, match=reason):
            await desk.control.view(tab, {"pool": pool, **MOON, **change})

    run(main())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_texts": 0}, "num_texts"),
        ({"num_texts": 5001}, "num_texts"),
        ({"max_tokens": 500}, "max_tokens"),
        ({"proposal": "magic"}, "proposal is one of"),
        ({"proposal": "prompt"}, "prompt is empty"),
        ({"prompt": ""}, "prompt is empty"),
        ({"pool": "nobody"}, "not known here"),
        ({"more_prompts": "The moon"}, "more_prompts must be a list of texts"),
        ({"more_prompts": ["The moon", 5]}, "more_prompts must be a list of texts"),
        ({"more_prompts": [f"The moon {number}" for number in range(8)]}, "at most 8 prompts; these are 9"),
        ({"more_prompts": ["a" * 100_001]}, "at most"),
        ({"more_prompts": ["half \ud800"]}, "half of a character"),
        ({"more_prompts": ["The moon"], "num_texts": 2501}, "2,500 of each of 2 prompts"),
    ],
)
def test_strangers_cannot_draw_just_anything(desk, tab, change, reason):
    with pytest.raises(PlaygroundError, match=reason):
        run(desk.control.draw(tab, DRAW | change))


def test_classifier_is_a_word_like_any_other(desk, tab):
    """Only the feature of that name is refused."""

    async def looked(one: Any) -> Any:
        pool = await given(desk, tab, num_texts=4)
        return await desk.control.view(tab, {"pool": pool, "features": [one], "targets": [None]})

    assert run(looked("classifier"))["gauges"][0]["key"]
    with pytest.raises(PlaygroundError, match="offers no classifiers"):
        run(looked({"feature": "classifier", "model": "x", "label": "y"}))


def test_looking_at_a_pool_does_not_hold_up_the_pictures(desk, tab):
    """Features may read for seconds; drags of everybody else go through the inspector's worker meanwhile."""

    async def looked() -> Any:
        blocked = asyncio.Event()
        loop, release = asyncio.get_running_loop(), threading.Event()

        def busy_drawing() -> None:
            loop.call_soon_threadsafe(blocked.set)
            release.wait(30)

        busy = loop.run_in_executor(desk.inspector.worker, busy_drawing)
        await blocked.wait()
        try:
            return await desk.control.view(tab, {"pool": "toy", "targets": [None, None]})
        finally:
            release.set()
            await busy

    assert run(looked())["gauges"]
