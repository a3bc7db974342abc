"""The trade of quasi-rejection sampling: acceptance rate to the right ever smaller, divergence from the target falling.

Knows nothing about pools or targets: it reads what ``control_view`` made. Lines are named where they run, and
explained under the chart by the page.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from playground.charts.base import (
    FINAL,
    GRID,
    HAIR,
    INK,
    MUTED,
    NEGATIVE,
    PROMPT,
    SURFACE,
    below,
    escaped,
    layout,
    quiet_axis,
    words,
)

NAMES = {"tvd": "TVD", "kl": "KL, nats", "js": "JS, nats"}
COLOURS = (FINAL, PROMPT, NEGATIVE, "#E69F00", "#CC79A7", "#56B4E9")
TINTS = ("var(--pg-final-tint)", "var(--pg-model-tint)", "rgba(210,122,31,.13)", "rgba(230,159,0,.13)",
         "rgba(204,121,167,.13)", "rgba(86,180,233,.13)")  # fmt: skip
DASHES = ("solid", "dash", "dashdot", "longdash", "dot", "solid")
TICKS = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5, 1e-6]
MOST_TICKS, LABEL_CHARS = 6, 22
PLACES = [0.14 + 0.08 * step for step in range(10)]
"""Where along the axis a line's name may stand."""
HEIGHT = 300
LEAST_TOP = 0.05
"""Where nothing is clipped at any β, the axis still shows what would be little."""
LABEL_WIDTH, LABEL_HEIGHT = 0.35, 0.09
"""What a name takes up at most, as shares of the narrowest chart."""

Points = list[tuple[float, float]]


def figure(view: dict[str, Any]) -> dict[str, Any]:
    """A line a proposal with its band, the first feature's mean dotted on the right axis, β and the largest ratio."""
    lines, beta, gauge, is_tvd = view["lines"], view["beta"], view["gauges"][0], view["measure"] == "tvd"
    lowest = min(_smallest(line["acceptance_rate"]) for line in lines)
    shown = [value for line in lines for value in [*line["divergence"], *line["high"][:-1]] if value is not None]
    top = 1.1 * max([*shown, *(line["floor"] for line in lines if is_tvd), LEAST_TOP])
    traces = [trace for number, line in enumerate(lines) for trace in _band(line, TINTS[number % len(TINTS)])]
    for number, line in enumerate(lines):
        traces += _line(line, COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)], is_tvd)
    traces += [_moment(lines[0], gauge), _here(beta)]
    x_range = [0.02, _log10(lowest) - 0.05]
    seen = lines[0]["acceptance_rate"][min(lines[0]["largest"], len(lines[0]["acceptance_rate"]) - 1)]
    made = layout(_x_axis(x_range, lowest), quiet_axis(range=[-0.03 * top, top], nticks=5), HEIGHT)
    made |= {
        "yaxis2": _right_axis(gauge),
        "font": {"color": MUTED},
        "margin": {"l": 40, "r": 44, "t": 30, "b": 40, "autoexpand": False},
        "shapes": _beyond(seen, x_range[1]),
        "annotations": [*_titles(view["measure"], gauge), _seen(seen, x_range, view["enumerated"])],
    }
    if len(lines) > 1:
        made["annotations"] += _names(lines, x_range, top)
    return {"data": traces, "layout": made}


def _x_axis(x_range: list[float], lowest: float) -> dict[str, Any]:
    ticks = [tick for tick in TICKS if tick >= 0.9 * lowest]
    if len(ticks) > MOST_TICKS:
        ticks = [tick for tick in ticks if math.isclose(math.log10(tick) % 1, 0, abs_tol=1e-9)]
    named = [f"{100 * tick:g}\u00a0%" for tick in ticks]
    return quiet_axis(type="log", autorange=False, range=x_range, showgrid=False, tickvals=ticks, ticktext=named,
                  ticks="outside", ticklen=4, tickcolor=GRID)  # fmt: skip


def _right_axis(gauge: dict[str, Any]) -> dict[str, Any]:
    scale = _padded(gauge["low"], gauge["high"])
    right = quiet_axis(overlaying="y", side="right", showgrid=False, range=scale, nticks=5)
    if gauge["yes_no"]:
        shares = [0, 0.25, 0.5, 0.75, 1]
        right |= {"tickvals": shares, "ticktext": [f"{100 * share:g}\u00a0%" for share in shares]}
    return right


