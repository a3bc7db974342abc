"""What llama.cpp's server, command line and everything built on them share: its keys, its order, its habits.

Knows nothing about how its front ends spell the keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.sampling.chain import Chain
from playground.sampling.interop.ordering import Listed, Slot
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.special import Biases, HalfWidth, Mirostat
from playground.sampling.interop.stages import NO_BREAKER, Number, Stage, Texts, words_of
from playground.sampling.interop.target import Codec
from playground.sampling.interop.values import WHOLE_TEXT, Notes
from playground.sampling.sampler import Sampler

BREAKERS = ("\n", ":", '"', "*")
WINDOW = Number("repeat_last_n", "last_n", whole=WHOLE_TEXT, missing=64)
NEEDS_A_NUMBER = f"llama.cpp has no word for the whole text (0 is off, -1 is refused): {WHOLE_TEXT} stands for it."

STAGES: tuple[Codec, ...] = (
    Biases("logit_bias", "pairs", bans=True),
    HalfWidth(),
    Stage("temperature", (Number("temperature", "temperature"),), neutral=1.0),
    Stage("top_k", (Number("top_k", "top_k"),), neutral=0, off_under=0),
    Stage("top_p", (Number("top_p", "top_p"),), neutral=1.0),
    Stage("min_p", (Number("min_p", "min_p"),), neutral=0.0),
    Stage("typical_p", (Number("typical_p", "typical_p"),), neutral=1.0),
    Stage("top_n_sigma", (Number("top_n_sigma", "n"),), neutral=-1.0, off_under=0),
    Stage(
        "xtc",
        (Number("xtc_probability", "probability"), Number("xtc_threshold", "threshold", missing=0.1)),
        neutral=0.0,
    ),
    Stage(
        "dry",
        (
            Number("dry_multiplier", "multiplier"),
            Number("dry_base", "base", missing=1.75),
            Number("dry_allowed_length", "allowed_length", missing=2),
            Number("dry_penalty_last_n", "last_n", whole=WHOLE_TEXT, missing=64),
            Texts("dry_sequence_breakers", "sequence_breakers", none=(NO_BREAKER,), missing=BREAKERS),
        ),
        neutral=0.0,
    ),
    Stage("repetition_penalty", (Number("repeat_penalty", "penalty"), WINDOW), neutral=1.0),
    Stage("frequency_penalty", (Number("frequency_penalty", "penalty"), WINDOW), neutral=0.0),
    Stage("presence_penalty", (Number("presence_penalty", "penalty"), WINDOW), neutral=0.0),
    Stage(
        "adaptive_p",
        (Number("adaptive_target", "target"), Number("adaptive_decay", "decay", missing=0.9)),
        neutral=-1.0,
    ),
    Mirostat(),
)
PENALTIES = ("repetition_penalty", "frequency_penalty", "presence_penalty")
SLOTS = (
    Slot("penalties", PENALTIES),
    Slot("dry", ("dry",)),
    Slot("top_n_sigma", ("top_n_sigma",)),
    Slot("top_k", ("top_k",)),
    Slot("typ_p", ("typical_p",)),
    Slot("top_p", ("top_p",)),
    Slot("min_p", ("min_p",)),
    Slot("xtc", ("xtc",)),
    Slot("temperature", ("dynamic_temperature", "temperature")),
)
ORDER = Listed(
    "samplers",
    (*SLOTS, Slot("adaptive_p", ("adaptive_p",))),
    before=("logit_bias", "token_ban"),
    after=("mirostat", "mirostat_v2"),
    optional=("adaptive_p",),
)
MEANING = {"typical_p": "typ_p", "typical": "typ_p", "typ": "typ_p", "temp": "temperature", "dist": ""}
CHARS = dict(zip("edskypmxta", [slot.name for slot in ORDER.slots], strict=True))
BESIDE_MIROSTAT = ("temperature", "dynamic_temperature", "logit_bias", "token_ban", "mirostat", "mirostat_v2")


def without_the_replaced(chain: Chain, title: str, notes: Notes) -> Chain:
    """Mirostat replaces llama.cpp's whole chain: only biases and temperature run before it."""
    if not any(one.name in {"mirostat", "mirostat_v2"} and not one.is_off for one in chain.samplers):
        return chain
    lost = [one for one in chain.samplers if one.name not in BESIDE_MIROSTAT and not one.is_off]
    if lost:
        notes.lost(f"With Mirostat {title} runs nothing else but biases and temperature: {words_of(lost)} left out.")
    return Chain(tuple(one for one in chain.samplers if one.name in BESIDE_MIROSTAT))


def say_habits(samplers: Sequence[Sampler], values: dict[str, Any], notes: Notes) -> None:
    """What llama.cpp does its own way with the stages that are there."""
    names = [one.name for one in samplers if not one.is_off]
    windows = [values.get("repeat_last_n"), values.get("dry_penalty_last_n")]
    if WHOLE_TEXT in windows:
        notes.hint(NEEDS_A_NUMBER)
    if "typical_p" in names:
        before = names[: names.index("typical_p")]
        if ("top_n_sigma" in before or "token_ban" in names) and "top_k" not in before:
            notes.lost(
                "Typical-p behind a stage that removes tokens in place (top-n-sigma, a ban): llama.cpp computes "
                "no entropy there and keeps the likeliest tokens instead. A top-k in front of it helps."
            )
    if "xtc" in names:
        notes.hint("XTC: llama.cpp throws its own coin at each token; its long-run mixture is the one drawn here.")


def settled(values: dict[str, Any], ignored: list[str]) -> dict[str, Any]:
    """Pasted values as llama.cpp reads them: the order as names, and nothing beside Mirostat that it would not run."""
    values = dict(values)
    if "samplers" in values:
        values["samplers"] = spelled(values["samplers"])
    if values.get("mirostat") in (1, 2):
        keys = {one.key for stage in STAGES if isinstance(stage, Stage) for one in stage.fields} - {"temperature"}
        dropped = sorted(key for key in {*keys, "samplers"} if values.pop(key, None) is not None)
        if dropped:
            ignored.append(f"{', '.join(dropped)}: with mirostat llama.cpp runs biases and temperature alone")
    return values


def is_order(pasted: Pasted) -> bool:
    """Whether a text is nothing but a list of stages: ["top_k", "temperature"] or top_k;temperature."""
    found = order_of(pasted)
    known = {slot.name for slot in ORDER.slots}
    return bool(found) and all(isinstance(name, str) and name in known for name in found)


def order_of(pasted: Pasted) -> list[Any]:
    """The names of such a list."""
    if isinstance(pasted.data, list):
        return list(spelled(pasted.data))
    text = pasted.text
    return list(spelled(text)) if len(text) < 400 and ";" in text and "\n" not in text and "=" not in text else []


def spelled(samplers: Any) -> Any:
    """A ``samplers`` value in any of its spellings (list, "top_k;temperature", "edskypmxt") as a list of names."""
    if isinstance(samplers, str):
        text = samplers.strip()
        if ";" not in text and "," not in text and len(text) > 1 and text not in set(CHARS.values()) | set(MEANING):
            samplers = [CHARS.get(char, char) for char in text]
        else:
            samplers = [part.strip() for part in text.replace(",", ";").split(";") if part.strip()]
    if not isinstance(samplers, list):
        return samplers
    tidy = [one.strip().lower().replace("-", "_") if isinstance(one, str) else one for one in samplers]
    return [one for one in (MEANING.get(name, name) if isinstance(name, str) else name for name in tidy) if one]
