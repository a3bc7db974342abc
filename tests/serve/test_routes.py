"""The page's own routes: what they answer, and that a key means something to one session only."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from playground.sampling.orders import ORDERS
from tests.serve.hostile import error_of
from tests.serve.live import Live

PROMPT = "The old sailor"


@pytest.fixture
def place(live: Live, tab: str) -> str:
    """A key of ``tab``: the place after PROMPT."""
    return live.post("next", {"prompt": PROMPT}, tab).json()["key"]


def test_next_draws_the_distribution_and_the_prompts_tokens(live: Live, tab: str) -> None:
    answer = live.post("next", {"prompt": PROMPT, "strip": [{"id": "top_k", "top_k": 3}], "seed": 4}, tab).json()
    view = answer
    assert view["final"]["support"] == 3
    assert "".join(token["text"] for token in answer["prompt_tokens"]) == PROMPT
    assert sum(row["p_final"] for row in view["rows"]) + view["others"]["p_final"] == pytest.approx(1, abs=1e-9)
    assert len(view["key"]) == 32, "128 random bits"


def test_trace_redraws_a_place_under_other_knobs(live: Live, tab: str, place: str) -> None:
    views = [live.post("trace", {"key": place, "strip": [{"id": "top_k", "top_k": k}]}, tab).json() for k in (1, 5)]
    assert [view["final"]["support"] for view in views] == [1, 5]
    assert {view["key"] for view in views} == {place}


def test_steps_gives_the_models_own_distribution(live: Live, tab: str, place: str) -> None:
    view = live.get(f"steps/{place}", tab).json()
    assert view["key"] == place and [stage["id"] for stage in view["stages"]] == ["guidance"]
    assert view["final"]["support"] == view["vocabulary_size"]


def test_every_step_of_a_text_and_of_its_prompt_can_be_looked_at(live: Live, tab: str, place: str) -> None:
    text = live.write(tab, prompt=PROMPT, max_tokens=4, seed=1, strip=[{"id": "logit_bias", "bias": {"256": -100}}])[-1]
    for key in (
        f"{text['generation']}.0",
        f"{text['generation']}.3",
        f"{text['generation']}.4",
        f"{place}@1",
        f"{text['generation']}@2",
    ):
        view = live.post("trace", {"key": key, "refill": True}, tab).json()
        assert view["key"] == key, view
    assert live.get(f"steps/{text['generation']}.5", tab).status_code == 404


def test_scale_and_timeline_figures(live: Live, tab: str, place: str) -> None:
    assert live.post("scale", {"key": place}, tab).json()["data"]
    text = live.write(tab, prompt=PROMPT, max_tokens=3)[-1]
    assert len(live.get(f"generations/{text['generation']}/timeline", tab).json()["data"]) == 2
    # Inside the prompt there is no negative branch; its row is not stored either, which once was an error of ours.
    assert "negative" in error_of(live.post("scale", {"key": f"{place}@1"}, tab))


def test_engines_runs_the_strip_as_seven_engines_would(live: Live, tab: str, place: str) -> None:
    strip = [{"id": "temperature", "temperature": 2}, {"id": "min_p", "min_p": 0.1}]
    view = live.post("engines", {"key": place, "strip": strip, "seed": 5}, tab).json()
    mine = live.post("trace", {"key": place, "strip": strip, "seed": 5}, tab).json()
    assert view["key"] == place and view["here"]["support"] == mine["final"]["support"]
    assert view["here"]["dart"]["token_id"] == mine["dart"]["token_id"]
    engines = {engine["name"]: engine for engine in view["engines"]}
    assert list(engines) == list(ORDERS)
    assert engines["transformers"]["same"] and not engines["llama.cpp"]["same"]
    guided = live.post("engines", {"key": place, "strip": strip, "seed": 5, "scale": 3}, tab).json()
    assert guided["here"]["entropy_bits"] != view["here"]["entropy_bits"]
    text = live.write(tab, prompt=PROMPT, max_tokens=4, seed=1)[-1]["generation"]
    for key in (f"{text}.1", f"{place}@1"):
        assert live.post("engines", {"key": key, "strip": strip, "refill": True}, tab).json()["key"] == key


def test_engines_sees_what_trace_sees(live: Live, tab: str) -> None:
    """Memories, coins and texts that the vocabulary resolves: the same here in both."""
    strip = [
        {"id": "dry", "multiplier": 1.5, "sequence_breakers": [":", "\n"]},
        {"id": "xtc", "probability": 0.5, "threshold": 0.01},
        {"id": "mirostat_v2", "tau": 4.0, "eta": 0.5},
    ]
    text = live.write(tab, prompt=PROMPT, max_tokens=6, seed=1, strip=strip)[-1]
    for step in range(len(text["tokens"])):
        body = {"key": f"{text['generation']}.{step}", "strip": strip, "refill": True}
        view, mine = (live.post(route, body, tab).json() for route in ("engines", "trace"))
        assert view["here"]["support"] == mine["final"]["support"], step
        assert view["here"]["entropy_bits"] == pytest.approx(mine["final"]["entropy_bits"], abs=1e-9)
        assert view["here"]["dart"]["token_id"] == mine["dart"]["token_id"]
        assert view["here"]["dart"]["u"] == mine["dart"]["u"]


def keys_of(live: Live, owner: str) -> list[str]:
    place = live.post("next", {"prompt": PROMPT}, owner).json()["key"]
    text = live.write(owner, prompt=PROMPT, max_tokens=3)[-1]["generation"]
    assert live.get(f"steps/{place}", owner).status_code == 200
    return [place, f"{place}@1", text, f"{text}.0", f"{text}.2", f"{text}@1"]


def test_a_key_is_valid_in_its_own_session_only(live: Live, tab: str, neighbour: None) -> None:
    stranger = live.open()
    for key in keys_of(live, tab):
        for session in (stranger, None, "", "x", tab[:-1], tab.upper() + "!", key):
            assert live.get(f"steps/{key}", session).status_code == 404
            assert live.post("trace", {"key": key, "refill": True}, session).status_code == 404
            assert live.post("engines", {"key": key, "refill": True}, session).status_code == 404
            assert live.post("scale", {"key": key}, session).status_code == 404
            error_of(live.get(f"generations/{key}", session))
            error_of(live.get(f"generations/{key}/timeline", session))


def test_keys_cannot_be_guessed_from_their_forms(live: Live, tab: str, place: str, neighbour: None) -> None:
    text = live.write(tab, prompt=PROMPT, max_tokens=3)[-1]["generation"]
    guesses = [
        "",
        "first-prompt",
        "first-negative",
        "@1",
        ".0",
        "None",
        "*",
        "__class__",
        "..",
        "../",
        "%2e%2e%2f",
        "..%2f..%2fapp.py",
        "a" * 5000,
        "\u0000",
        "<script>",
        f"{place}:prompt",
        f"{place}:negative",
        f"{place}@",
        f"{place}@0",
        f"{place}@-1",
        f"{place}@99999999999",
        f"{place}@99999999",
        f"{place}@1e3",
        f"{place}@1@1",
        f"{place}@1.0",
        f"{place}.0",
        f"{place}.",
        f"{text}",
        f"{text}.-1",
        f"{text}.99999999999",
        f"{text}.999",
        f"{text}.1e0",
        f"{text}.",
        f"{text}@99",
        f"{text}-end-3",
        place.upper() + "x",
        place[:-1],
    ]
    for key in guesses:
        answer = live.post("trace", {"key": key, "refill": True}, tab)
        assert answer.status_code == 404, (key, answer.text[:200])
        error_of(answer)
        if key not in ("..", "../"):  # which clients resolve before they send anything
            assert live.get(f"steps/{quote(key)}", tab).status_code == 404, key


def test_unknown_routes_and_methods_answer_in_json(live: Live, tab: str) -> None:
    for route in ("", "nothing", "steps/", "steps/a/b", "../v1/nothing"):
        error_of(live.get(route, tab))
    assert live.post("status", {}, tab).status_code in (404, 405)
    assert live.http.request("DELETE", "/pg/v1/next").status_code == 405


def test_generation_deltas_can_be_read_again_from_any_token(live: Live, tab: str) -> None:
    strip = [{"id": "logit_bias", "bias": {"256": -100}}]
    text = live.write(tab, prompt=PROMPT, max_tokens=12, strip=strip)[-1]["generation"]
    whole = live.get(f"generations/{text}?from=0", tab).json()
    assert len(whole["tokens"]) == 12 and whole["done"]
    part = live.get(f"generations/{text}?from=9", tab).json()
    assert part["at"] == 9 and part["tokens"] == whole["tokens"][9:]
    assert live.get(f"generations/{text}?from=500", tab).json()["tokens"] == []
    for start in ("-1", "x", "1.5", "", "999999999999", "NaN"):
        error_of(live.get(f"generations/{text}?from={start}", tab))


def test_a_tab_may_not_run_hundreds_of_requests_at_once(live: Live, tab: str, neighbour: None) -> None:
    """A generation counts as well, so sixteen of them leave no room; they end, and there is room again."""
    from concurrent.futures import ThreadPoolExecutor

    body = {"prompt": PROMPT, "max_tokens": 300, "strip": [{"id": "logit_bias", "bias": {"256": -100}}]}
    with ThreadPoolExecutor(24) as many:
        texts = list(many.map(lambda seed: live.write(tab, seed=seed, **body)[-1], range(24)))
    refused = [text for text in texts if "running already" in text["error"]]
    assert 1 <= len(refused) <= 8
    assert all(text["done"] for text in texts)
    assert live.post("next", {"prompt": PROMPT}, tab).status_code == 200
