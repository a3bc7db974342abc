"""Guidance equals transformers' own, token for token: greedy texts, default and explicit negatives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.engine import Engine, Request, request_for
from playground.models import Model
from tests.engine.cfg_cases import NUM_TOKENS, Case, by_transformers, cases
from tests.engine.wrappers import GREEDY

FIXTURE = Path(__file__).parent / "data" / "cfg.json"
LIVE = 4
pytestmark = pytest.mark.model


def texts_of(engine: Engine, asked: list[Case]) -> list[list[int]]:
    """All cases at once, as many users would."""
    streams = [engine.submit(as_request(engine.model, case)) for case in asked]
    for stream in streams:
        assert stream.result(600).reason in ("length", "eos")
    return [[item.token_id for item in stream.drain() if hasattr(item, "token_id")] for stream in streams]


def as_request(model: Model, case: Case) -> Request:
    return request_for(
        model,
        case.prompt,
        chain=GREEDY,
        max_tokens=NUM_TOKENS,
        guidance_scale=case.scale,
        negative_prompt=case.negative,
    )


def test_every_case_equals_the_recorded_text(default_model: Model) -> None:
    recorded = json.loads(FIXTURE.read_text(encoding="utf-8"))["texts"]
    asked = [Case(text["prompt"], text["negative"], text["scale"]) for text in recorded]
    assert asked == list(cases()) and len({case.prompt for case in asked}) >= 20
    with Engine(default_model) as engine:
        written = texts_of(engine, asked)
    wrong = [case for case, text, known in zip(asked, written, recorded, strict=True) if text != known["token_ids"]]
    assert wrong == []


def test_four_live(default_model: Model) -> None:
    guided = [case for case in cases() if case.scale != 1.0]
    asked = guided[:: len(guided) // LIVE + 1]
    assert len({(case.negative is None, case.scale) for case in asked}) == LIVE, "default and explicit, at both scales"
    expected = [by_transformers(default_model.hf_model, default_model.tokenizer, case) for case in asked]
    with Engine(default_model) as engine:
        assert texts_of(engine, asked) == expected
