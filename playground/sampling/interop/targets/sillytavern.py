"""SillyTavern: a text-completion preset, as its import button takes it.

Knows nothing about other targets.
"""

from __future__ import annotations

from typing import Any

from playground.sampling.interop import llama_cpp
from playground.sampling.interop.json_target import JsonTarget
from playground.sampling.interop.special import Mirostat
from playground.sampling.interop.stages import Number, Stage, Texts
from playground.sampling.interop.values import Notes, Setup
from playground.sampling.interop.webui_keys import PLAIN, PRIORITY

MAX_RANGE = 8192
WINDOW = Number("rep_pen_range", "last_n", whole=0, high=MAX_RANGE, missing=0)


class SillyTavern(JsonTarget):
    """A front end: what its numbers do is decided by the engine behind it."""

    name = "sillytavern"
    title = "SillyTavern preset"
    who = "SillyTavern"
    place = 90
    runs = "text-generation-webui"
    file_name = "sillytavern-preset.json"
    stages = (
        Stage(
            "dynamic_temperature",
            (Number("min_temp", "low"), Number("max_temp", "high"), Number("dynatemp_exponent", "exponent")),
            switch="dynatemp",
        ),
        Stage("temperature", (Number("temp", "temperature", high=5.0),), neutral=1.0),
        *PLAIN,
        Stage("top_n_sigma", (Number("nsigma", "n"),), neutral=0.0, off_under=0),
        Stage(
            "dry",
            (
                Number("dry_multiplier", "multiplier"),
                Number("dry_base", "base", missing=1.75),
                Number("dry_allowed_length", "allowed_length", missing=2),
                Number("dry_penalty_last_n", "last_n", whole=0, missing=0),
                Texts("dry_sequence_breakers", "sequence_breakers", "text", missing=("\n", ":", '"', "*")),
            ),
            neutral=0.0,
        ),
        Stage("repetition_penalty", (Number("rep_pen", "penalty"), WINDOW), neutral=1.0),
        Stage("frequency_penalty", (Number("freq_pen", "penalty", low=-2.0, high=2.0), WINDOW), neutral=0.0),
        Stage("presence_penalty", (Number("presence_pen", "penalty", low=-2.0, high=2.0), WINDOW), neutral=0.0),
        Stage(
            "adaptive_p",
            (Number("adaptive_target", "target"), Number("adaptive_decay", "decay", missing=0.9)),
            neutral=-0.01,
            off_under=0,
        ),
        Mirostat("mirostat_mode"),
    )
    order = PRIORITY
    surroundings = {"negative_prompt": "negative", "genamt": "max_tokens", "seed": "seed"}
    signature = frozenset(
        {"temp", "rep_pen_decay", "freq_pen", "presence_pen", "nsigma", "samplers_priorities", "dynatemp", "min_temp",
         "max_temp", "guidance_scale", "genamt"}
    )  # fmt: skip
    idle = {
        "rep_pen_decay": "only one engine has it",
        "rep_pen_slope": "the penalty has one strength over its whole window here",
        "encoder_rep_pen": "encoders are not known here",
        "samplers": "the order is read from sampler_priority",
        "sampler_order": "the order is read from sampler_priority",
        "samplers_priorities": "the order is read from sampler_priority",
        "temperature_last": "the order is read from sampler_priority",
        "do_sample": "the page always draws",
        "streaming": "the page always streams",
        "max_length": "it is about the context, not about sampling",
    }
    scale_key = "guidance_scale"

    def owns(self, data: dict[str, Any]) -> bool:
        return "temp" in data or "rep_pen_decay" in data or "samplers_priorities" in data

    def settings(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        values = super().settings(setup, notes)
        values["temperature_last"] = False
        llama_cpp.ORDER.say([one for one in setup.chain.samplers if not one.is_off], values)
        notes.hint(
            "SillyTavern hands the numbers on: text-generation-webui follows sampler_priority, llama.cpp "
            "samplers (and has no guidance), KoboldCpp its own sampler_order, which is left alone."
        )
        return values

    def guide(self, setup: Setup, values: dict[str, Any], notes: Notes) -> None:
        super().guide(setup, values, notes)
        if setup.guided and setup.negative:
            values["negative_prompt"] = setup.negative

    def around(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        if setup.stop or setup.prompt:
            notes.hint("Prompt, seed, length and stop strings are not part of a SillyTavern preset.")
        return {}
