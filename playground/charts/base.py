"""What every plotly figure here shares: fixed ranges, no template, colours by name for the page to resolve.

Knows nothing about views. Figures are plain dicts, drawn by ``Plotly.react``; plotly itself is needed for export only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROMPT, NEGATIVE, FINAL, CUT, ENTROPY, SURPRISAL, INK, GRID, MUTED, HAIR, SURFACE = (
    "var(--pg-model)",
    "var(--pg-negative)",
    "var(--pg-final)",
    "var(--pg-cut)",
    "var(--pg-entropy)",
    "var(--pg-surprisal)",
    "var(--pg-ink)",
    "var(--pg-line)",
    "var(--pg-muted)",
    "var(--pg-hair)",
    "var(--pg-surface)",
)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """A quiet axis; ranges are always fixed by the caller, so that nothing jumps while a knob moves."""
    return {
        "title": {"text": title, "font": {"size": 11}},
        "gridcolor": GRID,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 10},
        "color": INK,
        **more,
    }


def quiet_axis(**more: Any) -> dict[str, Any]:
    """An axis without a title of its own: words stand level beside the chart, where a narrow screen can show them."""
    return axis("", **{"tickfont": {"size": 11}, "color": MUTED, "gridcolor": HAIR, **more})


def words(text: str, **place: Any) -> dict[str, Any]:
    """Plain words somewhere on a chart."""
    return {"text": escaped(text), "showarrow": False, "font": {"size": 11, "color": MUTED}, **place}


def below(text: str) -> dict[str, Any]:
    """What the axis below is, level at its right end; it wants a margin of 40."""
    return words(text, xref="paper", x=1, xanchor="right", yref="paper", y=0, yanchor="top", yshift=-20)


def layout(x: dict[str, Any], y: dict[str, Any], height: int, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 46, "r": 12, "t": 10, "b": 36, "autoexpand": False},
        "xaxis": x,
        "yaxis": y,
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "uirevision": "kept",
        "font": {"color": INK},
        **more,
    }


def escaped(text: str) -> str:
    """Token text for a plotly label: its own small tag language must not read it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def library_path() -> Path:
    """The plotly.js that the plotly package carries, served by ourselves."""
    from importlib.util import find_spec

    spec = find_spec("plotly")
    assert spec is not None and spec.origin is not None, "plotly is in requirements.txt"
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"
