"""The page's handles as the registry gives them, and examples that the page and the server accept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.sampling import SAMPLERS, orders
from playground.settings import Settings
from playground.studies.strip import Strip
from playground.ui import asks
from playground.ui.app import build_app
from playground.ui.desk import Desk
from playground.ui.examples import EXAMPLES
from playground.ui.knobs import NUM_COPIES, OPENING, knob_id, ordered_samplers, registry_json


@pytest.fixture(scope="module")
def elements(desk: Desk) -> dict[str, dict[str, Any]]:
    """Every component of the built page that has an element id."""
    config = build_app(desk).get_config_file()
    found = [component for component in config["components"] if component["props"].get("elem_id")]
    ids = [component["props"]["elem_id"] for component in found]
    assert len(set(ids)) == len(ids), "an id is given once"
    return dict(zip(ids, found, strict=True))


def test_knob_ids() -> None:
    assert knob_id("min_p", "min_p") == "knob-min_p-min_p"
    assert knob_id("min_p--2", "min_p") == "knob-min_p-min_p--2"
    assert knob_id("repetition_penalty", "last_n") == "knob-repetition_penalty-last_n"


def test_every_parameter_of_every_sampler_has_a_slider_and_a_switch(elements: dict[str, dict[str, Any]]) -> None:
    for name, sampler in SAMPLERS.items():
        for copy in ("", "--2"):
            assert elements[f"on-{name}{copy}"]["type"] == "checkbox"
            assert f"card-{name}{copy}" in elements
            for parameter, fact in sampler.params().items():
                knob = elements[f"knob-{name}-{parameter}{copy}"]
                if fact.kind == "number":
                    props = knob["props"]
                    assert knob["type"] == "slider"
                    assert (props["minimum"], props["maximum"], props["step"]) == (fact.low, fact.high, fact.step)
                else:
                    assert knob["type"] == ("radio" if fact.kind == "choice" else "textbox")
    assert NUM_COPIES == 2 and not [name for name in elements if name.endswith("--3")]


def test_the_handles_that_outside_tests_rely_on(elements: dict[str, dict[str, Any]]) -> None:
    kinds = {
        "prompt": "textbox",
        "negative-prompt": "textbox",
        "guidance-scale": "slider",
        "generate": "button",
        "stop": "button",
        "max-tokens": "slider",
        "seed": "number",
    }
    assert {name: elements[name]["type"] for name in kinds} == kinds
    assert "pipeline" in elements
    ranges = {
        "guidance-scale": (-1, 7, 0.05),
        "knob-temperature-temperature": (0, 5, 0.01),
        "knob-top_p-top_p": (0, 1, 0.001),
        "knob-min_p-min_p": (0, 1, 0.001),
    }
    for name, wanted in ranges.items():
        props = elements[name]["props"]
        assert (props["minimum"], props["maximum"], props["step"]) == wanted
    values = {
        "guidance-scale": 1,
        "knob-temperature-temperature": 1.0,
        "knob-min_p-min_p": 0.05,
        "on-temperature": True,
        "on-top_k": False,
        "on-top_p": False,
        "on-min_p": True,
    }
    assert {name: elements[name]["props"]["value"] for name in values} == values


def test_the_registry_for_the_page_is_json_and_complete() -> None:
    registry = json.loads(json.dumps(registry_json(), allow_nan=False))
    assert set(registry) == set(SAMPLERS)
    assert list(registry)[: len(OPENING)] == list(OPENING)
    for name, shown in registry.items():
        assert shown["title"] and shown["summary"] and set(shown["params"]) == set(SAMPLERS[name].params())
        defaults = {"id": name, **{key: param["default"] for key, param in shown["params"].items()}}
        Strip.from_json([defaults])  # what the page sends before anybody has touched a knob
    assert [sampler.name for sampler in ordered_samplers()] == list(registry)


def test_the_opening_strip_and_the_engines_orders_can_be_put_on_it() -> None:
    Strip.from_json([{"id": name, **stage} for name, stage in OPENING.items()])
    for name in orders.ORDERS:
        assert set(orders.stage_names(name)) <= set(SAMPLERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["title"])
def test_every_example_is_a_state_that_the_server_accepts(example: dict[str, Any]) -> None:
    state, settings = example["state"], Settings()
    assert asks.prompt(state, settings.max_prompt_chars).text
    strip = asks.knobs(state).strip
    assert Strip.from_json(state["strip"]) == strip
    opening = list(OPENING)
    assert [stage.id for stage in strip.stages] == opening, "an example is the opening strip with other values"
    assert asks.seed(state) >= 0
    asks.search(state)
    assert asks.whole(state, "max_tokens", 0, 1, settings.max_tokens) <= 128
    assert example["watch"].endswith(".") and example["title"]


def test_there_are_ten_chips() -> None:
    assert len({example["chip"] for example in EXAMPLES}) == 10
    assert len({example["title"] for example in EXAMPLES}) == len(EXAMPLES)
    texts = [example["state"]["prompt"] for example in EXAMPLES]
    assert "They decided to name their daughter" in texts and "Они решили назвать свою дочь" in texts
