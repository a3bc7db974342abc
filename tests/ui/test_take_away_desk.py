"""The desk's two questions behind "Take away": settings out, settings back in at values the page's knobs can hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.sampling.interop import TARGETS
from playground.ui.desk import Desk
from playground.ui.session import Session
from tests.running import run

STRIP = [
    {"id": "temperature", "on": True, "temperature": 1.4},
    {"id": "top_k", "on": False, "top_k": 7},
    {"id": "min_p", "on": True, "min_p": 0.1},
]


def taken(desk: Desk, text: Any, **more: Any) -> dict[str, Any]:
    return run(desk.take_away.read(Session(), {"text": text, **more}))


def test_the_strip_as_settings_without_what_is_off(desk: Desk) -> None:
    body = {"target": "llama_server", "strip": STRIP, "scale": 1, "seed": 7, "prompt": "a"}
    view = run(desk.take_away.export(Session(), body))
    values = json.loads(view["text"])
    assert values["temperature"] == 1.4 and values["samplers"] == ["temperature", "min_p"] and values["seed"] == 7
    assert view["file_name"] == "llama-server.json" and view["losses"] == []
    assert [one["name"] for one in view["targets"]] == list(TARGETS)


def test_out_and_back_in_is_the_same_strip(desk: Desk) -> None:
    on = [stage for stage in STRIP if stage["on"]]
    for target in ("transformers", "llama_server", "llama_cli", "koboldcpp", "text_generation_webui", "playground"):
        view = run(desk.take_away.export(Session(), {"target": target, "strip": STRIP, "scale": 1, "prompt": "a"}))
        state = taken(desk, view["text"])["state"]
        assert state["strip"] == on, target


def test_guidance_goes_out_and_comes_back(desk: Desk) -> None:
    for body in ({"scale": 1.5}, {"guidance": {"scale": 1.5}}):
        view = run(desk.take_away.export(Session(), {"target": "transformers", "strip": [], "prompt": "a", **body}))
        assert "guidance_scale=1.5" in view["text"]
        assert taken(desk, view["text"])["state"]["scale"] == 1.5


def test_a_value_that_no_slider_holds_is_held_and_said(desk: Desk) -> None:
    view = taken(desk, '{"n_predict": 999999, "temperature": 7, "top_p": 0.87654, "logit_bias": [[3, 1], [99999, 2]]}')
    stages = {stage["id"]: stage for stage in view["state"]["strip"]}
    assert stages["temperature"]["temperature"] == 5 and stages["top_p"]["top_p"] == 0.877
    assert stages["logit_bias"]["bias"] == {"3": 1.0}
    said = "\n".join(view["ignored"])
    for words in ("takes 5 for 7", "takes 0.877 for 0.87654", "1 token id(s) beyond", "length 999,999"):
        assert words in said


def test_a_third_copy_has_no_room(desk: Desk) -> None:
    chain = [{"sampler": "temperature", "temperature": 0.5 + n / 10} for n in range(3)]
    view = taken(desk, json.dumps({"chain": chain}))
    assert [stage["id"] for stage in view["state"]["strip"]] == ["temperature", "temperature--2"]
    assert "room for 2" in "\n".join(view["ignored"])


@pytest.mark.parametrize(
    "body",
    [
        {"target": "gpt"}, {"target": 7}, {"strip": 7}, {"strip": [], "scale": "x"}, {"strip": [], "max_tokens": 10**9},
        {"strip": [], "stop": ["a"] * 99}, {"strip": [], "prompt": "x" * 10**6},
        {"strip": [], "guidance": {"preset": 7}}, [], None,
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_in_words(desk: Desk, body: Any) -> None:
    with pytest.raises(PlaygroundError):
        run(desk.take_away.export(Session(), body))


@pytest.mark.parametrize("text", ["", "hello", 7, None, "x" * 300_000, "[" * 999])
def test_what_cannot_be_read_is_refused_in_words(desk: Desk, text: Any) -> None:
    with pytest.raises(PlaygroundError):
        taken(desk, text)
