"""The timeline: entropy as a line and surprisal as bars along the generated text.

Knows nothing about engines: it reads TokenViews.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.charts.base import ENTROPY, SURPRISAL, axis, escaped, layout
from playground.studies.views import TokenView


def figure(tokens: Sequence[TokenView]) -> dict[str, Any]:
    """Bits at each step, both of them; the y axis grows in steps of four bits so that it seldom moves."""
    steps = [token["index"] for token in tokens]
    entropy = [token["entropy_bits"] or 0.0 for token in tokens]
    surprisal = [token["surprisal_bits"] or 0.0 for token in tokens]
    top = 4 * (1 + int(max([3.0, *entropy, *surprisal]) // 4))
    labels = [escaped(token["label"]) for token in tokens]
    return {
        "data": [
            {
                "type": "bar",
                "x": steps,
                "y": surprisal,
                "marker": {"color": SURPRISAL},
                "name": "surprisal",
                "text": labels,
                "textposition": "none",
                "hovertemplate": "%{text}: surprisal %{y:.1f} bits<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "x": steps,
                "y": entropy,
                "line": {"color": ENTROPY, "width": 1.6},
                "name": "entropy",
                "text": labels,
                "hovertemplate": "%{text}: entropy %{y:.1f} bits<extra></extra>",
            },
        ],
        "layout": layout(
            axis("step", range=[-0.6, max(23.5, len(tokens) - 0.4)], showgrid=False),
            axis("bits", range=[0, top], nticks=4),
            130,
            bargap=0.25,
        ),
    }
