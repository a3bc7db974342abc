"""The public endpoints as a program uses them, and every Gradio route called by hand with what no page would send."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground.sampling import SAMPLERS
from tests.serve.hostile import (
    BAD_NUMBERS,
    DEEP,
    DEEP_OBJECT,
    HARMLESS_TEXTS,
    HUGE_NUMBERS,
    INTERNALS,
    LEGAL,
    REFUSED_TEXTS,
    check_message,
)
from tests.serve.live import Live

NEXT = {
    "prompt": "The old sailor",
    "negative_prompt": "",
    "guidance_scale": 1.0,
    "chain": None,
    "chat": False,
    "system": "",
    "seed": 0,
    "guidance": None,
}
WRITE = {
    "prompt": "The old sailor",
    "negative_prompt": "",
    "guidance_scale": 1.0,
    "chain": None,
    "max_tokens": 4,
    "seed": 0,
    "stop": None,
    "chat": False,
    "system": "",
    "search": None,
    "guidance": None,
}
NO_END = [{"sampler": "logit_bias", "bias": {"256": -100}}]


@pytest.fixture(scope="module")
def client(live: Live) -> Client:
    return Client(live.url, verbose=False)


def test_next_token_with_nothing_but_a_prompt(client: Client) -> None:
    view = client.predict("The old sailor", api_name="/next_token")
    assert view["final"]["support"] == view["vocabulary_size"]
    assert sum(row["p_final"] for row in view["rows"]) + view["others"]["p_final"] == pytest.approx(1)


def test_next_token_with_a_chain_whose_samplers_repeat(client: Client) -> None:
    chain = [
        {"sampler": "top_k", "top_k": 5},
        {"sampler": "temperature", "temperature": 2},
        {"sampler": "top_k", "top_k": 3},
    ]
    view = client.predict("The old sailor", chain=chain, guidance_scale=2, api_name="/next_token")
    assert [stage["id"] for stage in view["stages"]] == ["guidance", "top_k", "temperature", "top_k--2"]
    assert view["final"]["support"] == 3


def test_next_token_under_a_preset_of_guidance(client: Client) -> None:
    view = client.predict("The old sailor", guidance={"preset": "coherence", "k": 2}, api_name="/next_token")
    assert view["guidance"]["preset"] == "coherence" and view["guidance"]["weight_sum"] == pytest.approx(0.5)
    assert view["guidance"]["branches"][1]["words"] == "the last 2 prompt tokens"


def test_generate_streams_a_growing_text(client: Client) -> None:
    job = client.submit("The old sailor", max_tokens=30, seed=3, chain=NO_END, api_name="/generate")
    parts = list(job)
    assert [part["done"] for part in parts[:-1]].count(True) <= 1 and parts[-1]["done"]
    texts = [part["text"] for part in parts]
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))
    assert len(parts[-1]["tokens"]) == 30 and "".join(t["text"] for t in parts[-1]["tokens"]) == texts[-1]
    again = list(client.submit("The old sailor", max_tokens=30, seed=3, chain=NO_END, api_name="/generate"))
    assert again[-1]["text"] == texts[-1]


def test_stop_strings_end_a_text(client: Client) -> None:
    whole = client.predict("The old sailor", max_tokens=30, seed=3, chain=NO_END, api_name="/generate")["text"]
    word = whole.split()[2]
    part = client.predict("The old sailor", max_tokens=30, seed=3, chain=NO_END, stop=[word], api_name="/generate")
    assert part["done"] and len(part["tokens"]) < 30


def test_settings_go_out_and_come_back(client: Client) -> None:
    chain = [{"sampler": "min_p", "min_p": 0.1}, {"sampler": "temperature", "temperature": 0.7}]
    view = client.predict("ollama", chain=chain, guidance={"scale": 2}, api_name="/export_settings")
    assert "PARAMETER min_p 0.1" in view["text"] and "guidance" in "".join(view["losses"])
    state = client.predict(view["text"], api_name="/import_settings")["state"]
    assert [stage["id"] for stage in state["strip"]] == ["min_p", "temperature"]


WRONG: list[dict[str, Any]] = [
    {"prompt": ""},
    {"prompt": 5},
    {"prompt": None},
    {"prompt": ["a"]},
    {"guidance_scale": "2"},
    {"guidance_scale": 1e308},
    {"guidance_scale": None},
    {"seed": -1},
    {"seed": 0.5},
    {"seed": 10**400},
    {"seed": True},
    {"chain": "min_p"},
    {"chain": [5]},
    {"chain": [{}]},
    {"chain": [{"sampler": "nothing"}]},
    {"chain": [{"sampler": ["min_p"]}]},
    {"chain": [{"sampler": "min_p", "min_p": -1}]},
    {"chain": {"sampler": "min_p"}},
    {"chat": "yes"},
    {"system": 5},
    {"chain": [{"sampler": "min_p"}] * 10_000},
    {"negative_prompt": {"a": 1}},
    {"chain": [{"sampler": "min_p", "id": "top_k"}]},
    {"prompt": "\u00e9" * 3000},
]


@pytest.mark.parametrize("endpoint", ["/next_token", "/generate"])
@pytest.mark.parametrize("wrong", [WRONG[0], {"seed": 0.5}, {"chain": [{"sampler": "nothing"}]}], ids=str)
def test_mistakes_of_a_program_reach_it_as_sentences(client: Client, endpoint: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(AppError) as caught:
        client.predict(**{"prompt": "The", **wrong}, api_name=endpoint)
    check_message(str(caught.value))


def outcome(live: Live, name: str, data: list[Any], raw: bytes | None = None) -> str:
    """How a call by hand ended: ``complete``, ``explained`` or ``refused``; an unforeseen error fails the test."""
    kind, value = live.call(name, data, raw)[-1]
    if kind == "refused":
        assert value in (400, 404, 413, 422), value
        return kind
    if kind == "error":
        check_message(value["error"])
        return "explained"
    assert kind == "complete", kind
    error = value[0].get("error") or ""
    assert not [word for word in INTERNALS if word in error]
    return "explained" if error else "complete"


@pytest.mark.parametrize("name", ["next_token", "generate"])
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong)[:40])
def test_mistakes_of_a_program_are_explained(live: Live, name: str, wrong: dict[str, Any]) -> None:
    values = NEXT if name == "next_token" else WRITE
    assert outcome(live, name, [*{**values, **wrong}.values()]) == "explained"


def replaced(values: dict[str, Any], field: str, raw: str) -> bytes:
    """A call's body in which one argument is a JSON text that ``json`` may not write."""
    body = json.dumps({"data": [*({**values, field: "@@"}).values()]})
    return body.replace('"@@"', raw).encode()


