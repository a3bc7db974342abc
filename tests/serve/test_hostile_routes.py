"""Everything a stranger can put into the page's own routes: a clear 4xx or a proper answer, and nobody else notices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.sampling import SAMPLERS
from tests.serve.hostile import (
    BAD_NUMBERS,
    DEEP,
    DEEP_OBJECT,
    HARMLESS_TEXTS,
    HUGE_NUMBERS,
    LEGAL,
    REFUSED_TEXTS,
    WRONG_KINDS,
    check_message,
    error_of,
)
from tests.serve.live import Live

pytestmark = pytest.mark.usefixtures("neighbour")
MARK = "@@"


@pytest.fixture
def place(live: Live, tab: str) -> str:
    return live.post("next", {"prompt": "The old sailor"}, tab).json()["key"]


def raw(value: str, **body: Any) -> bytes:
    """A JSON body in which MARK stands for a JSON text that ``json`` itself may not write."""
    return json.dumps(body).replace(json.dumps(MARK), value).encode()


TEXT_FIELDS = [
    {"prompt": MARK},
    {"prompt": "The", "negative": MARK},
    {"prompt": "The", "chat": True, "system": MARK},
    {"prompt": MARK, "chat": True, "negative": MARK},
]


@pytest.mark.parametrize("fields", TEXT_FIELDS, ids=str)
def test_texts(live: Live, tab: str, fields: dict[str, Any]) -> None:
    for name, text in HARMLESS_TEXTS.items():
        answer = live.post("next", content=raw(json.dumps(text), **fields), session=tab)
        assert answer.status_code == 200, (name, answer.text[:300])
        if fields == {"prompt": MARK}:
            assert "".join(token["text"] for token in answer.json()["prompt_tokens"]) == text
    for text in REFUSED_TEXTS.values():
        error_of(live.post("next", content=raw(json.dumps(text), **fields), session=tab))
    for value in WRONG_KINDS:
        if not value.startswith('"'):
            error_of(live.post("next", content=raw(value, **fields), session=tab))


def test_an_empty_prompt_is_refused_with_the_next_step(live: Live, tab: str) -> None:
    for body in ({"prompt": ""}, {}, {"prompt": None}, {"prompt": "", "chat": True, "system": "x"}):
        assert "type" in error_of(live.post("next", body, tab)).lower()


def test_a_prompt_within_the_limit_of_characters_but_beyond_the_models_context(live: Live, tab: str) -> None:
    for body in ({"prompt": "\u00e9" * 3000}, {"prompt": "x", "negative": "\u00e9" * 3000}):
        message = error_of(live.post("next", body, tab))
        assert "2,048" in message and "Shorten" in message


def test_the_key_as_a_text(live: Live, tab: str) -> None:
    for text in [*HARMLESS_TEXTS.values(), "", "K@5", "../../etc/passwd"]:
        assert live.post("trace", {"key": text}, tab).status_code == 404
    for text in REFUSED_TEXTS.values():
        assert live.post("trace", {"key": text}, tab).status_code in (400, 404)
    for value in WRONG_KINDS:
        error_of(live.post("trace", content=raw(value, key=MARK), session=tab))


@pytest.mark.parametrize("route", ["next", "trace", "engines", "scale"])
def test_numbers_of_the_request(live: Live, tab: str, place: str, route: str) -> None:
    base = {"prompt": "The"} if route == "next" else {"key": place}
    for field in ("seed", "scale"):
        for value in BAD_NUMBERS:
            error_of(live.post(route, content=raw(value, **base, **{field: MARK}), session=tab))
        for value in HUGE_NUMBERS:
            answer = live.post(route, content=raw(value, **base, **{field: MARK}), session=tab)
            assert answer.status_code == 200 or error_of(answer)
    for value in ("-1", "0.5", "9223372036854775808", "-1e9"):
        error_of(live.post(route, content=raw(value, **base, seed=MARK), session=tab))
    for value in ("-20.01", "20.01", "1e9"):
        error_of(live.post(route, content=raw(value, **base, scale=MARK), session=tab))


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_parameter_of_every_sampler(live: Live, tab: str, place: str, name: str) -> None:
    for parameter, fact in SAMPLERS[name].params().items():
        for value in BAD_NUMBERS:
            if value in LEGAL.get(fact.kind, ()):
                continue
            content = raw(value, key=place, strip=[{"id": name, parameter: MARK}])
            message = error_of(live.post("trace", content=content, session=tab))
            assert parameter in message or "JSON" in message
        for value in [*HUGE_NUMBERS, "-1", "0.5", "-1e9", "1e9"]:
            content = raw(value, key=place, strip=[{"id": name, parameter: MARK}])
            answer = live.post("trace", content=content, session=tab)
            if answer.status_code == 200:
                view = answer.json()
                assert view["final"]["support"] >= 1
                assert sum(row["p_final"] for row in view["rows"]) + view["others"]["p_final"] == pytest.approx(1)
            else:
                error_of(answer)
    error_of(live.post("trace", {"key": place, "strip": [{"id": name, "no such knob": 1}]}, tab))


@pytest.mark.parametrize(
    "key",
    [
        "__proto__",
        "-1",
        "1e9",
        "nan",
        "",
        "1.0",
        " 1",
        "0x1",
        "99999999999999",
        "\u0663",
        "<script>",
        "constructor",
        "1" * 5000,
    ],
)
def test_logit_bias_with_hostile_tokens(live: Live, tab: str, place: str, key: str) -> None:
    error_of(live.post("trace", {"key": place, "strip": [{"id": "logit_bias", "bias": {key: 1}}]}, tab))


def test_logit_bias_with_hostile_values(live: Live, tab: str, place: str) -> None:
    for value in [*BAD_NUMBERS, "1e309"]:
        content = raw(value, key=place, strip=[{"id": "logit_bias", "bias": {"5": MARK}}])
        error_of(live.post("trace", content=content, session=tab))
    message = error_of(live.post("trace", {"key": place, "strip": [{"id": "logit_bias", "bias": {"100000": 1}}]}, tab))
    assert "100000" in message, "a token this model does not have"
    many = {str(token): 1 for token in range(30_000)}
    error_of(live.post("trace", {"key": place, "strip": [{"id": "logit_bias", "bias": many}]}, tab))


STRIPS: list[Any] = [
    5,
    "min_p",
    {},
    {"id": "min_p"},
    True,
    [5],
    ["min_p"],
    [[]],
    [None],
    [{}],
    [{"id": None}],
    [{"id": 5}],
    [{"id": ["min_p"]}],
    [{"id": "no_such"}],
    [{"id": ""}],
    [{"id": "min_p--1"}],
    [{"id": "min_p--10"}],
    [{"id": "min_p--2--2"}],
    [{"id": "--2"}],
    [{"id": "guidance"}],
    [{"id": "__class__"}],
    [{"id": "min_p\n"}],
    [{"id": "MIN_P"}],
    [{"id": "<script>alert(1)</script>"}],
    [{"id": "a" * 100_000}],
    [{"id": "min_p", "on": 1}],
    [{"id": "min_p", "on": "yes"}],
    [{"id": "min_p", "on": None}],
    [{"id": "min_p"}, {"id": "min_p"}],
    [{"id": "min_p", "min_p": {"a": [{}]}}],
    [{"id": "min_p", "self": 1}],
    [{"id": "min_p", "sampler": "top_k", "top_k": 5}],
    [{"id": "min_p", "": 1}],
    [{"id": "min_p"}] * 10_000,
    [{"id": f"min_p--{n}"} for n in range(10_000)],
]


@pytest.mark.parametrize("strip", STRIPS, ids=lambda strip: str(strip)[:40])
def test_strips(live: Live, tab: str, place: str, strip: Any) -> None:
    error_of(live.post("trace", {"key": place, "strip": strip}, tab))
    error_of(live.post("next", {"prompt": "The", "strip": strip}, tab))


def test_texts_as_strip_ids(live: Live, tab: str, place: str) -> None:
    for text in [*HARMLESS_TEXTS.values(), *REFUSED_TEXTS.values()]:
        error_of(live.post("trace", {"key": place, "strip": [{"id": text}]}, tab))


@pytest.mark.parametrize("field", ["pins", "figures", "chat", "refill"])
def test_lists_and_switches_of_the_wrong_kind(live: Live, tab: str, place: str, field: str) -> None:
    wrong = {
        "pins": [
            "5",
            "true",
            '"5"',
            "{}",
            "[1.5]",
            '["1"]',
            "[true]",
            "[null]",
            "[[1]]",
            "[NaN]",
            "[1e400]",
            "[" + "1," * 99 + "1]",
            "null",
        ],
        "figures": ["5", "true", '"rank"', '{"rank": 1}', "[5]", "[null]", '[["rank"]]', "1e9"],
        "chat": ["5", "null", '"true"', "[]", "{}", "0"],
        "refill": ["5", "null", '"true"', "[]", "{}", "0"],
    }[field]
    for value in wrong:
        route, base = ("next", {"prompt": "The"}) if field == "chat" else ("trace", {"key": place})
        if field == "refill":
            base = {"key": f"{place}@1"}  # whose rows are not stored, so that the switch is read
        error_of(live.post(route, content=raw(value, **base, **{field: MARK}), session=tab))


def test_tokens_that_do_not_exist_cannot_be_pinned_but_hurt_nobody(live: Live, tab: str, place: str) -> None:
    view = live.post("trace", {"key": place, "pins": [5, -1, 10**9, 2**63 - 1]}, tab).json()
    assert [row["token_id"] for row in view["rows"] if row["pinned"]] == [5]


BODIES = [
    b"",
    b"null",
    b"5",
    b"[]",
    b'"text"',
    b"{",
    b"{]",
    b"\xff\xfe",
    b"\0",
    b'{"prompt": "\xff"}',
    b"NaN",
    b'{"prompt": "\\ud800"}',
    b'{"prompt": "The", "seed": NaN}',
    DEEP.encode(),
    DEEP_OBJECT.encode(),
    b'{"strip": ' + DEEP.encode() + b"}",
    b'{"key": ' + DEEP_OBJECT.encode() + b"}",
]


@pytest.mark.parametrize("content", BODIES, ids=lambda content: str(content)[:30])
def test_bodies_that_are_no_request(live: Live, tab: str, content: bytes) -> None:
    for route in ("next", "trace", "engines", "scale"):
        error_of(live.post(route, content=content, session=tab))


def test_answers_are_never_html(live: Live, tab: str) -> None:
    answer = live.post("next", {"prompt": "<script>alert(1)</script>"}, tab)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    refused = live.post("trace", {"key": "<script>", "strip": [{"id": "<img onerror=alert(1)>"}]}, tab)
    assert refused.headers["content-type"] == "application/json"


@pytest.fixture
def text(live: Live, tab: str) -> str:
    """A generation of eight tokens."""
    strip = [{"id": "logit_bias", "bias": {"256": -100}}]
    return live.write(tab, prompt="The old sailor", max_tokens=8, strip=strip)[-1]["generation"]


def test_replay_of_what_is_no_text_of_this_tab(live: Live, tab: str, text: str) -> None:
    knobs = {"strip": [{"id": "top_k", "top_k": 1}]}
    answer = live.post("replay", {"generation": text, **knobs}, tab)
    assert answer.status_code == 200 and answer.json()["num_checked"] >= 1
    assert live.post("replay", {"generation": text, **knobs}, live.open()).status_code == 404
    for wrong in [*HARMLESS_TEXTS.values(), *REFUSED_TEXTS.values(), "", f"{text}.1", f"{text}@1", text[:-1]]:
        error_of(live.post("replay", {"generation": wrong, **knobs}, tab))
    for value in WRONG_KINDS:
        error_of(live.post("replay", content=raw(value, generation=MARK), session=tab))
    for value in BAD_NUMBERS:
        error_of(live.post("replay", content=raw(value, generation=text, scale=MARK), session=tab))
        strip = [{"id": "temperature", "temperature": MARK}]
        error_of(live.post("replay", content=raw(value, generation=text, strip=strip), session=tab))
    error_of(live.post("replay", {"generation": text, "strip": [{"id": "logit_bias", "bias": {"100000": 1}}]}, tab))


def test_going_on_from_a_place_that_is_not_this_tabs_or_with_a_token_that_is_none(
    live: Live, tab: str, text: str, place: str
) -> None:
    def last(session: str, start: Any) -> dict[str, Any]:
        return live.write(session, **{"prompt": "The", "max_tokens": 2, "continue": start})[-1]

    assert last(tab, {"key": f"{text}.3", "forced": 65})["error"] == ""
    assert last(tab, {"key": place})["error"] == ""
    wrong: list[Any] = [
        5, "x", [], True, {}, {"key": None}, {"key": 5}, {"key": ""}, {"key": text}, {"key": f"{text}.9"},
        {"key": f"{text}.-1"}, {"key": f"{text}@1"}, {"key": f"{place}@1"}, {"key": "\ud800"}, {"key": "<script>"},
    ]  # fmt: skip
    forced = [-1, 10**9, 0.5, "5", True, [1], {}, 10**400]
    for start in [*wrong, *({"key": f"{text}.3", "forced": value} for value in forced)]:
        check_message(last(tab, start)["error"])
    for key in (f"{text}.3", place):
        assert "not known" in last(live.open(), {"key": key, "forced": 65})["error"]


def test_the_plain_spelling_of_knobs_is_checked_as_well(live: Live, tab: str, place: str) -> None:
    """``chain`` and ``guidance`` are what programs write instead of the page's strip and scale."""
    plain = {"key": place, "chain": [{"sampler": "top_k", "top_k": 3}], "guidance": {"scale": 2.0}}
    view = live.post("trace", plain, tab).json()
    assert view["final"]["support"] == 3 and view["guidance"]["scale"] == 2.0
    for value in BAD_NUMBERS:
        error_of(live.post("trace", content=raw(value, key=place, guidance={"scale": MARK}), session=tab))
        chain = [{"sampler": "top_k", "top_k": MARK}]
        error_of(live.post("trace", content=raw(value, key=place, chain=chain), session=tab))
    for value in ("5", '"x"', "[1]", "true", '[{"scale": 2}]'):
        error_of(live.post("trace", content=raw(value, key=place, guidance=MARK), session=tab))
    for value in ("5", '"min_p"', "{}", "[5]", "[{}]", "[null]", '[{"sampler": 5}]', '[{"sampler": ["min_p"]}]', DEEP):
        error_of(live.post("trace", content=raw(value, key=place, chain=MARK), session=tab))
    error_of(live.post("trace", {"key": place, "chain": [{"sampler": "min_p"}] * 10_000}, tab))
