"""The curves of a tuning: distances, the target's mass, and shares, each against the gradient steps taken.

Knows nothing about models or training: it reads TuningViews.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from playground.charts import base
from playground.charts.base import below, escaped, layout, quiet_axis
from playground.studies.tuning_views import PointView, TuningView

HEIGHT = 190
MARGIN = {"l": 40, "r": 12, "t": 8, "b": 40, "autoexpand": False}
SPANS = (2, 4, 6, 10)
"""Steps that an axis holds while there are few; then tens."""
FEATURE_COLOURS = (base.FINAL, base.ENTROPY, base.PROMPT, base.SURPRISAL)
MAX_FEATURES = 4


def figures(view: TuningView) -> dict[str, dict[str, Any]]:
    """Four, by name."""
    return {"distance": distance(view), "mass": mass(view), "shares": shares(view), "moments": moments(view)}


def distance(view: TuningView) -> dict[str, Any]:
    """KL to the target, which should fall to 0, and from the base, which should stop at its floor; nats."""
    points, floor = view["points"], view["facts"]["kl_floor"]
    lines = [
        _line(points, "kl_held_out", "to the target, held-out texts", base.FINAL, "nats"),
        _line(points, "kl_target", "to the target, own texts", base.FINAL, "nats", "dot"),
        _line(points, "kl_base", "from the model", base.PROMPT, "nats"),
        _level(points, floor, "an exact policy's distance from the model", base.PROMPT),
    ]
    tops = [point[name] or 0.0 for point in points for name in ("kl_held_out", "kl_target", "kl_base")]
    return _figure(lines, points, [0, _top([*tops, floor or 0.0, 1.0])])


def mass(view: TuningView) -> dict[str, Any]:
    """Z by the policy's own texts, with its error, beside the pool's: a collapse says what was lost."""
    points, pool = view["points"], view["facts"]["pool_z"]
    line = _line(points, "z", "Z by the policy's texts", base.NEGATIVE, "")
    line["error_y"] = {
        "type": "data",
        "array": [point["z_error"] or 0.0 for point in points],
        "color": base.NEGATIVE,
        "thickness": 1,
        "width": 2,
    }
    tops = [(point["z"] or 0.0) + (point["z_error"] or 0.0) for point in points]
    return _figure([line, _level(points, pool, "Z by the pool", base.INK)], points, [0, _top([*tops, pool or 0.0])])


def shares(view: TuningView) -> dict[str, Any]:
    """Between 0 and 1: hits, features, effective sample size, total variation, different pairs of tokens."""
    points, facts = view["points"], view["facts"]
    lines = [
        _line(points, "rate", "hits", base.FINAL, ""),
        _level(points, facts["target_rate"], "hits of the target", base.FINAL),
        _line(points, "ess_fraction", "effective sample size / texts", base.ENTROPY, ""),
        _line(points, "tvd", "total variation", base.CUT, ""),
        _line(points, "distinct_2", "different token pairs", base.SURPRISAL, "", "dot"),
    ]
    return _figure(lines, points, [0, 1.02])


def moments(view: TuningView) -> dict[str, Any]:
    """Each feature's mean over the policy's texts, and the target's as a level; the first few features."""
    points, facts = view["points"], view["facts"]
    lines, tops = [], [1.0]
    for place, name in enumerate(facts["features"][:MAX_FEATURES]):
        values = [point["moments"][place] for point in points]
        colour = FEATURE_COLOURS[place]
        target = facts["target_moments"][place]
        lines += [_trace(points, values, name, colour, ""), _level(points, target, "its target", colour)]
        tops += [value for value in [*values, target] if value is not None]
    return _figure(lines, points, [0, _top(tops)])


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
        "name": escaped(words),
        "meta": words,
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"size": 5, "color": colour},
        "hovertemplate": f"step %{{x}}: %{{y:.3g}} {unit}<extra>{escaped(words)}</extra>",
    }


def _level(points: Sequence[PointView], value: float | None, words: str, colour: str) -> dict[str, Any]:
    """A dashed line across."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _range(points),
        "y": [value, value],
        "name": escaped(words),
        "meta": words,
        "line": {"color": colour, "width": 1.3, "dash": "dash"},
        "hovertemplate": f"%{{y:.3g}}<extra>{words}</extra>",
    }


def _range(points: Sequence[PointView]) -> list[float]:
    """Steps, by a few sizes and then in tens, so that the axis seldom moves."""
    last = max([point["step"] for point in points], default=0)
    end = next((size for size in SPANS if last <= size), 10 * math.ceil(last / 10))
    return [-0.03 * end, 1.03 * end]


def _top(values: Sequence[float]) -> float:
    """A round number above all of them, so that the axis seldom moves."""
    most = max([*values, 1e-9])
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1.2, 2, 3, 5, 8, 12) if step * size >= most)


def _figure(data: list[Any], points: Sequence[PointView], y_range: list[float]) -> dict[str, Any]:
    """What its lines and its height are, the page says above it."""
    steps = _range(points)
    every = max(1, round(steps[1] / 5))
    x = quiet_axis(range=steps, showgrid=False, tick0=0, dtick=every, ticks="outside", tickcolor=base.GRID)
    made = layout(x, quiet_axis(range=y_range, nticks=5), HEIGHT, margin=MARGIN)
    return {"data": data, "layout": made | {"font": {"color": base.MUTED}, "annotations": [below("gradient steps →")]}}