@pytest.mark.parametrize("name", ["next_token", "generate"])
def test_texts_of_the_endpoints(live: Live, neighbour: None, name: str) -> None:
    values = NEXT if name == "next_token" else WRITE
    for field in ("prompt", "negative_prompt", "system"):
        for label, text in HARMLESS_TEXTS.items():
            assert outcome(live, name, [*{**values, field: text}.values()]) == "complete", label
    for text in REFUSED_TEXTS.values():
        assert outcome(live, name, [*{**values, "prompt": text}.values()]) == "explained"


@pytest.mark.parametrize("name", ["next_token", "generate"])
def test_numbers_of_the_endpoints(live: Live, neighbour: None, name: str) -> None:
    values = NEXT if name == "next_token" else WRITE
    for field in {"guidance_scale", "seed", "max_tokens"} & set(values):
        for value in BAD_NUMBERS:
            if "0" * 4999 in value:
                continue  # the standard library's own limit, which Gradio meets; see the test of bodies below
            assert outcome(live, name, [], replaced(values, field, value)) == "explained", (field, value[:20])
        for value in HUGE_NUMBERS:
            outcome(live, name, [], replaced(values, field, value))
    for value in ("0", "1025", "1e308", "4.5"):
        if name == "generate":
            assert outcome(live, name, [], replaced(values, "max_tokens", value)) == "explained"


def test_every_sampler_parameter_through_the_private_event(live: Live, tab: str, neighbour: None) -> None:
    """The page's own event is callable by anybody; it must check what the page never sends."""
    for name, sampler in SAMPLERS.items():
        for parameter, fact in sampler.params().items():
            for value in ("NaN", "-Infinity", '"5"', "1e400", "[1]"):
                if value in LEGAL.get(fact.kind, ()):
                    continue
                body = json.dumps(
                    {"data": [{"session": tab, "prompt": "The", "strip": [{"id": name, parameter: "@@"}]}]}
                )
                assert outcome(live, "page_generate", [], body.replace('"@@"', value).encode()) == "explained"


