"""The page's sections beside Play: one entry is one tab, one empty host and one script, in the order of the tabs.

To add a section: write ``assets/js/<name>.js`` (dashes in the name stay dashes) and an entry in ``SECTIONS``; nothing
else changes. A tab is there as soon as its script is. The script exports

    export const route = "engines";             // optional: POST /pg/v1/engines
    export function render(node, view, tools)   // draw the route's answer into the section's own node

A route is asked with ``{"key": step, ...knobs}``, as the trace route is, when the section is opened and whenever a
knob or the step changes while it is open: one request in flight, the latest wins; ``{"missing": true}`` is asked
again with ``"refill": true``. A script without a route is called with ``view = null`` at the same moments and asks
what it likes through ``assets/js/api.js``. ``tools`` is what ``assets/js/sections.js`` says: light, knobs, the view
of the step, setting the strip, saying things aloud. ``keeps`` names the parts of Play that stay above the section; a
script may ask for another one while it is of use (``tools.keep``), as Control does for the strip.

Knows nothing about what a section shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

SCRIPTS = Path(__file__).parents[2] / "assets" / "js"
PARTS = ("prompts", "generate", "decoder", "toolbar", "examples", "strip", "sentence", "panels")
"""What Play consists of, top to bottom; ``assets/css/page.css`` hides the parts that a section does not keep."""


@dataclass(frozen=True)
class Section:
    """One tab: the name of its script and of its host (``pg-section-<name>``), its words, what stays of Play."""

    name: str
    title: str
    keeps: tuple[str, ...] = ("toolbar", "strip")

    @property
    def is_there(self) -> bool:
        return self.name == PLAY.name or (SCRIPTS / f"{self.name}.js").is_file()


PLAY = Section("play", "Play", PARTS)
SECTIONS = (
    PLAY,
    Section("engines", "Engines"),
    Section("take-away", "Take away"),
    Section("control", "Control", ("prompts", "toolbar")),
)


def build_sections() -> None:
    """An empty host for every section that is there, into the Gradio context that is open. Play's are its own."""
    for section in SECTIONS:
        if section.is_there and section is not PLAY:
            host = f'<div id="pg-section-{section.name}"></div>'
            gr.HTML(host, js_on_load=None, elem_classes=["pg-host", "pg-section-host"], apply_default_css=False)


def sections_json() -> list[dict[str, Any]]:
    """What the page's script needs to draw the tabs."""
    return [
        {"name": section.name, "title": section.title, "keeps": section.keeps}
        for section in SECTIONS
        if section.is_there
    ]
