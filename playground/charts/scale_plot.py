"""The scale plot: p(token) against the guidance scale, with the present scale and the neutral 1 marked.

Knows nothing about guidance: it reads a ScaleView.
"""

from __future__ import annotations

from typing import Any

from playground.charts.base import GRID, NEGATIVE, axis, escaped, layout
from playground.studies.scale import ScaleView

# Okabe and Ito's palette, told apart by colour-blind readers; lines are labelled at their highest point as well.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C00", "#7570B3", "#666666", "#A6761D")
DASHES = ("solid", "dash", "dot", "dashdot")


def figure(view: ScaleView) -> dict[str, Any]:
    """One line a token over scales -1..7, probability on a linear axis."""
    curves, notes = [], []
    for number, curve in enumerate(view["curves"]):
        text, colour = escaped(curve["text"]), PALETTE[number % len(PALETTE)]
        curves.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": view["scales"],
                "y": curve["p"],
                "name": text,
                "line": {"color": colour, "width": 1.8, "dash": DASHES[number % len(DASHES)]},
                "hovertemplate": f"{text}: p %{{y:.3g}} at scale %{{x:.2f}}<extra></extra>",
            }
        )
        peak = max(range(len(curve["p"])), key=curve["p"].__getitem__)
        notes.append(
            {
                "x": view["scales"][peak],
                "y": curve["p"][peak],
                "text": text,
                "showarrow": False,
                "xanchor": "right" if peak > len(curve["p"]) - 6 else "left" if peak < 5 else "center",
                "yanchor": "bottom",
                "font": {"size": 10, "color": colour},
            }
        )
    lines = [
        {
            "type": "line",
            "x0": at,
            "x1": at,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": colour, "width": 1.4, "dash": dash},
        }
        for at, colour, dash in ((1.0, GRID, "solid"), (view["scale"], NEGATIVE, "dot"))
    ]
    top = max((max(curve["p"]) for curve in view["curves"]), default=1.0)
    return {
        "data": curves,
        "layout": layout(
            axis("guidance scale (1 = off)", range=[view["scales"][0], view["scales"][-1]]),
            axis("probability", range=[0, min(1.05, top * 1.15)]),
            300,
            shapes=lines,
            annotations=notes,
        ),
    }
