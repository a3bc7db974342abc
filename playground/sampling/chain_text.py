"""Chains as text: JSON for the API and files, a compact form for links.

Knows nothing about particular samplers, tensors or where the text comes from; whatever it is, the answer is a chain
or a PlaygroundError.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from playground.errors import PlaygroundError
from playground.sampling.param import shortened
from playground.sampling.registry import sampler_class
from playground.sampling.sampler import Sampler

SHAPE = '[{"sampler": "min_p", "min_p": 0.1}, ...]'


def from_json(stages: Any, max_stages: int) -> tuple[Sampler, ...]:
    """A list of stages, or its JSON text, as samplers."""
    if isinstance(stages, str):
        try:
            stages = json.loads(stages)
        except (ValueError, RecursionError) as error:
            raise PlaygroundError(f"The chain is not JSON ({shortened(str(error))}); write {SHAPE}.") from None
    if not isinstance(stages, list | tuple):
        raise PlaygroundError(f"A chain is a list of stages such as {SHAPE}; got {shortened(stages)}.")
    _check_length(len(stages), max_stages)
    return tuple(_stage(stage) for stage in stages)


def _stage(stage: Any) -> Sampler:
    if not isinstance(stage, dict) or "sampler" not in stage:
        raise PlaygroundError(f'Each stage is an object with "sampler" and its parameters; got {shortened(stage)}.')
    kind = sampler_class(stage["sampler"])
    values = {name: value for name, value in stage.items() if name != "sampler"}
    return _built(kind, values)


def _built(kind: type[Sampler], values: dict[Any, Any]) -> Sampler:
    known = kind.params()
    for name in values:
        if name not in known:
            raise PlaygroundError(
                f"{kind.name} has no parameter {shortened(name)}; it has {', '.join(known) or 'no parameters'}."
            )
    return kind(**values)


def to_url(samplers: Sequence[Sampler]) -> str:
    """``name:value:value,name:value``, values in the order in which the parameters are declared."""
    return ",".join(":".join([sampler.name, *_values(sampler)]) for sampler in samplers)


def _values(sampler: Sampler) -> list[str]:
    values = [fact.to_text(getattr(sampler, name)) for name, fact in sampler.params().items()]
    ours = [fact.kind == "choice" and getattr(sampler, name) == fact.default for name, fact in sampler.params().items()]
    while ours and ours.pop():  # a flavour stands last, and is said only where it is not ours
        values.pop()
    return values


def from_url(text: str, max_stages: int) -> tuple[Sampler, ...]:
    """The reverse of ``to_url``; missing values at the end of a stage take their defaults."""
    if not isinstance(text, str):
        raise PlaygroundError(f"A chain in a link is a text such as temperature:1.5,min_p:0.1; got {shortened(text)}.")
    if not text:
        return ()
    _check_length(text.count(",") + 1, max_stages)
    return tuple(_stage_from_url(stage) for stage in text.split(","))


def _stage_from_url(text: str) -> Sampler:
    name, *values = text.split(":")
    kind = sampler_class(name)
    facts = kind.params()
    if len(values) > len(facts):
        raise PlaygroundError(f"{name} has {len(facts)} parameter(s), the link gives {len(values)}.")
    return _built(kind, {key: facts[key].from_text(value) for key, value in zip(facts, values, strict=False)})


def _check_length(num_stages: int, max_stages: int) -> None:
    if num_stages > max_stages:
        raise PlaygroundError(f"A chain has at most {max_stages} stages; this one has {num_stages}.")
