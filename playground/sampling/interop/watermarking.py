"""The watermark as transformers' own processor, whose green list ours is bit for bit: written, and read back.

Knows nothing about transformers itself, which is not imported here, or about other stages.
"""

from __future__ import annotations

from typing import Any

from playground.sampling.interop.given import Given
from playground.sampling.interop.processor import Expression, Processor
from playground.sampling.interop.python_code import Call
from playground.sampling.interop.stages import built
from playground.sampling.interop.values import Notes
from playground.sampling.sampler import Sampler

LEAST, MOST = 1e-12, 1 - 1e-12
"""The shares it takes lie between 0 and 1 without these ends; the least one is no token of any vocabulary."""
PLACES = ("vocab_size", "device", "greenlist_ratio", "bias", "hashing_key", "seeding_scheme", "context_width")
OURS = {"greenlist_ratio": "ratio", "bias": "bias", "hashing_key": "key", "context_width": "context"}
SCHEME = "lefthash"


def _arguments(one: Any) -> tuple[Any, ...]:
    """All of them in their places. The green list is a part of the rows' whole width, padding included."""
    size, device = Expression("model.config.get_text_config().vocab_size"), Expression("model.device")
    return size, device, min(max(one.ratio, LEAST), MOST), one.bias, one.key, SCHEME, one.context


def _say(one: Any, notes: Notes) -> None:
    if one.ratio > MOST:
        notes.lost(f"transformers wants less than the whole vocabulary green: {one.title} spares one token.")
    notes.hint("The watermark's green list is that of a CPU: on a GPU the same key makes another one.")


WATERMARK = Processor("WatermarkLogitsProcessor", _arguments, say=_say)


def read(call: Call, given: Given) -> list[Sampler]:
    """The stage that such a call makes, whichever of its arguments are named."""
    said = dict(zip(PLACES, call.positional, strict=False)) | call.named
    if said.get("seeding_scheme", SCHEME) != SCHEME:
        given.ignored.append(f"{call.name}: only the seeding scheme {SCHEME} is known here")
        return []
    params = {ours: said[theirs] for theirs, ours in OURS.items() if theirs in said}
    return built("watermark", params, call.name, given)
