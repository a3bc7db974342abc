"""The Play page's Gradio components: prompts, the strip of cards, the text, the distribution; where each thing stands.

Knows nothing about models or rows: the page's scripts draw views into the empty nodes laid out here.
"""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from playground.studies.first_view import PROMPT
from playground.ui.knobs import Card, build_cards, build_guidance_knobs
from playground.ui.sections import build_sections


@dataclass(frozen=True)
class Page:
    """The components that events are wired to, and the cards as built."""

    generate: gr.Button
    stop: gr.Button
    stream: gr.HTML
    request: gr.JSON
    cards: list[Card]


def build_page(max_tokens: int) -> Page:
    """Lay the page out in the Gradio context that is open. ``max_tokens``: the longest generation on offer."""
    _node("pg-top")
    _node("pg-tabs")
    with gr.Row(elem_id="pg-prompts"):
        generate, stop = _prompts(max_tokens)
    _node("pg-decoder")
    _node("pg-toolbar")
    _node("pg-examples")
    with gr.Row(elem_id="pipeline"):
        _guidance_card()
        cards = build_cards()
        _draw_card()
    _node("pg-sentence")
    with gr.Row(elem_id="pg-main"):
        for name in ("pg-text-panel", "pg-distribution-panel", "pg-guidance-panel"):
            _node(name)
    _node("pg-found-panel")
    _node("pg-inspector-panel")
    build_sections()
    stream = gr.HTML(
        {},
        html_template="<span></span>",
        elem_id="pg-stream",
        js_on_load="watch('value', () => window.PG && window.PG.receive(props.value));",
    )
    request = gr.JSON(visible=False)
    return Page(generate, stop, stream, request, cards)


def _prompts(max_tokens: int) -> tuple[gr.Button, gr.Button]:
    """The prompt boxes, the length of the text, and the two buttons. Everything is enabled from the start: Gradio
    would otherwise switch off what no event of its own reads."""
    with gr.Column(scale=5, min_width=260):
        gr.Textbox(
            label="System prompt",
            elem_id="system-prompt",
            lines=1,
            max_lines=4,
            interactive=True,
            placeholder="Who the model should be (chat only)",
        )
        gr.Textbox(
            PROMPT,
            label="Prompt",
            elem_id="prompt",
            lines=2,
            max_lines=8,
            interactive=True,
            autofocus=True,
            placeholder="Type the beginning of a text",
        )
    with gr.Column(scale=3, min_width=220):
        gr.Textbox(
            label="Negative prompt · steer away from",
            elem_id="negative-prompt",
            lines=2,
            max_lines=8,
            interactive=True,
            placeholder="Empty: the prompt's last token alone",
        )
    with gr.Column(scale=1, min_width=150, elem_id="pg-length-column"):
        gr.Slider(
            1,
            max_tokens,
            value=min(64, max_tokens),
            step=1,
            label="Length",
            elem_id="max-tokens",
            elem_classes=["pg-knob"],
            min_width=0,
            interactive=True,
        )
        gr.Textbox(
            label="Stop strings",
            elem_id="stop-strings",
            lines=1,
            max_lines=3,
            placeholder="one a line",
            elem_classes=["pg-field"],
            min_width=0,
            interactive=True,
        )
    with gr.Column(scale=1, min_width=130, elem_id="pg-go-column"):
        return gr.Button("Generate", variant="primary", elem_id="generate"), gr.Button("Stop", elem_id="stop")


def _guidance_card() -> None:
    with gr.Column(elem_id="card-guidance", elem_classes=["pg-card", "pg-kind-guidance"], min_width=0):
        _head("guidance")
        gr.Checkbox(
            True,
            label="Guidance on",
            elem_id="on-guidance",
            elem_classes=["pg-switch"],
            container=False,
            min_width=0,
            interactive=True,
        )
        gr.Slider(
            -1,
            7,
            value=1,
            step=0.05,
            label="CFG scale",
            elem_id="guidance-scale",
            elem_classes=["pg-knob"],
            min_width=0,
            interactive=True,
        )
        build_guidance_knobs()


def _draw_card() -> None:
    with gr.Column(elem_id="card-draw", elem_classes=["pg-card", "pg-kind-draw"], min_width=0):
        _head("draw")
        gr.Number(
            7,
            label="Seed",
            elem_id="seed",
            precision=0,
            minimum=0,
            maximum=2**53 - 1,
            min_width=0,
            elem_classes=["pg-field"],
            interactive=True,
        )


def _node(name: str) -> None:
    """An empty node for the page's scripts; Gradio never writes into it again."""
    gr.HTML(f'<div id="{name}"></div>', js_on_load=None, elem_classes=["pg-host"], apply_default_css=False)


def _head(stage: str) -> None:
    gr.HTML(f'<div class="pg-card-head" data-stage="{stage}"></div>', js_on_load=None, apply_default_css=False)
