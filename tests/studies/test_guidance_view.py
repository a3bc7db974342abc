"""The guidance card of any preset: weights, sums, gate and schedule in words, which tokens were moved, the scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from playground.models.toy import ToyVocabulary
from playground.sampling import PRESETS, recipe_from_json
from playground.studies.guidance_view import NUM_MARKS
from playground.studies.pipeline import pipeline_view
from playground.studies.rows import Knobs, StepRows
from playground.studies.scale import scale_view
from playground.studies.strip import Strip
from playground.studies.views import PipelineView
from tests.studies import naive
from tests.studies.branches import beside

VOCABULARY = ToyVocabulary()
PROMPT, FIRST, SECOND = 3 * torch.randn(3, VOCABULARY.size, generator=torch.Generator().manual_seed(21))


def rows(num_others: int, step: int = 0) -> StepRows:
    return StepRows("key", PROMPT, beside(*(FIRST, SECOND)[:num_others]), torch.tensor([65]), 1, step, "A")


def seen(guidance: Any, num_others: int = 1, step: int = 0) -> PipelineView:
    return pipeline_view(rows(num_others, step), Knobs(Strip.from_json([]), recipe_from_json(guidance)), VOCABULARY)


def log_p(row: torch.Tensor, heat: float = 1.0) -> naive.Row:
    return np.log(naive.softmax(row.double().numpy() / heat))


def test_the_guided_card_of_three_branches_is_the_weighted_sum() -> None:
    view = seen({"preset": "proxy", "scale": 1.8}, 2)
    p = naive.softmax(log_p(PROMPT) + 0.8 * log_p(FIRST) - 0.8 * log_p(SECOND))
    for row in view["rows"]:
        assert row["p_final"] == pytest.approx(p[row["token_id"]], rel=1e-5)
    card = view["guidance"]
    assert card is not None and card["weight_sum"] == pytest.approx(1.0)
    assert [branch["weight"] for branch in card["branches"]] == pytest.approx([1.0, 0.8, -0.8])
    assert [branch["name"] for branch in card["branches"]] == ["prompt", "branch 1", "branch 2"]
    for mark in card["promoted"] + card["suppressed"]:
        token = mark["token_id"]
        assert mark["p_others"] == pytest.approx([np.exp(log_p(FIRST))[token], np.exp(log_p(SECOND))[token]])
        assert mark["ratio"] == pytest.approx(p[token] / np.exp(log_p(PROMPT))[token], rel=1e-5)
    plausible = np.flatnonzero(np.exp(log_p(PROMPT)) >= 1e-3 * np.exp(log_p(PROMPT)).max())
    pull = log_p(FIRST) - log_p(SECOND)
    by_pull = sorted(plausible, key=lambda token: -pull[token])
    assert [mark["token_id"] for mark in card["promoted"]] == by_pull[:NUM_MARKS]
    anywhere = np.argsort(-pull, kind="stable")
    assert [mark["token_id"] for mark in card["promoted_anywhere"]] == anywhere[:NUM_MARKS].tolist()
    assert [mark["token_id"] for mark in card["suppressed_anywhere"]] == anywhere[::-1][:NUM_MARKS].tolist()


def test_a_mask_is_drawn_named_and_counted() -> None:
    view = seen({"preset": "contrastive", "scale": 2.0})
    p = np.exp(log_p(PROMPT))
    kept = int((p >= 0.1 * p.max()).sum())
    card, stage = view["guidance"], view["stages"][0]
    assert card is not None and f"{kept} tokens" in card["mask"]
    assert (stage["support"], stage["cut"]["axis"]) == (kept, "probability")
    assert stage["cut"]["value"] == pytest.approx(0.1 * p.max())
    assert card["branches"][1]["temperature"] == 0.5
    removed = [row for row in view["rows"] if row["p_final"] == 0]
    assert removed and all(row["removed_by"] == "guidance" for row in removed)
    assert stage["kept_mass"] == pytest.approx(p[p >= 0.1 * p.max()].sum())
    alive = {mark["token_id"] for mark in card["promoted"] + card["suppressed"]}
    assert all(p[token] >= 0.1 * p.max() for token in alive), "what the mask removed is not called promoted"


def test_a_closed_gate_says_so_and_leaves_the_prompt_alone() -> None:
    bits = naive.entropy_bits(np.exp(log_p(PROMPT)))
    closed = seen({"preset": "entropy", "scale": 3.0, "gate": {"kind": "entropy", "bits": bits + 0.1}})
    opened = seen({"preset": "entropy", "scale": 3.0, "gate": {"kind": "entropy", "bits": bits - 0.1}})
    assert closed["guidance"] is not None and opened["guidance"] is not None
    assert closed["guidance"]["gate"] == f"gate closed here: entropy {bits:.2f} bits ≤ τ {bits + 0.1:g}"
    assert opened["guidance"]["gate"] == f"gate open here: entropy {bits:.2f} bits > τ {bits - 0.1:g}"
    assert closed["guidance"]["strength"] == 0 and [b["weight"] for b in closed["guidance"]["branches"]] == [1, 0]
    assert closed["guidance"]["branches"][1]["weight_at_full"] == -2.0
    assert closed["base"] == closed["final"] and opened["base"] != opened["final"]
    late = seen({"scale": 2.0, "gate": {"kind": "first", "tokens": 3}}, step=3)["guidance"]
    assert late is not None and late["gate"] == "gate closed here: token 4 of the text, guided are the first 3"


def test_schedules_say_their_strength() -> None:
    p, q = np.exp(log_p(PROMPT)), np.exp(log_p(FIRST))
    jsd = naive.entropy_bits((p + q) / 2) - (naive.entropy_bits(p) + naive.entropy_bits(q)) / 2
    ada = seen("adacad")["guidance"]
    assert ada is not None and ada["strength"] == pytest.approx(jsd)
    assert ada["schedule"] == f"strength s = {jsd:.2f}: the branches' divergence here, bits; floor 0"
    assert [b["weight"] for b in ada["branches"]] == pytest.approx([1 + jsd, -jsd])
    linear = {"scale": 2.0, "schedule": {"kind": "linear", "start": 0, "end": 1, "tokens": 4}}
    third = seen(linear, step=2)["guidance"]
    assert third is not None and third["schedule"] == "strength s = 0.50 at token 3: from 0 to 1 over 4 tokens"
    first = seen(linear, step=0)
    assert first["base"] == first["final"] and first["guidance"] is not None and not first["guidance"]["off"]


def test_the_sum_of_weights_tells_a_temperature() -> None:
    card = seen("coherence")["guidance"]
    assert card is not None and card["weight_sum"] == pytest.approx(0.5)
    assert card["branches"][1]["words"] == "the last prompt token" and card["scale_is"] == "α is 1 − scale"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_p_against_the_scale_goes_through_off_and_through_the_present_scale(name: str) -> None:
    recipe = PRESETS[name].recipe
    count = len(recipe.contexts)
    view = scale_view(rows(count), recipe, VOCABULARY)
    here = pipeline_view(rows(count), Knobs(Strip.from_json([]), recipe), VOCABULARY)
    p_raw = np.exp(log_p(PROMPT))
    final = {row["token_id"]: row["p_final"] for row in here["rows"]}
    at_1, at_here = view["scales"].index(1.0), view["scales"].index(recipe.scale)
    for curve in view["curves"]:
        assert curve["p"][at_1] == pytest.approx(p_raw[curve["token_id"]], rel=1e-6), "1 is off for every preset"
        if curve["token_id"] in final:
            assert curve["p"][at_here] == pytest.approx(final[curve["token_id"]], rel=1e-6)


def test_long_texts_are_shortened_in_the_middle() -> None:
    from dataclasses import replace

    row = beside(FIRST)[0]
    told = replace(row.told, label="a" * 500, rendered="b" * 9000)
    step = StepRows("key", PROMPT, (replace(row, told=told),), torch.tensor([65]), 1, 0, "A")
    card = pipeline_view(step, Knobs(Strip.from_json([]), recipe_from_json({"scale": 2})), VOCABULARY)["guidance"]
    assert card is not None
    assert len(card["branches"][1]["text"]) < 210 and len(card["branches"][1]["rendered"]) < 2010
