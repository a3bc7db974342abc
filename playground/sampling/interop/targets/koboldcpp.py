"""KoboldCpp: the JSON body of /api/v1/generate.

Knows nothing about other targets.
"""

from __future__ import annotations

from typing import Any

from playground.sampling.interop.json_target import JsonTarget
from playground.sampling.interop.ordering import Listed, Slot
from playground.sampling.interop.special import Biases, HalfWidth, Mirostat
from playground.sampling.interop.stages import Number, Stage, Texts
from playground.sampling.interop.values import WHOLE_TEXT, Notes, Setup

WINDOW = Number("rep_pen_range", "last_n", whole=WHOLE_TEXT, missing=360)


class KoboldCpp(JsonTarget):
    """Seven slots may change places; DRY stays first and XTC last."""

    name = "koboldcpp"
    title = "KoboldCpp"
    place = 70
    runs = "KoboldCpp"
    file_name = "koboldcpp.json"
    stages = (
        Biases("logit_bias", "map", limit=100.0),
        HalfWidth(),
        Stage("temperature", (Number("temperature", "temperature"),), neutral=1.0),
        Stage(
            "quadratic",
            (Number("smoothing_factor", "factor"), Number("smoothing_curve", "curve", missing=1.0)),
            neutral=0.0,
        ),
        Stage("top_k", (Number("top_k", "top_k"),), neutral=0, off_under=0),
        Stage("top_p", (Number("top_p", "top_p"),), neutral=1.0),
        Stage("min_p", (Number("min_p", "min_p"),), neutral=0.0),
        Stage("typical_p", (Number("typical", "typical_p"),), neutral=1.0),
        Stage("tail_free", (Number("tfs", "z"),), neutral=1.0),
        Stage("top_a", (Number("top_a", "top_a"),), neutral=0.0),
        Stage(
            "top_n_sigma",
            (Number("nsigma", "n"),),
            neutral=0.0,
            off_under=0,
        ),
        Stage(
            "xtc",
            (Number("xtc_probability", "probability"), Number("xtc_threshold", "threshold", missing=0.2)),
            neutral=0.0,
        ),
        Stage(
            "dry",
            (
                Number("dry_multiplier", "multiplier"),
                Number("dry_base", "base", missing=1.75),
                Number("dry_allowed_length", "allowed_length", missing=2),
                Number("dry_penalty_last_n", "last_n", whole=0, missing=320),
                Texts("dry_sequence_breakers", "sequence_breakers", missing=()),
            ),
            neutral=0.0,
        ),
        Stage("repetition_penalty", (Number("rep_pen", "penalty"), WINDOW), neutral=1.0),
        Stage("presence_penalty", (Number("presence_penalty", "penalty"), WINDOW), neutral=0.0),
        Stage(
            "adaptive_p",
            (Number("adaptive_target", "target"), Number("adaptive_decay", "decay", missing=0.9, low=0.01, high=0.99)),
            neutral=-1.0,
            off_under=0,
        ),
        Mirostat(),
    )
    order = Listed(
        "sampler_order",
        (
            Slot(6, ("repetition_penalty", "presence_penalty")),
            Slot(0, ("top_k",)),
            Slot(1, ("top_a",)),
            Slot(3, ("tail_free",)),
            Slot(4, ("typical_p",)),
            Slot(2, ("top_p", "min_p")),
            Slot(5, ("temperature", "dynamic_temperature", "quadratic", "top_n_sigma")),
        ),
        before=("logit_bias", "token_ban", "dry"),
        after=("xtc", "adaptive_p", "mirostat", "mirostat_v2"),
        full=True,
        always=("repetition_penalty", "presence_penalty"),
    )
    surroundings = {
        "sampler_seed": "seed",
        "max_length": "max_tokens",
        "stop_sequence": "stop",
        "prompt": "prompt",
        "negative_prompt": "negative",
        "memory": "system",
    }
    signature = frozenset({"rep_pen", "rep_pen_range", "sampler_order", "sampler_seed", "max_length", "stop_sequence"})
    idle = {
        "rep_pen_slope": "the penalty has one strength over its whole window here",
        "max_context_length": "it is about the context, not about sampling",
        "use_default_badwordsids": "it is about the model's end token, not about sampling",
        "n": "the page writes one text at a time",
        "trim_stop": "it is about the text, not about sampling",
    }
    scale_key = "guidance_scale"
    routes = ("/api/v1/generate", "/api/extra/generate")

    def head(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        if setup.chat:
            notes.lost("A chat must be written out in the model's own template here; the prompt stands without it.")
        return {} if setup.prompt is None else {"prompt": setup.prompt}

    def settings(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        values = super().settings(setup, notes)
        notes.hint("KoboldCpp looks at the 3,000 likeliest tokens only, whatever the settings.")
        if "rep_pen_range" in values:
            values["rep_pen_slope"] = 1.0  # otherwise the older half of the window counts less
        if values["mirostat"] and len(setup.chain.samplers) > 1:
            notes.lost("With Mirostat KoboldCpp runs DRY, the repetition penalty and temperature, and nothing else.")
        return values

    def guide(self, setup: Setup, values: dict[str, Any], notes: Notes) -> None:
        super().guide(setup, values, notes)
        if not setup.guided:
            return
        notes.hint("KoboldCpp needs its guidance option when the model is loaded, in version 1.90 or newer.")
        if values.get("guidance_scale", 0) < 0:
            notes.lost("KoboldCpp takes a scale below 0 as 0.")
        if setup.negative:
            values["negative_prompt"] = setup.negative
        else:
            notes.lost("The empty negative prompt means the prompt's last token here; KoboldCpp has no such rule.")
