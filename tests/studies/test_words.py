"""The live sentence in words, and p(token) against the scale in numbers."""

from __future__ import annotations

import pytest
import torch

from playground.errors import PlaygroundError
from playground.models.toy import ToyVocabulary
from playground.sampling import Recipe
from playground.studies.pipeline import pipeline_view
from playground.studies.rows import Knobs, StepRows
from playground.studies.scale import scale_view
from playground.studies.strip import Strip
from tests.studies import naive
from tests.studies.branches import beside

VOCABULARY = ToyVocabulary()
PROMPT, NEGATIVE = 3 * torch.randn(2, VOCABULARY.size, generator=torch.Generator().manual_seed(9))
FLAT = -1e-6 * torch.arange(VOCABULARY.size)
"""All but equal: top-k keeps ties, so the very same score would keep everything."""


def said(prompt: torch.Tensor, strip: list[dict], scale: float = 1.0) -> str:
    rows = StepRows("key", prompt, beside(NEGATIVE), torch.tensor([65]), 1, 0, "A")
    view = pipeline_view(rows, Knobs(Strip.from_json(strip), Recipe(scale=scale)), VOCABULARY)
    assert {part["kind"] for part in view["sentence"]} <= {"text", "figure", "token"}
    return "".join(part["text"] for part in view["sentence"])


def test_it_names_what_each_stage_did() -> None:
    size = VOCABULARY.size
    sentence = said(
        FLAT,
        [
            {"id": "temperature", "temperature": 2.0},
            {"id": "top_k", "top_k": 20},
            {"id": "min_p", "min_p": 0.5},
            {"id": "top_p", "on": False},
        ],
    )
    assert sentence.startswith(
        f"The model wavered between about {size} tokens; temperature 2 changed nothing, "
        "top-k 20 kept 20, min-p 0.5 kept all 20; the dart hit "
    )
    assert sentence.endswith("(5.0 %).")


def test_it_speaks_of_guidance_only_where_it_acts() -> None:
    assert "guidance" not in said(PROMPT, [])
    base, guided = (
        2 ** naive.entropy_bits(naive.softmax(row))
        for row in (PROMPT.double().numpy(), naive.guided(PROMPT.double().numpy(), NEGATIVE.double().numpy(), 2.0))
    )
    shown = [f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in (base, guided)]
    assert said(PROMPT, [], 2.0).startswith(
        f"The model wavered between about {shown[0]} tokens; guidance made it {shown[1]}; the dart hit "
    )


def test_one_token_is_singular() -> None:
    sure = torch.full((VOCABULARY.size,), -50.0)
    sure[65] = 50.0
    assert said(sure, []) == "The model wavered between about 1.0 token; the dart hit A (100.0 %)."


def test_scale_curves_are_exact_at_every_scale() -> None:
    rows = StepRows("key", PROMPT, beside(NEGATIVE), torch.tensor([65]), 1, 0, "A")
    view = scale_view(rows, Recipe(scale=2.0), VOCABULARY)
    assert view["scales"][0] == -1 and view["scales"][-1] == 7 and 1.0 in view["scales"] and view["scale"] == 2.0
    best = set()
    for number, scale in enumerate(view["scales"]):
        p = naive.softmax(naive.guided(PROMPT.double().numpy(), NEGATIVE.double().numpy(), scale))
        best.add(int(p.argmax()))
        assert [curve["p"][number] for curve in view["curves"]] == pytest.approx(
            [p[curve["token_id"]] for curve in view["curves"]], rel=1e-5
        )
    assert best <= {curve["token_id"] for curve in view["curves"]}, "whoever leads anywhere is there"


def test_without_a_negative_branch_there_is_nothing_to_steer() -> None:
    with pytest.raises(PlaygroundError, match="negative branch"):
        scale_view(StepRows("key", PROMPT, (), torch.tensor([65]), 1, 0, "A"), Recipe(), VOCABULARY)
