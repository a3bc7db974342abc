"""The curve of acceptance against divergence: lines named where they run, titles level, strangers' words as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from playground.charts import control_curve
from playground.control.evaluation import Evaluator
from playground.control.features import features
from playground.control.pool import Pool
from playground.control.texts import Text
from playground.studies.analysis import Analysis
from playground.studies.bigrams import TARGETS, toy
from playground.studies.control_asks import Ask
from playground.studies.control_views import control_view

HOSTILE = "<b onclick=alert(1)>a word that is far too long for any label"


def pool(seed: int, share: float, word: str = "moon") -> Analysis:
    """200 texts, the word in some; a proposal that is a little off the model."""
    rng = np.random.default_rng(seed)
    texts = tuple(Text(word if rng.random() < share else f"text {row}", 2, 4.0) for row in range(200))
    logs = np.full(200, -3.0)
    made = Pool(texts, logs, logs + 0.2 * rng.standard_normal(200), rng.random(200), ("p",) * 200, ((1, 2),) * 200)
    return Analysis.of(made, features([{"feature": "contains", "text": word}]), Evaluator())


def overlaid(**more: Any) -> dict[str, Any]:
    others = [("the model", pool(2, 0.3)), ("top_p → min_p → temperature", pool(3, 0.2))]
    return control_view(pool(1, 0.1), Ask(targets=(0.5,), **more), others)


def names(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in made["layout"]["annotations"] if "bgcolor" in one]


@pytest.mark.parametrize("measure", ["tvd", "kl", "js"])
def test_overlaid_lines_are_named_on_the_lines(measure: str) -> None:
    view = overlaid(measure=measure, bands=True)
    made = control_curve.figure(view)
    labels = names(made)
    assert [one["text"] for one in labels] == ["this pool", "the model", "top_p → min_p → tempe…"]
    low, high = made["layout"]["xaxis"]["range"][::-1]
    for one, line in zip(labels, view["lines"], strict=True):
        assert low < one["x"] < high
        rates, figures = np.log10(line["acceptance_rate"])[::-1], np.array(line["divergence"], float)[::-1]
        assert one["y"] == pytest.approx(np.interp(one["x"], rates, figures), rel=0.02, abs=1e-6)
    places = [(one["x"] / (low - high), one["y"] / made["layout"]["yaxis"]["range"][1]) for one in labels]
    apart = [max(abs(a - c) / 0.35, abs(b - d) / 0.09) for (a, b) in places for (c, d) in places if (a, b) != (c, d)]
    assert min(apart) >= 1 or measure != "tvd", "no name lies over another"


def test_one_line_needs_no_name_and_titles_stand_level() -> None:
    made = control_curve.figure(control_view(toy(), Ask(targets=TARGETS)))
    texts = [one["text"] for one in made["layout"]["annotations"]]
    assert texts == ["↑ TVD", "mean of contains “b” ↑", "acceptance rate, log →", "nothing is clipped"]
    assert not any(made["layout"][name]["title"]["text"] for name in ("xaxis", "yaxis", "yaxis2"))
    assert made["layout"]["shapes"][0]["x0"] == pytest.approx(made["data"][-1]["x"][0]), "β is the largest ratio"


def test_a_feature_of_a_stranger_is_text_and_short() -> None:
    view = control_view(pool(1, 0.2, HOSTILE), Ask(targets=(0.5,)), [("<i>x</i>", pool(2, 0.2, HOSTILE))])
    said = str(control_curve.figure(view))
    assert "<b" not in said and "<i>" not in said and "mean of contains “&lt;b oncli" in said


def test_ticks_stay_apart_over_many_decades() -> None:
    view = overlaid()
    for line in view["lines"]:
        line["acceptance_rate"] = [rate**4 for rate in line["acceptance_rate"]]
    ticks = control_curve.figure(view)["layout"]["xaxis"]["tickvals"]
    assert 2 <= len(ticks) <= control_curve.MOST_TICKS and {1, 0.1} <= set(ticks)
