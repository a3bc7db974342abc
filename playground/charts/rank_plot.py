"""The rank plot: probability against rank over the whole vocabulary, log-log, with every stage's threshold on it.

Knows nothing about samplers: thresholds arrive as geometry.
"""

from __future__ import annotations

import math
from typing import Any

from playground.charts.base import CUT, FINAL, NEGATIVE, PROMPT, axis, escaped, layout
from playground.studies.views import PipelineView, StageView

LOWEST = -9.0


def figure(view: PipelineView) -> dict[str, Any]:
    """The model, the guided and the final curve; horizontal, vertical and cumulative cuts by stage."""
    ranks = view["ranks"]
    curves = [_curve("model", ranks, view["stages"][0]["before"], PROMPT, 1.6)]
    if view["guidance"] and not view["guidance"]["off"]:
        curves += [_curve(one["name"], ranks, one["curve"], NEGATIVE, 0.9) for one in view["guidance"]["branches"][1:]]
    curves.append(_curve("after the pipeline", ranks, view["stages"][-1]["after"], FINAL, 2.0))
    shapes, notes = [], []
    for stage in view["stages"]:
        line = _threshold(stage)
        if line:
            shapes.append(line)
            notes.append(_note(stage, line))
    top = max(ranks)
    return {
        "data": curves,
        "layout": layout(
            axis("rank in the model's own order", type="log", range=[0, _log10(top)], dtick=1),
            axis("probability", type="log", range=[LOWEST, 0.1], exponentformat="power", dtick=2),
            420,
            shapes=shapes,
            annotations=notes,
        ),
    }


def _curve(name: str, ranks: list[int], log10_p: list[Any], colour: str, width: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": ranks,
        "y": [None if value is None else 10.0**value for value in log10_p],
        "line": {"color": colour, "width": width},
        "hovertemplate": f"{name}: rank %{{x}}, p %{{y:.3g}}<extra></extra>",
    }


def _threshold(stage: StageView) -> dict[str, Any] | None:
    """A stage's cut as a plotly line shape; a cumulative cut stands at the rank it leaves."""
    cut = stage["cut"]
    line = {"type": "line", "line": {"color": CUT, "width": 1.2, "dash": "dot"}, "layer": "above"}
    if not stage["on"] or cut["axis"] == "none" or stage["support"] == stage["support_before"]:
        return None
    if cut["axis"] in {"probability", "band"} and cut["value"]:
        return {**line, "xref": "paper", "x0": 0, "x1": 1, "y0": cut["value"], "y1": cut["value"]}
    return {**line, "yref": "paper", "y0": 0, "y1": 1, "x0": stage["support"] + 0.5, "x1": stage["support"] + 0.5}


def _note(stage: StageView, line: dict[str, Any]) -> dict[str, Any]:
    at: dict[str, Any] = {"text": escaped(stage["title"]), "showarrow": False, "font": {"size": 10, "color": CUT}}
    if line.get("xref") == "paper":
        return {**at, "xref": "paper", "x": 1, "xanchor": "right", "y": _log10(line["y0"]), "yanchor": "bottom"}
    return {**at, "yref": "paper", "y": 1, "yanchor": "top", "x": _log10(line["x0"]), "xanchor": "left"}


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-300))
