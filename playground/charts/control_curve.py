"""The trade of quasi-rejection sampling: acceptance rate to the right ever smaller, divergence from the target falling.

Knows nothing about pools or targets: it reads what ``control_view`` made.
"""

from __future__ import annotations

import math
from typing import Any

from playground.charts.base import CUT, FINAL, GRID, INK, NEGATIVE, PROMPT, axis, escaped, layout

NAMES = {"tvd": "TVD (0 to 1)", "kl": "KL, nats", "js": "JS, nats"}
COLOURS = (FINAL, PROMPT, NEGATIVE, "#E69F00", "#CC79A7", "#56B4E9")
TICKS = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5, 1e-6]
DASHES = ("solid", "dash", "dashdot", "longdash", "dot", "solid")


def figure(view: dict[str, Any]) -> dict[str, Any]:
    """A line a proposal with its band, the first feature's mean dotted on the right axis, β and the largest ratio."""
    lines, beta, gauge = view["lines"], view["beta"], view["gauges"][0]
    lowest = min(_smallest(line["acceptance_rate"]) for line in lines)
    shown = [value for line in lines for value in [*line["divergence"], *line["high"][:-1]] if value is not None]
    top = max([*shown, *(line["floor"] for line in lines if view["measure"] == "tvd")] or [1.0])
    traces: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        traces += _line(line, COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)], view["measure"] == "tvd")
    traces.append(_moment(lines[0], gauge))
    here = {"type": "scatter", "mode": "markers", "x": [beta["acceptance_rate"]], "y": [beta["divergence"]],
            "marker": {"size": 11, "color": FINAL, "line": {"color": INK, "width": 1.5}},
            "hovertemplate": "β here: acceptance rate %{x:.3g}, divergence %{y:.3g}<extra></extra>"}
    traces.append(here)
    seen = lines[0]["acceptance_rate"][min(lines[0]["largest"], len(lines[0]["acceptance_rate"]) - 1)]
    words = "nothing is clipped" if view["enumerated"] else "largest ratio seen"
    right = axis(escaped(f"mean: {gauge['label']}"), overlaying="y", side="right", showgrid=False,
                 range=_padded(gauge["low"], gauge["high"]))
    if gauge["yes_no"]:
        right |= {"tickvals": [0, 0.25, 0.5, 0.75, 1], "tickformat": ".0%"}
    made = layout(
        axis("acceptance rate (log)", type="log", autorange=False, range=[0.02, _log10(lowest) - 0.05],
             tickvals=TICKS, ticktext=[f"{100 * tick:g} %" for tick in TICKS]),
        axis(NAMES[view["measure"]], range=[-0.03 * top, 1.1 * max(top, 1e-6)]),
        300,
        yaxis2=right,
        shapes=[{"type": "line", "x0": seen, "x1": seen, "yref": "paper", "y0": 0, "y1": 1,
                 "line": {"color": CUT, "width": 1.4, "dash": "dot"}}],
        annotations=[{"x": _log10(seen), "xref": "x", "yref": "paper", "y": 1, "yanchor": "top", "text": words,
                      "showarrow": False, "xanchor": "right", "font": {"size": 10, "color": CUT}}],
    )
    made["margin"] = {"l": 46, "r": 46, "t": 10, "b": 36, "autoexpand": False}
    return {"data": traces, "layout": made}


def _line(line: dict[str, Any], colour: str, dash: str, is_tvd: bool) -> list[dict[str, Any]]:
    """A proposal's divergence, its band behind it; dotted the share of the model that it can never write."""
    x, traces = line["acceptance_rate"], []
    if line["low"]:
        edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0}, "hoverinfo": "skip"}
        traces.append({**edge, "y": line["low"]})
        traces.append({**edge, "y": line["high"], "fill": "tonexty", "fillcolor": GRID, "opacity": 0.5})
    label = escaped(line["label"])
    if line["floor"] > 0.005 and is_tvd:
        traces.append({"type": "scatter", "mode": "lines", "x": [x[0], x[-1]], "y": [line["floor"]] * 2,
                       "line": {"color": colour, "width": 1, "dash": "dot"},
                       "hovertemplate": f"{label} can never write this share of the model: %{{y:.0%}}<extra></extra>"})
    traces.append({
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": line["divergence"],
        "name": label,
        "line": {"color": colour, "width": 2, "dash": dash},
        "hovertemplate": f"{label} acceptance rate %{{x:.3g}}, divergence %{{y:.3g}}<extra></extra>",
    })
    return traces


def _moment(line: dict[str, Any], gauge: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": line["acceptance_rate"],
        "y": line["moments"][0],
        "yaxis": "y2",
        "line": {"color": INK, "width": 1.2, "dash": "dot"},
        "hovertemplate": f"{escaped(gauge['label'])}: mean %{{y:.3g}} at acceptance rate %{{x:.3g}}<extra></extra>",
    }


def _smallest(rates: list[float]) -> float:
    return min([rate for rate in rates if rate > 0] or [1.0])


def _padded(low: float, high: float) -> list[float]:
    room = 0.04 * ((high - low) or 1.0)
    return [low - room, high + room]


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-12))
