"""The view against the naive computation: probabilities, removals, journeys, curves, the dart, what is left over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from playground.models.toy import ToyVocabulary
from playground.sampling import Recipe, draw
from playground.studies.pipeline import pipeline_view
from playground.studies.rows import Knobs, StepRows
from playground.studies.scene import LOWEST_LOG10, NUM_REMOVED, NUM_ROWS, rank_axis
from playground.studies.strip import Strip
from tests.studies import naive
from tests.studies.branches import beside

VOCABULARY = ToyVocabulary()
HISTORY = torch.tensor([65, 66, 67])
STAGES: list[dict[str, Any]] = [
    {"id": "logit_bias", "on": True, "bias": {"7": 4.0, "9": -3.0}},
    {"id": "temperature", "on": True, "temperature": 1.4},
    {"id": "top_k", "on": True, "top_k": 60},
    {"id": "top_p", "on": True, "top_p": 0.9},
    {"id": "typical_p", "on": False, "typical_p": 0.5},
    {"id": "temperature--2", "on": True, "temperature": 0.8},
    {"id": "min_p", "on": True, "min_p": 0.08},
]
"""Every kind of stage, one of them off and one twice."""


def step(number: int = 0, **more: Any) -> StepRows:
    generator = torch.Generator().manual_seed(number)
    prompt, negative = 3 * torch.randn(2, VOCABULARY.size, generator=generator)
    return StepRows("key", prompt, beside(negative), HISTORY, 3, 0, "title", **more)


def by_hand(rows: StepRows, scale: float, stages: list[dict[str, Any]]) -> tuple[list[naive.Row], np.ndarray]:
    """What leaves guidance and each stage, and which stage (by place, -1: none) removed each token."""
    scores = rows.prompt.double().numpy()
    if scale != 1:
        scores = naive.guided(scores, rows.others[0].logits.double().numpy(), scale)
    leaving, remover = [naive.softmax(scores)], np.full(len(scores), -1)
    for place, stage in enumerate(stages):
        if stage["on"]:
            value = next(value for name, value in stage.items() if name not in ("id", "on"))
            alive = scores > -np.inf
            scores = naive.stage(scores, stage["id"].partition("--")[0], value)
            remover[alive & (scores == -np.inf)] = place
        leaving.append(naive.softmax(scores))
    return leaving, remover


close = pytest.approx


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1.0, 0.0, 2.5, -0.5])
def test_the_view_is_the_naive_computation_over_the_full_vocabulary(seed: int, scale: float) -> None:
    rows = step(seed, chosen=3)
    view = pipeline_view(rows, Knobs(Strip.from_json(STAGES), Recipe(scale=scale), (250, 7)), VOCABULARY)
    leaving, remover = by_hand(rows, scale, STAGES)
    p_raw, p_final = naive.softmax(rows.prompt.double().numpy()), leaving[-1]
    for row in view["rows"]:
        token = row["token_id"]
        assert row["p_raw"] == close(p_raw[token], rel=1e-9)
        assert row["p_final"] == close(p_final[token], rel=1e-5)
        assert row["removed_by"] == (STAGES[remover[token]]["id"] if remover[token] >= 0 else "")
        assert row["journey"] == close([p_raw[token], *(p[token] for p in leaving)], rel=1e-5, abs=1e-12)
        assert row["rank"] == 1 + sum(p_raw > p_raw[token])
        assert row["text"] == VOCABULARY.label(token)
    for shown, p in zip(view["stages"], leaving, strict=True):
        assert shown["support"] == (p > 0).sum()
        assert shown["entropy_bits"] == close(naive.entropy_bits(p), rel=1e-5)
        assert shown["choices"] == close(2 ** naive.entropy_bits(p), rel=1e-4)
        assert shown["mass_alive"] == close(leaving[0][p > 0].sum(), rel=1e-5)
    assert view["base"]["entropy_bits"] == close(naive.entropy_bits(p_raw))
    assert view["kept_mass"] == close(p_raw[p_final > 0].sum())


def test_others_are_one_minus_what_is_shown_and_the_rows_are_the_right_ones() -> None:
    rows = step(1, chosen=3)
    view = pipeline_view(rows, Knobs(Strip.from_json(STAGES), Recipe(scale=2.5), (250,)), VOCABULARY)
    leaving, remover = by_hand(rows, 2.5, STAGES)
    p_raw, p_final = naive.softmax(rows.prompt.double().numpy()), leaving[-1]
    shown = [row["token_id"] for row in view["rows"]]
    assert len(set(shown)) == len(shown)
    hidden = np.setdiff1d(np.arange(VOCABULARY.size), shown)
    assert view["others"]["count"] == len(hidden)
    assert view["others"]["p_final"] == close(p_final[hidden].sum(), abs=1e-9)
    assert view["others"]["p_raw"] == close(p_raw[hidden].sum(), abs=1e-9)
    largest = sorted(np.flatnonzero(p_final > 0), key=lambda token: -p_final[token])[:NUM_ROWS]
    assert shown[: len(largest)] == largest
    removed = sorted(np.flatnonzero(remover >= 0), key=lambda token: -p_raw[token])[:NUM_REMOVED]
    assert {250, 3, view["dart"]["token_id"], *removed} <= set(shown)
    assert [row["token_id"] for row in view["rows"] if row["pinned"]] == [250]
    assert [row["token_id"] for row in view["rows"] if row["chosen"]] == [3]
    assert [row["token_id"] for row in view["rows"] if row["drawn"]] == [view["dart"]["token_id"]]


def test_curves_are_log10_probabilities_at_the_shared_ranks() -> None:
    rows = step(2)
    view = pipeline_view(rows, Knobs(Strip.from_json(STAGES), Recipe(scale=2.5)), VOCABULARY)
    leaving, _ = by_hand(rows, 2.5, STAGES)
    p_raw = naive.softmax(rows.prompt.double().numpy())
    order = sorted(range(VOCABULARY.size), key=lambda token: (-p_raw[token], token))
    assert view["ranks"] == rank_axis(VOCABULARY.size).tolist()
    assert view["ranks"][0] == 1 and view["ranks"][-1] == VOCABULARY.size
    arriving = [p_raw, *leaving[:-1]]
    for shown, before, after in zip(view["stages"], arriving, leaving, strict=True):
        for name, p in (("before", before), ("after", after)):
            for rank, value in zip(view["ranks"], shown[name], strict=True):
                token = order[rank - 1]
                if p[token] == 0:
                    assert value is None
                else:
                    assert value == close(max(np.log10(p[token]), LOWEST_LOG10), abs=2e-3)
        if shown["name"] == "top_p":
            steps = np.cumsum(before[order])[np.array(view["ranks"]) - 1]
            assert shown["cumulative"] == close(steps.tolist(), abs=1e-5)


def test_a_card_that_is_off_passes_its_input_through() -> None:
    view = pipeline_view(step(3), Knobs(Strip.from_json(STAGES)), VOCABULARY)
    shown = {stage["id"]: stage for stage in view["stages"]}
    off = shown["typical_p"]
    assert not off["on"] and off["before"] == off["after"] == shown["top_p"]["after"]
    assert (off["support"], off["kept_mass"], off["cut"]["axis"]) == (shown["top_p"]["support"], 1.0, "none")
    without = pipeline_view(step(3), Knobs(Strip.from_json([s for s in STAGES if s["on"]])), VOCABULARY)
    assert without["final"] == view["final"] and without["dart"] == view["dart"]


@pytest.mark.parametrize("seed", range(20))
def test_the_dart_hits_what_its_uniform_says(seed: int) -> None:
    rows = step(5, seed=seed)
    dart = pipeline_view(rows, Knobs(Strip.from_json(STAGES), Recipe(scale=1.5)), VOCABULARY)["dart"]
    p_final = by_hand(rows, 1.5, STAGES)[0][-1]
    assert dart["u"] == draw.uniform(seed, 0, 0, draw.Purpose.DRAW)
    assert dart["token_id"] == naive.hit(p_final, dart["u"])
    assert dart["p"] == close(p_final[dart["token_id"]], rel=1e-5)
    ends = [segment["start"] + segment["p"] for segment in dart["segments"]]
    assert ends == close([*[segment["start"] for segment in dart["segments"]][1:], ends[-1]])
    under = [s["token_id"] for s in dart["segments"] if s["start"] <= dart["u"] < s["start"] + s["p"]]
    assert under in ([dart["token_id"]], [])


def test_scale_one_is_no_guidance_bit_for_bit() -> None:
    rows = step(6)
    plain = pipeline_view(
        StepRows("key", rows.prompt, (), HISTORY, 3, 0, "title"), Knobs(Strip.from_json(STAGES)), VOCABULARY
    )
    one = pipeline_view(
        StepRows("key", rows.prompt, rows.others, HISTORY, 3, 0, "title"),
        Knobs(Strip.from_json(STAGES), Recipe(scale=1.0)),
        VOCABULARY,
    )
    assert plain["rows"] == one["rows"] and plain["stages"] == one["stages"]
    assert plain["guidance"] is None and one["guidance"] is not None


def test_the_guidance_card_lists_promoted_and_suppressed_plausible_tokens() -> None:
    rows = step(7)
    card = pipeline_view(rows, Knobs(Strip.from_json([]), Recipe(scale=2.0)), VOCABULARY)["guidance"]
    p, q = (naive.softmax(row.double().numpy()) for row in (rows.prompt, rows.others[0].logits))
    guided = naive.softmax(naive.guided(rows.prompt.double().numpy(), rows.others[0].logits.double().numpy(), 2.0))
    plausible = [token for token in range(VOCABULARY.size) if p[token] >= 1e-3 * p.max()]
    ranked = sorted(plausible, key=lambda token: -p[token] / q[token])
    assert [mark["token_id"] for mark in card["promoted"]] == ranked[: len(card["promoted"])]
    assert [mark["token_id"] for mark in card["suppressed"]] == ranked[::-1][: len(card["suppressed"])]
    for mark in card["promoted"] + card["suppressed"]:
        token = mark["token_id"]
        assert (mark["p_prompt"], *mark["p_others"]) == close((p[token], q[token]))
        assert mark["p_guided"] == close(guided[token], rel=1e-5)
        assert mark["ratio"] == close(guided[token] / p[token], rel=1e-5)


def test_a_view_is_json_as_it_stands() -> None:
    import json

    view = pipeline_view(step(8), Knobs(Strip.from_json(STAGES), Recipe(scale=2.0), (5,)), VOCABULARY)
    assert json.loads(json.dumps(view, allow_nan=False)) == view
