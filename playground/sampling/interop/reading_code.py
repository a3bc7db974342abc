"""Processors in Python code read back as stages, and the prompts that stand beside them.

Knows nothing about transformers itself; the code is never run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.sampling.interop import watermarking
from playground.sampling.interop.given import Given
from playground.sampling.interop.processors import GREEDY, PROCESSORS, WINDOWED
from playground.sampling.interop.python_code import Call, Code
from playground.sampling.interop.special import Biases
from playground.sampling.interop.stages import built
from playground.sampling.sampler import Sampler

STAGES = {processor.name: (stage, processor) for stage, processor in PROCESSORS.items()} | {
    WINDOWED.name: ("repetition_penalty", WINDOWED)
}
KEYWORDS = {"min_tokens_to_keep", "filter_value"}


def stages_of(calls: Sequence[Call], ignored: list[str]) -> tuple[list[Sampler], float | None]:
    """The stages of a list of processors in their order, and the scale of our own guidance processor."""
    found: list[Sampler] = []
    scale = None
    given = Given({})
    for call in calls:
        if call.name == "Guidance" and len(call.positional) == 3:
            scale = call.positional[2]
        elif call.name == GREEDY.name:
            found += built("temperature", {"temperature": 0.0}, call.name, given)
        elif call.name in STAGES:
            found += _stage(call, given)
        else:
            given.ignored.append(f"{call.name[:40]}: this processor is not known here")
    ignored += given.ignored
    return found, scale


def _stage(call: Call, given: Given) -> list[Sampler]:
    stage, processor = STAGES[call.name]
    if stage == "watermark":
        return watermarking.read(call, given)
    values = [*call.positional, *(value for key, value in call.named.items() if key not in KEYWORDS)]
    params = dict(zip(processor.parameters, values, strict=False))
    if stage == "logit_bias":
        return Biases("bias").read(Given(params))
    return built(stage, params, call.name, given)


def prompts_of(code: Code) -> dict[str, Any]:
    """What a code's ``prompt`` or ``messages`` hold, and their negative twins."""
    found: dict[str, Any] = {}
    texts = _texts(code.names.get("messages"))
    if texts is not None:
        found = {"chat": True, "prompt": texts.get("user", ""), "system": texts.get("system", "")}
        negative = _texts(code.names.get("negative_messages"))
        return found | ({"negative": negative["system"]} if negative and "system" in negative else {})
    if isinstance(code.names.get("prompt"), str):
        found = {"prompt": code.names["prompt"], "chat": False}
    if isinstance(code.names.get("negative_prompt"), str):
        found["negative"] = code.names["negative_prompt"]
    return found


def seed_of(code: Code) -> dict[str, Any]:
    """The seed that a code sets, where it is one."""
    for call in code.calls("manual_seed", "set_seed"):
        seed = call.positional[0] if call.positional else None
        if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**53:
            return {"seed": seed}
    return {}


def _texts(found: Any) -> dict[str, str] | None:
    """The last text of each role in a list of messages."""
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return None
    return {one["role"]: one["content"] for one in found
            if isinstance(one.get("role"), str) and isinstance(one.get("content"), str)}  # fmt: skip
