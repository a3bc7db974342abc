"""Every figure is one that plotly itself accepts, on fixed ranges, without a template, and it shows the numbers."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
import torch

from playground.charts import rank_plot, scale_plot, timeline, tuning_curves
from playground.charts.base import escaped, library_path
from playground.models.toy import ToyVocabulary
from playground.sampling import Recipe
from playground.studies.pipeline import pipeline_view
from playground.studies.rows import Knobs, StepRows
from playground.studies.scale import scale_view
from playground.studies.strip import Strip
from playground.studies.views import TokenView
from tests.charts.tuning_made import tuning_view
from tests.studies.branches import beside

VOCABULARY = ToyVocabulary()
PROMPT, NEGATIVE = 3 * torch.randn(2, VOCABULARY.size, generator=torch.Generator().manual_seed(4))
ROWS = StepRows("key", PROMPT, beside(NEGATIVE), torch.tensor([65]), 1, 0, "A")
HOSTILE = "<img src=x onerror=alert(1)><b>&amp;%{x}"
CUTS = [
    {"id": "temperature", "temperature": 1.5},
    {"id": "top_k", "top_k": 100},
    {"id": "top_p", "top_p": 0.9},
    {"id": "typical_p", "typical_p": 0.9},
    {"id": "min_p", "min_p": 0.05},
]


def token(index: int, label: str = "a", surprisal: float | None = 3.0, entropy: float | None = 2.0) -> TokenView:
    return TokenView(
        index=index,
        token_id=1,
        text=label,
        label=label,
        prompt=False,
        special=False,
        key="",
        surprisal_bits=surprisal,
        entropy_bits=entropy,
        p_raw=0.1,
        p_final=0.2,
    )


def ranks(scale: float = 1.0, strip: list[Any] | None = None) -> dict[str, Any]:
    knobs = Knobs(Strip.from_json(CUTS if strip is None else strip), Recipe(scale=scale))
    view = pipeline_view(ROWS, knobs, VOCABULARY)
    return rank_plot.figure(view)


FIGURES = {
    "ranks": ranks(),
    "ranks under guidance": ranks(2.0),
    "ranks without stages": ranks(1.0, []),
    "scale": scale_plot.figure(scale_view(ROWS, Recipe(scale=1.5), VOCABULARY)),
    "timeline": timeline.figure([token(n, surprisal=n / 3) for n in range(40)]),
    "empty timeline": timeline.figure([]),
    "timeline of hostile tokens": timeline.figure([token(0, HOSTILE), token(1, "\0\u202e", None, None)]),
}


FIGURES |= {f"tuning, {name}": figure for name, figure in tuning_curves.figures(tuning_view(HOSTILE)).items()}
FIGURES |= {f"tuning at the start, {name}": one for name, one in tuning_curves.figures(tuning_view("a", 0)).items()}


@pytest.fixture(params=FIGURES.values(), ids=FIGURES.keys())
def figure(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def resolved(figure: dict[str, Any]) -> dict[str, Any]:
    """With the page's colours by name replaced by one that plotly knows, as the page does."""
    return json.loads(re.sub(r"var\(--[\w-]+\)", "#123456", json.dumps(figure, allow_nan=False)))


def test_plotly_accepts_it(figure: dict[str, Any]) -> None:
    go.Figure(resolved(figure))
    wrong = resolved(figure)
    wrong["layout"]["no such setting"] = 1
    with pytest.raises(ValueError):
        go.Figure(wrong)


def test_colours_by_name_exist_in_the_style_sheet(figure: dict[str, Any]) -> None:
    css = "".join(path.read_text() for path in (Path(__file__).parents[2] / "assets" / "css").glob("*.css"))
    for name in set(re.findall(r"var\((--[\w-]+)\)", json.dumps(figure))):
        assert f"{name}:" in css, name


def test_ranges_are_fixed_and_there_is_no_template(figure: dict[str, Any]) -> None:
    layout = figure["layout"]
    assert "template" not in layout and layout["margin"]["autoexpand"] is False and layout["uirevision"]
    for axis in ("xaxis", "yaxis"):
        low, high = layout[axis]["range"]
        assert low < high and layout[axis]["fixedrange"] is True and "autorange" not in layout[axis]


def test_ranges_hold_what_is_drawn(figure: dict[str, Any]) -> None:
    for axis, name in (("xaxis", "x"), ("yaxis", "y")):
        settings = figure["layout"][axis]
        low, high = settings["range"]
        for curve in figure["data"]:
            for value in curve[name]:
                if value is None:
                    continue
                shown = math.log10(value) if settings.get("type") == "log" and value > 0 else value
                assert shown <= high + 1e-9
                assert shown >= low or (settings.get("type") == "log" and name == "y"), "only a tail may leave below"


def test_a_drag_moves_no_axis() -> None:
    layouts = [ranks(scale, [{"id": "min_p", "min_p": value}])["layout"] for scale, value in ((1, 0.5), (3, 0.001))]
    for axis in ("xaxis", "yaxis"):
        assert layouts[0][axis] == layouts[1][axis]


def test_every_stage_that_cuts_has_its_line() -> None:
    figure = ranks()
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    assert len(figure["layout"]["shapes"]) == len(titles) == 4
    assert not any("Temperature" in title for title in titles)


def test_token_text_is_never_read_as_plotlys_own_tags() -> None:
    assert escaped(HOSTILE) == "&lt;img src=x onerror=alert(1)&gt;&lt;b&gt;&amp;amp;%{x}"
    told = json.dumps(FIGURES["timeline of hostile tokens"])
    assert "<img" not in told and "&lt;img" in told


def test_the_timeline_says_what_the_tokens_hold() -> None:
    bars, line = FIGURES["timeline"]["data"]
    assert bars["y"] == [n / 3 for n in range(40)] and line["y"] == [2.0] * 40 and bars["x"] == list(range(40))
    assert FIGURES["timeline"]["layout"]["yaxis"]["range"] == [0, 16], "in steps of four bits"


def test_the_scale_plot_marks_the_present_scale_and_the_neutral_one() -> None:
    figure = FIGURES["scale"]
    assert [line["x0"] for line in figure["layout"]["shapes"]] == [1.0, 1.5]
    view = scale_view(ROWS, Recipe(scale=1.5), VOCABULARY)
    assert [curve["y"] for curve in figure["data"]] == [curve["p"] for curve in view["curves"]]


def test_plotly_js_is_our_own_file() -> None:
    assert library_path().stat().st_size > 1e6
