"""Searches through the desk, as the page and programs ask for them: what is told, and each step's picture."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.sampling.search import SEARCHES
from playground.ui.decoders import decoders_json
from playground.ui.desk import Desk
from playground.ui.session import Session
from tests.running import run

BODY = {"prompt": "The dragon was not", "max_tokens": 8, "seed": 3}
KNOBS: dict[str, Any] = {"chain": [{"sampler": "temperature", "temperature": 0.8}, {"sampler": "min_p", "min_p": 0.02}]}


async def _all(deltas: Any) -> list[Any]:
    return [delta async for delta in deltas]


def write(desk: Desk, session: Session, **body: Any) -> list[dict[str, Any]]:
    return run(_all(desk.generate(session, {**BODY, **body})))


def found(deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the page holds in the end: the last word on each step, in order."""
    steps = {view["index"]: view for delta in deltas for view in delta["found"]}
    return [steps[index] for index in sorted(steps)]


@pytest.mark.parametrize("name", [*SEARCHES, "sample"])
@pytest.mark.parametrize("scale", [1.0, 1.6])
def test_every_steps_picture_hits_the_token_that_was_found(desk: Desk, name: str, scale: float) -> None:
    session = Session()
    knobs = {**KNOBS, "scale": scale}
    deltas = write(desk, session, search=name, **knobs)
    generation = session.generation(deltas[-1]["generation"])
    assert deltas[-1]["search"] == ("" if name == "sample" else name) and generation.tokens
    for token in generation.tokens:
        view = run(desk.trace(session, {"key": token["key"], **knobs, "refill": True}))
        assert view["dart"]["token_id"] == token["token_id"]
        assert view["dart"]["p"] == pytest.approx(token["p_final"], abs=1e-5)
        said = "".join(part["text"] for part in view["sentence"])
        assert (f"; {SEARCHES[name].title.lower()} took " if name in SEARCHES else "; the dart hit ") in said
    assert run(desk.replay(session, {"generation": generation.id, **KNOBS, "scale": scale}))["index"] is None
    desk.forget(session)


def test_a_beam_search_grows_its_tree_before_its_text(desk: Desk) -> None:
    session = Session()
    deltas = write(desk, session, search={"search": "beam", "num_beams": 3})
    steps = found(deltas)
    assert [view["index"] for view in steps] == list(range(len(steps)))
    assert all(view["kind"] == "beam" and len(view["nodes"]) <= 6 for view in steps)
    tokens = [token["token_id"] for token in session.generation(deltas[-1]["generation"]).tokens]
    assert steps[-1]["best"] == tokens
    json.dumps(deltas[-1]["found"])
    whole = session.generation(deltas[-1]["generation"]).delta(0)
    assert whole["found"] == steps  # what a page that lost messages asks for


def test_contrastive_search_tells_its_candidates(desk: Desk) -> None:
    session = Session()
    deltas = write(desk, session, search={"search": "contrastive", "top_k": 3, "alpha": 0.4})
    tokens = session.generation(deltas[-1]["generation"]).tokens
    for view, token in zip(found(deltas), tokens, strict=True):
        assert view["tried"][view["chosen"]]["token_id"] == token["token_id"]
        for one in view["tried"]:
            assert one["score"] == pytest.approx(0.6 * one["p"] - 0.4 * one["penalty"])


def test_dola_is_a_method_of_guidance_and_tells_its_layers(desk: Desk) -> None:
    session = Session()
    knobs = {"guidance": {"preset": "dola", "scale": 2.0}}
    deltas = write(desk, session, search="greedy", **knobs)
    tokens = session.generation(deltas[-1]["generation"]).tokens
    views = found(deltas)
    assert len(views) == len(tokens) and all(view["kind"] == "layers" for view in views)
    for view, token in zip(views, tokens, strict=True):
        assert view["layers"] == [0, 2] and view["bits"][view["layers"].index(view["layer"])] == max(view["bits"])
        picture = run(desk.trace(session, {"key": token["key"], **knobs, "refill": True}))
        assert picture["dart"]["token_id"] == token["token_id"]
    assert not found(write(desk, Session(), search="greedy"))


def test_the_picker_shows_every_search_with_its_own_words() -> None:
    shown = decoders_json()
    json.dumps(shown)
    assert [one["name"] for one in shown] == ["sample", *SEARCHES, "dola"]
    for one in shown[1:-1]:
        assert {param["name"] for param in one["params"]} == set(SEARCHES[one["name"]].params())


@pytest.mark.parametrize(
    "search",
    [3, [], {}, "bream", {"search": "beam", "num_beams": 1e9}, {"search": "beam", "num_beams": float("nan")},
     {"search": "beam", "length_penalty": "long"}, {"search": ["beam"]}, {"search": "beam", "<script>": 1}],
)  # fmt: skip
def test_what_is_no_search_is_refused_with_words(desk: Desk, search: Any) -> None:
    with pytest.raises(PlaygroundError) as caught:
        write(desk, Session(), search=search)
    assert len(str(caught.value)) < 400