def _titles(measure: str, gauge: dict[str, Any]) -> list[dict[str, Any]]:
    """The three axes' titles, level: two above the chart, one below."""
    above = {"yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 6}
    return [
        words(f"↑ {NAMES[measure]}", xref="paper", x=0, xanchor="left", xshift=-36, **above),
        words(f"mean of {_short(gauge['label'])} ↑", xref="paper", x=1, xanchor="right", xshift=40, **above),
        below("acceptance rate, log →"),
    ]


def _beyond(seen: float, end: float) -> list[dict[str, Any]]:
    """The largest ratio of the pool as a dotted line, and what lies past it, about which the pool knows nothing."""
    box = {"yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    return [
        {"type": "rect", "x0": seen, "x1": 10**end, "fillcolor": HAIR, "opacity": 0.55, "line": {"width": 0}, **box},
        {"type": "line", "x0": seen, "x1": seen, "line": {"color": MUTED, "width": 1.2, "dash": "dot"}, **box},
    ]


def _seen(seen: float, x_range: list[float], enumerated: bool) -> dict[str, Any]:
    """Its words, on the side where there is room."""
    at = _log10(seen)
    on_left = (x_range[0] - at) / (x_range[0] - x_range[1]) > 0.5
    said = "nothing is clipped" if enumerated else "largest ratio seen"
    side = {"xanchor": "right", "xshift": -4} if on_left else {"xanchor": "left", "xshift": 4}
    return words(said, x=at, xref="x", yref="paper", y=1, yanchor="top", **side)


def _band(line: dict[str, Any], tint: str) -> list[dict[str, Any]]:
    """Between which values 95 % of resampled pools lie."""
    if not line["low"]:
        return []
    edge = {"type": "scatter", "mode": "lines", "x": line["acceptance_rate"], "line": {"width": 0}, "hoverinfo": "skip"}
    return [{**edge, "y": line["low"]}, {**edge, "y": line["high"], "fill": "tonexty", "fillcolor": tint}]


def _line(line: dict[str, Any], colour: str, dash: str, is_tvd: bool) -> list[dict[str, Any]]:
    """A proposal's divergence; thin the share of target or model that it can never write."""
    x, label, traces = line["acceptance_rate"], escaped(line["label"]), []
    if line["floor"] > 0.005 and is_tvd:
        floor = {"color": colour, "width": 1, "dash": "dot"}
        hover = f"{label} can never write this share of the {line['floor_of']}: %{{y:.0%}}<extra></extra>"
        traces.append(_trace([x[0], x[-1]], [line["floor"]] * 2, floor, hover))
    shape = {"color": colour, "width": 2.2, "dash": dash}
    hover = f"{label} %{{x:.3p}} accepted, divergence %{{y:.3g}}<extra></extra>"
    return [*traces, _trace(x, line["divergence"], shape, hover) | {"name": label}]


def _moment(line: dict[str, Any], gauge: dict[str, Any]) -> dict[str, Any]:
    hover = f"{escaped(gauge['label'])}: mean %{{y:.3g}} where %{{x:.3p}} are accepted<extra></extra>"
    shape = {"color": INK, "width": 1.3, "dash": "dot"}
    return _trace(line["acceptance_rate"], line["moments"][0], shape, hover) | {"yaxis": "y2"}


def _here(beta: dict[str, Any]) -> dict[str, Any]:
    """Where the chosen β stands."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [beta["acceptance_rate"]],
        "y": [beta["divergence"]],
        "marker": {"size": 12, "color": FINAL, "line": {"color": SURFACE, "width": 2}},
        "cliponaxis": False,
        "hovertemplate": "this β: %{x:.3p} accepted, divergence %{y:.3g}<extra></extra>",
    }


def _names(lines: list[dict[str, Any]], x_range: list[float], top: float) -> list[dict[str, Any]]:
    """Each line's name on the line itself, where the other lines and names are farthest."""
    start, width = x_range[0], x_range[0] - x_range[1]
    points = [_points(line, start, width, top) for line in lines]
    placed: Points = []
    names = []
    for number, line in enumerate(lines):
        best = max(PLACES, key=lambda place: _room(place, number, points, placed))
        height = _height(points[number], best)
        if height is None:
            continue
        placed.append((best, height))
        names.append(words(_short(line["label"]), x=start - best * width, xref="x", y=height * top, yref="y",
                           bgcolor=SURFACE, borderpad=2, font={"size": 11, "color": INK}))  # fmt: skip
    return names


def _room(place: float, number: int, points: list[Points], placed: Points) -> float:
    """How far all else is from a name at this place, as a share of the chart's height; below 0 where it cannot be."""
    height = _height(points[number], place)
    if height is None or not 0.04 <= height <= 0.96:
        return -1.0
    if any(abs(x - place) < LABEL_WIDTH and abs(y - height) < LABEL_HEIGHT for x, y in placed):
        return -0.5
    others = [_height(one, place) for at, one in enumerate(points) if at != number]
    return min([abs(other - height) for other in others if other is not None] or [1.0])


def _points(line: dict[str, Any], start: float, width: float, top: float) -> Points:
    """The line as shares of the chart's width and height, left to right."""
    pairs = zip(line["acceptance_rate"], line["divergence"], strict=True)
    return sorted(((start - _log10(rate)) / width, value / top) for rate, value in pairs if value is not None)


def _height(points: Points, place: float) -> float | None:
    """Of the line there; None where it does not reach."""
    after = bisect_left(points, (place, -math.inf))
    if after == 0 or after == len(points):
        return None
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * (place - x0) / (x1 - x0) if x1 > x0 else y0


def _trace(x: list[float], y: list[Any], line: dict[str, Any], hover: str) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "hovertemplate": hover}


def _short(label: str) -> str:
    return label if len(label) <= LABEL_CHARS else f"{label[: LABEL_CHARS - 1]}…"


def _smallest(rates: list[float]) -> float:
    return min([rate for rate in rates if rate > 0] or [1.0])


def _padded(low: float, high: float) -> list[float]:
    room = 0.04 * ((high - low) or 1.0)
    return [low - room, high + room]


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-12))
