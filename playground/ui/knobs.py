"""The cards of the pipeline strip, built from the registry: one card a sampler, a slider or text box a parameter.

Knows nothing about what a sampler does; a new file in ``sampling/samplers`` appears here by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.sampling import SAMPLERS, Chain, Gate, Param, Sampler, Schedule
from playground.sampling.presets import knob_params, presets_json
from playground.sampling.recipe import CONTEXTS

NUM_COPIES = 2
OPENING: dict[str, dict[str, Any]] = {
    "temperature": {"on": True, "temperature": 1.0},
    "top_k": {"on": False},
    "top_p": {"on": False},
    "min_p": {"on": True, "min_p": 0.05},
}
"""The stages a first visit finds on the strip, in order; everything else waits behind *Add a stage*."""
FILLED_IN: dict[str, dict[str, Any]] = {"dry": {"sequence_breakers": ["\n", ":", '"', "*"]}}
"""What a fresh card holds where that is not the default of JSON: the breakers that llama.cpp begins with."""

PLACEHOLDERS = {"biases": '{"token id": bias}', "tokens": "[token id, ...]", "texts": '["text", ...]'}
"""What an empty text box shows, by the kind of its parameter."""


@dataclass(frozen=True)
class Card:
    """One stage card as built: its id and where each knob's element is found."""

    id: str
    sampler: str
    on_strip: bool


def knob_id(stage_id: str, parameter: str) -> str:
    """``knob-min_p-min_p``; the second copy's ends in ``--2``."""
    name, _, copy = stage_id.partition("--")
    return f"knob-{name}-{parameter}" + (f"--{copy}" if copy else "")


def ordered_samplers() -> list[type[Sampler]]:
    """Opening stages first, the rest by their own slot."""
    rest = sorted((s for s in SAMPLERS.values() if s.name not in OPENING), key=lambda s: (s.slot, s.name))
    return [SAMPLERS[name] for name in OPENING] + rest


def build_cards() -> list[Card]:
    """Every sampler's card, twice (the second copy waits hidden), into the Gradio context that is open."""
    cards = []
    for sampler in ordered_samplers():
        for copy in range(1, NUM_COPIES + 1):
            stage_id = sampler.name if copy == 1 else f"{sampler.name}--{copy}"
            on_strip = copy == 1 and sampler.name in OPENING
            _card(stage_id, sampler, OPENING.get(sampler.name, {}) if copy == 1 else {}, on_strip)
            cards.append(Card(stage_id, sampler.name, on_strip))
    return cards


def registry_json() -> dict[str, Any]:
    """What the page must know of each sampler, for cards, presets and tooltips."""
    return {
        sampler.name: {
            "title": sampler.title,
            "kind": sampler.kind,
            "summary": sampler.summary,
            "formula": sampler.formula,
            "source": sampler.source,
            "off": sampler.off,
            "demo": _demo_json(sampler),
            "params": {
                name: {
                    "label": param.label,
                    "low": param.low if param.kind == "number" else None,
                    "high": param.high if param.kind == "number" else None,
                    "step": param.step,
                    "default": param.to_json(param.default),
                    "unit": param.unit,
                    "help": param.help,
                    "integer": param.integer,
                    "kind": param.kind,
                    "choices": [list(choice) for choice in param.choices],
                }
                for name, param in sampler.params().items()
            },
        }
        for sampler in ordered_samplers()
    }


def _demo_json(sampler: type[Sampler]) -> dict[str, Any]:
    """What "show me" loads: the prompt and the strip, every parameter said."""
    demo = sampler.demo
    chain = Chain.from_json([*demo.before, {"sampler": sampler.name, **demo.params}])
    strip = [
        {"id": one.name, "on": True, **{name: fact.to_json(getattr(one, name)) for name, fact in one.params().items()}}
        for one in chain.samplers
    ]
    return {"prompt": demo.prompt, "says": demo.says, "strip": strip}


def guidance_json(num_models: int) -> dict[str, Any]:
    """What the page must know of guidance: its presets, and what their selects and sliders offer."""
    return {
        "presets": presets_json(num_models),
        "contexts": list(CONTEXTS.items()),
        "gates": list(Gate.params()["kind"].choices),
        "schedules": list(Schedule.params()["kind"].choices),
        "knobs": {name: {"label": fact.label, "help": fact.help} for name, fact in knob_params().items()},
    }


def build_guidance_knobs() -> None:
    """The sliders of the guidance card that presets show when they need them, into the context that is open."""
    for name, fact in knob_params().items():
        gr.Slider(
            fact.low,
            fact.high,
            value=fact.default,
            step=fact.step,
            label=fact.label,
            elem_id=f"guidance-knob-{name}",
            elem_classes=["pg-knob", "pg-preset-knob"],
            min_width=0,
            interactive=True,
        )


def _card(stage_id: str, sampler: type[Sampler], opening: dict[str, Any], on_strip: bool) -> None:
    classes = ["pg-card", f"pg-kind-{sampler.kind}"] + ([] if on_strip else ["pg-away"])
    with gr.Column(elem_id=f"card-{stage_id}", elem_classes=classes, min_width=0):
        gr.HTML(f'<div class="pg-card-head" data-stage="{stage_id}"></div>', js_on_load=None, apply_default_css=False)
        copy = stage_id.partition("--")[2]
        suffix = f"--{copy}" if copy else ""
        gr.Checkbox(
            opening.get("on", True),
            label=f"{sampler.title} on",
            elem_id=f"on-{sampler.name}{suffix}",
            elem_classes=["pg-switch"],
            container=False,
            min_width=0,
            interactive=True,
        )
        for name, param in sampler.params().items():
            filled_in = FILLED_IN.get(sampler.name, {})
            _knob(stage_id, name, param, opening.get(name, filled_in.get(name, param.default)))


def _knob(stage_id: str, name: str, param: Param, value: Any) -> None:
    element_id, label = knob_id(stage_id, name), param.label
    if param.kind == "choice":
        gr.Radio(
            [choice for choice, _ in param.choices],
            value=value,
            label=label,
            elem_id=element_id,
            elem_classes=["pg-knob", "pg-knob-choice"],
            min_width=0,
            interactive=True,
        )
        return
    if param.kind != "number":
        gr.Textbox(
            json.dumps(param.to_json(value)),
            label=label,
            elem_id=element_id,
            elem_classes=["pg-knob", "pg-knob-text"],
            lines=1,
            max_lines=3,
            placeholder=PLACEHOLDERS[param.kind],
            min_width=0,
            interactive=True,
        )
        return
    gr.Slider(
        param.low,
        param.high,
        value=value,
        step=param.step,
        label=label,
        elem_id=element_id,
        elem_classes=["pg-knob"],
        min_width=0,
        interactive=True,
    )
