"""The curves of a tuning: distances, the target's mass, and shares, each against the gradient steps taken.

Knows nothing about models or training: it reads TuningViews.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from playground.charts.base import CUT, ENTROPY, FINAL, INK, NEGATIVE, PROMPT, SURPRISAL, axis, escaped, layout
from playground.studies.tuning_views import PointView, TuningView

HEIGHT = 190
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "font": {"size": 10}}
MARGIN = {"l": 46, "r": 12, "t": 40, "b": 36, "autoexpand": False}
FEATURE_COLOURS = (FINAL, ENTROPY, PROMPT, SURPRISAL)
MAX_FEATURES = 4


def figures(view: TuningView) -> dict[str, dict[str, Any]]:
    """Four, by name."""
    return {"distance": distance(view), "mass": mass(view), "shares": shares(view), "moments": moments(view)}


def distance(view: TuningView) -> dict[str, Any]:
    """KL to the target, which should fall to 0, and from the base, which should stop at its floor; nats."""
    points, floor = view["points"], view["facts"]["kl_floor"]
    lines = [
        _line(points, "kl_held_out", "to the target, held-out texts", FINAL, "nats"),
        _line(points, "kl_target", "to the target, own texts", FINAL, "nats", "dot"),
        _line(points, "kl_base", "from the model", PROMPT, "nats"),
        _level(points, floor, "an exact policy's distance from the model", PROMPT),
    ]
    tops = [point[name] or 0.0 for point in points for name in ("kl_held_out", "kl_target", "kl_base")]
    return _figure(lines, points, "KL, nats", [0, _top([*tops, floor or 0.0, 1.0])])


def mass(view: TuningView) -> dict[str, Any]:
    """Z by the policy's own texts, with its error, beside the pool's: a collapse says what was lost."""
    points, pool = view["points"], view["facts"]["pool_z"]
    line = _line(points, "z", "Z by the policy's texts", NEGATIVE, "")
    line["error_y"] = {
        "type": "data",
        "array": [point["z_error"] or 0.0 for point in points],
        "color": NEGATIVE,
        "thickness": 1,
        "width": 2,
    }
    tops = [(point["z"] or 0.0) + (point["z_error"] or 0.0) for point in points]
    return _figure([line, _level(points, pool, "Z by the pool", INK)], points, "Z", [0, _top([*tops, pool or 0.0])])


def shares(view: TuningView) -> dict[str, Any]:
    """Between 0 and 1: hits, features, effective sample size, total variation, different pairs of tokens."""
    points, facts = view["points"], view["facts"]
    lines = [
        _line(points, "rate", "hits", FINAL, ""),
        _level(points, facts["target_rate"], "hits of the target", FINAL),
        _line(points, "ess_fraction", "effective sample size / texts", ENTROPY, ""),
        _line(points, "tvd", "total variation", CUT, ""),
        _line(points, "distinct_2", "different token pairs", SURPRISAL, "", "dot"),
    ]
    return _figure(lines, points, "share", [0, 1.02])


def moments(view: TuningView) -> dict[str, Any]:
    """Each feature's mean over the policy's texts, and the target's as a level; the first few features."""
    points, facts = view["points"], view["facts"]
    lines, tops = [], [1.0]
    for place, name in enumerate(facts["features"][:MAX_FEATURES]):
        values = [point["moments"][place] for point in points]
        colour = FEATURE_COLOURS[place]
        target = facts["target_moments"][place]
        lines += [_trace(points, values, escaped(name), colour, ""), _level(points, target, "its target", colour)]
        tops += [value for value in [*values, target] if value is not None]
    return _figure(lines, points, "mean", [0, _top(tops)])


def _line(points: Sequence[PointView], name: str, words: str, colour: str, unit: str, dash: str = "solid") -> Any:
    values = [point[name] for point in points]  # type: ignore[literal-required]
    return _trace(points, values, words, colour, unit, dash)


def _trace(
    points: Sequence[PointView], values: list[Any], words: str, colour: str, unit: str, dash: str = "solid"
) -> Any:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [point["step"] for point in points],
        "y": values,
        "name": words,
        "line": {"color": colour, "width": 1.8, "dash": dash},
        "marker": {"size": 5, "color": colour},
        "hovertemplate": f"step %{{x}}: %{{y:.3g}} {unit}<extra>{words}</extra>",
    }


def _level(points: Sequence[PointView], value: float | None, words: str, colour: str) -> dict[str, Any]:
    """A dashed line across."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _range(points),
        "y": [value, value],
        "name": words,
        "line": {"color": colour, "width": 1.2, "dash": "dash"},
        "hovertemplate": f"%{{y:.3g}}<extra>{words}</extra>",
    }


def _range(points: Sequence[PointView]) -> list[float]:
    """Steps, in tens, so that the axis seldom moves."""
    last = max([point["step"] for point in points], default=0)
    return [-0.3, 10 * math.ceil(max(last, 1) / 10) + 0.3]


def _top(values: Sequence[float]) -> float:
    """A round number above all of them, so that the axis seldom moves."""
    most = max([*values, 1e-9])
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1.2, 2, 3, 5, 8, 12) if step * size >= most)


def _figure(data: list[Any], points: Sequence[PointView], title: str, y_range: list[float]) -> dict[str, Any]:
    return {
        "data": data,
        "layout": layout(
            axis("gradient steps", range=_range(points), showgrid=False),
            axis(title, range=y_range, nticks=5),
            HEIGHT,
            showlegend=True,
            legend=LEGEND,
            margin=MARGIN,
        ),
    }
