"""text-generation-webui: a preset file, YAML of one level with a list in it.

Knows nothing about other targets. The YAML is written and read by hand: it is never handed to a parser of more.
"""

from __future__ import annotations

import json
import re
from typing import Any

from playground.sampling.interop.given import number_of
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.special import Mirostat
from playground.sampling.interop.stages import Number, Stage, Texts
from playground.sampling.interop.target import Target, known_keys
from playground.sampling.interop.values import Export, Notes, Setup, Taken
from playground.sampling.interop.webui_keys import PLAIN, PRIORITY

WINDOW = Number("repetition_penalty_range", "last_n", whole=0, missing=1024)
LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,50})\s*:(?:\s+(.*))?$")
WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
MAX_MATCH = 50


class TextGenerationWebui(Target):
    """Every stage may stand anywhere; one window serves all that look back."""

    name = "text_generation_webui"
    title = "text-generation-webui preset"
    who = "text-generation-webui"
    place = 80
    runs = "text-generation-webui"
    language = "yaml"
    file_name = "playground.yaml"
    stages = (
        Stage(
            "dynamic_temperature",
            (Number("dynatemp_low", "low"), Number("dynatemp_high", "high"), Number("dynatemp_exponent", "exponent")),
            switch="dynamic_temperature",
        ),
        Stage("temperature", (Number("temperature", "temperature", low=0.01),), neutral=1.0),
        *PLAIN,
        Stage("top_n_sigma", (Number("top_n_sigma", "n"),), neutral=0.0, off_under=0),
        Stage(
            "dry",
            (
                Number("dry_multiplier", "multiplier"),
                Number("dry_base", "base", missing=1.75),
                Number("dry_allowed_length", "allowed_length", missing=2),
                WINDOW,
                Texts("dry_sequence_breakers", "sequence_breakers", "quoted", missing=("\n", ":", '"', "*")),
            ),
            neutral=0.0,
            says=f"DRY: text-generation-webui follows a repetition back over at most {MAX_MATCH} tokens, and a breaker "
            "is one token there.",
        ),
        Stage("repetition_penalty", (Number("repetition_penalty", "penalty"), WINDOW), neutral=1.0),
        Stage("frequency_penalty", (Number("frequency_penalty", "penalty"), WINDOW), neutral=0.0),
        Stage("presence_penalty", (Number("presence_penalty", "penalty"), WINDOW), neutral=0.0),
        Stage(
            "adaptive_p",
            (Number("adaptive_target", "target"), Number("adaptive_decay", "decay", missing=0.9)),
            neutral=0.0,
            off_under=0,
        ),
        Mirostat("mirostat_mode", modes=(2,)),
    )
    order = PRIORITY
    surroundings = {"seed": "seed", "max_new_tokens": "max_tokens", "negative_prompt": "negative"}
    idle = {
        "do_sample": "the page always draws",
        "encoder_repetition_penalty": "encoders are not known here",
        "penalty_alpha": "contrastive search is chosen elsewhere",
        "temperature_last": "the order is read from sampler_priority",
    }
    scale_key = "guidance_scale"

    def write(self, setup: Setup) -> Export:
        notes = Notes()
        values = self.settings(setup, notes)
        if setup.prompt or setup.seed is not None:
            notes.hint("Prompts, seed, length and stop strings are not part of a preset file.")
        text = "".join(f"{key}: {_written(value)}\n" for key, value in values.items())
        return Export(text, self.language, self.file_name, tuple(notes.losses), tuple(notes.hints))

    def guide(self, setup: Setup, values: dict[str, Any], notes: Notes) -> None:
        super().guide(setup, values, notes)
        if not setup.guided:
            return
        notes.hint(
            "Guidance works with the Transformers loader and ExLlamav3_HF (with cfg-cache); the negative prompt "
            "is typed on the Parameters tab."
        )
        if any(one.name == "repetition_penalty" and not one.is_off for one in setup.chain.samplers):
            notes.lost(
                "With guidance the repetition penalty acts on log-probabilities there, which are all negative: "
                "it is stronger or weaker than on our scores."
            )

    def sees(self, pasted: Pasted) -> int:
        if pasted.data is not None or pasted.is_curl:
            return 0
        found = _lines(pasted.text)
        known = known_keys(self)
        return sum(2 for key in found if key in known) if found else 0

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        values: dict[str, Any] = dict(_lines(pasted.text))
        if isinstance(values.get("sampler_priority"), str):
            values["sampler_priority"] = [one.strip() for one in re.split(r"[\n,]", values["sampler_priority"])]
        ignored: list[str] = []
        if values.get("temperature_last") is True and "sampler_priority" not in values:
            last = ("temperature", "dynamic_temperature", "quadratic_sampling")
            names = [str(slot.name) for slot in PRIORITY.slots]
            values["sampler_priority"] = [name for name in names if name not in last] + list(last)
            values.pop("temperature_last")
        return self.taken(values, assume, ignored)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "|-\n" + "\n".join(f"  {one}" for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value.replace(chr(39), chr(39) * 2)}'" if isinstance(value, str) else json.dumps(value)


def _lines(text: str) -> dict[str, Any]:
    """``key: value`` lines, with a list or a block of text indented under a key; anything else: not a preset."""
    found: dict[str, Any] = {}
    block: list[str] | None = None
    key = ""
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#") or stripped == "---":
            continue
        match = LINE.match(line)
        if match:
            key, raw = match[1], (match[2] or "").strip()
            block = [] if raw in {"", "|", "|-", ">-"} else None
            found[key] = block if block is not None else _scalar(raw)
        elif block is not None and (line[0] in " \t" or stripped.startswith("- ")):
            block.append(str(_scalar(stripped.removeprefix("- ").strip())))
        else:
            return {}
    return {key: value if value != [] else None for key, value in found.items()}


def _scalar(raw: str) -> Any:
    """A plain value: a number, a word of truth, a text with or without quotes, a short list in brackets."""
    if raw.startswith("'") and raw.endswith("'") and len(raw) > 1:
        return raw[1:-1].replace("''", "'")
    if raw[:1] in {'"', "["}:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            return raw
    raw = raw.partition(" #")[0].strip()
    return WORDS.get(raw.lower(), number_of(raw)) if raw.lower() in WORDS else number_of(raw)
