"""The strip as a value: what parses, what is refused, and what the chain holds."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.studies.strip import MAX_STAGES, Strip


def test_the_chain_holds_the_stages_that_are_on_in_their_order() -> None:
    strip = Strip.from_json(
        [
            {"id": "min_p", "min_p": 0.1},
            {"id": "top_k", "on": False, "top_k": 5},
            {"id": "temperature--2", "temperature": 2.0},
            {"id": "temperature"},
        ]
    )
    assert [stage.id for stage in strip.stages] == ["min_p", "top_k", "temperature--2", "temperature"]
    assert [sampler.name for sampler in strip.chain.samplers] == ["min_p", "temperature", "temperature"]
    assert strip.chain.samplers[1].to_json() == {"sampler": "temperature", "temperature": 2.0}


def test_a_stage_that_is_off_may_hold_what_is_being_typed() -> None:
    assert Strip.from_json([{"id": "logit_bias", "on": False, "bias": "{unfinished"}]).chain.samplers == ()
    with pytest.raises(PlaygroundError, match=r"logit_bias\.bias"):
        Strip.from_json([{"id": "logit_bias", "on": True, "bias": "{unfinished"}])


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ("min_p", "list"),
        (5, "list"),
        ({"id": "min_p"}, "list"),
        (b"min_p", "list"),
        ([5], "object"),
        ([{}], "id"),
        ([{"id": "nothing"}], "nothing"),
        ([{"id": "min_p--1"}], "--2"),
        ([{"id": "min_p", "on": 1}], "true or false"),
        ([{"id": "min_p"}] * 2, "min_p--2"),
        ([{"id": "min_p"}] * (MAX_STAGES + 1), str(MAX_STAGES)),
        ([{"id": "min_p", "sampler": "top_k"}], "sampler"),
        ([{"id": "min_p", "nothing": 1}], "nothing"),
    ],
)
def test_what_is_refused_and_why(stages: Any, says: str) -> None:
    with pytest.raises(PlaygroundError) as caught:
        Strip.from_json(stages)
    assert says in str(caught.value)