GARBAGE: list[Any] = [
    None,
    5,
    "text",
    "{",
    [],
    [1],
    True,
    {},
    {"session": None},
    {"session": 5},
    {"session": ["a"]},
    {"session": {"a": 1}},
    {"session": "x" * 10_000},
    {"session": "\ud800"},
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: str(garbage)[:30].encode("unicode-escape").decode())
def test_garbage_in_the_private_event(live: Live, neighbour: None, garbage: Any) -> None:
    events = live.call("page_generate", [garbage])
    assert events[-1][0] == "complete"
    assert "session" in events[-1][1][0]["error"]


def test_wrong_values_in_the_private_event(live: Live, tab: str, neighbour: None) -> None:
    for wrong in (
        {"prompt": ""},
        {"prompt": 5},
        {"max_tokens": 0},
        {"max_tokens": 10**9},
        {"max_tokens": "5"},
        {"max_tokens": 1.5},
        {"stop": "text"},
        {"stop": [""]},
        {"stop": [5]},
        {"stop": ["a"] * 9},
        {"stop": ["a" * 1000]},
        {"stop": ["\ud800"]},
        {"stop": {"a": 1}},
        {"stop": 5},
        {"strip": "x"},
        {"pins": 5},
        {"seed": None},
        {"chat": 1},
        {"strip": [{"id": "logit_bias", "bias": {"__proto__": 1}}]},
    ):
        deltas = live.write(tab, **{"prompt": "The", **wrong})
        assert len(deltas) <= 2 and deltas[-1]["done"], "the last one comes twice: Gradio completes with it"
        check_message(deltas[-1]["error"])


def test_an_error_inside_the_engine_reaches_the_page(live: Live, tab: str, neighbour: None) -> None:
    """A token that this model lacks is only found when the chain runs; the stream ends with Done(error)."""
    last = live.write(tab, prompt="The", strip=[{"id": "logit_bias", "bias": {"100000": 1}}])[-1]
    assert last["done"] and "100000" in last["error"] and last["tokens"] == []
    check_message(last["error"])


BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff",
    b'{"data": null}',
    b'{"data": {}}',
    b'{"data": 5}',
    b'{"data": []}',
    b'{"data": [1,2,3,4,5,6,7,8,9,10,11,12,13]}',
    b'{"data": ' + DEEP.encode() + b"}",
    b'{"data": [' + DEEP_OBJECT.encode() + b"]}",
    b'{"data": [' + b"1" * 5000 + b"]}",
    b'{"data": ["The"], "session_hash": {"a": 1}}',
    b'{"data": ["The"], "event_data": [[[]]], "trigger_id": "x"}',
    b'{"data": ["The"], "fn_index": 99999, "session_hash": "a"}',
    b'{"fn_index": -1, "data": [], "session_hash": "a"}',
]


@pytest.mark.parametrize("content", BODIES, ids=lambda content: str(content)[:40])
@pytest.mark.parametrize(
    "route",
    [
        "call/next_token",
        "call/page_generate",
        "run/next_token",
        "queue/join",
        "cancel",
        "call/nothing",
        "run/leave",
        "call/v2/next_token",
        "call/v2/nothing",
        "reset",
    ],
)
def test_bodies_that_are_no_call(live: Live, route: str, content: bytes) -> None:
    answer = live.http.post(f"/gradio_api/{route}", content=content, headers={"Content-Type": "application/json"})
    assert "Traceback" not in answer.text and "site-packages" not in answer.text
    if answer.status_code >= 500 and answer.json() != {"error": None}:  # Gradio's own two ways to fail
        check_message(answer.json()["error"])
    assert live.http.get("/healthz").json()["state"] == "ready"


def test_a_strangers_connection_cannot_end_somebody_elses_work(live: Live, neighbour: None) -> None:
    """``leave`` runs for the connection that closes; calling it by hand with any name ends nothing."""
    for session in ("a", "", live.open()):
        live.http.post("/gradio_api/run/leave", json={"data": [], "session_hash": session})
        live.http.post("/gradio_api/cancel", json={"session_hash": session, "fn_index": 0, "event_id": "x"})
