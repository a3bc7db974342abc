"""The pipeline strip as a value: which stages stand on it, in which order, and which of them are switched on.

Knows nothing about rows, models or drawing. A switched-off stage keeps its place and its knobs but is absent from
the chain; a second copy of a sampler has the id ``name--2``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.errors import PlaygroundError
from playground.sampling import SAMPLERS, Chain

MAX_STAGES = 40
_STAGE_ID = re.compile(r"[a-z0-9_]{1,40}(--[2-9])?")


@dataclass(frozen=True)
class StripStage:
    """One card: its id, whether it is on, and its parameters as sent (checked only where it is on)."""

    id: str
    on: bool
    params: tuple[tuple[str, Any], ...]

    @property
    def sampler(self) -> str:
        return self.id.partition("--")[0]


@dataclass(frozen=True)
class Strip:
    """The cards in order, and the chain of those that are on."""

    stages: tuple[StripStage, ...]
    chain: Chain

    @classmethod
    def from_json(cls, stages: object) -> Strip:
        """Parse ``[{"id": "min_p", "on": true, "min_p": 0.05}, ...]``; PlaygroundError says what is wrong."""
        if not isinstance(stages, Sequence) or isinstance(stages, str | bytes):
            raise PlaygroundError("The strip must be a list of stages.")
        if len(stages) > MAX_STAGES:
            raise PlaygroundError(f"The strip has {len(stages)} stages; at most {MAX_STAGES} fit.")
        parsed = tuple(_stage(stage) for stage in stages)
        seen: set[str] = set()
        for stage in parsed:
            if stage.id in seen:
                raise PlaygroundError(
                    f"The stage {stage.id!r} stands on the strip twice; a second copy is {stage.sampler}--2."
                )
            seen.add(stage.id)
        on = [{"sampler": stage.sampler, **dict(stage.params)} for stage in parsed if stage.on]
        return cls(parsed, Chain.from_json(on))


def numbered(chain: object) -> list[dict[str, Any]]:
    """A chain as programs write it, ``[{"sampler": "min_p", "min_p": 0.1}, ...]``, as a strip: a stage that repeats
    becomes a numbered copy."""
    if chain is None:
        return []
    if not isinstance(chain, list) or not all(isinstance(stage, Mapping) for stage in chain):
        raise PlaygroundError('chain must be a list like [{"sampler": "min_p", "min_p": 0.1}].')
    counts: dict[str, int] = {}
    stages = []
    for stage in chain:
        if "id" in stage or "on" in stage:
            raise PlaygroundError('A stage of a chain has "sampler" and its parameters only; leave out what is off.')
        name = str(stage.get("sampler"))[:60]
        counts[name] = counts.get(name, 0) + 1
        copy = "" if counts[name] == 1 else f"--{counts[name]}"
        stages.append({"id": name + copy, **{key: value for key, value in stage.items() if key != "sampler"}})
    return stages


def _stage(stage: object) -> StripStage:
    if not isinstance(stage, Mapping):
        raise PlaygroundError("Each stage of the strip must be an object with an id.")
    stage_id, on = stage.get("id"), stage.get("on", True)
    if not isinstance(stage_id, str) or not _STAGE_ID.fullmatch(stage_id):
        raise PlaygroundError("A stage's id is a sampler's name, with --2 for its second copy.")
    if stage_id.partition("--")[0] not in SAMPLERS:
        raise PlaygroundError(f"There is no sampler {stage_id!r}; the samplers are {', '.join(sorted(SAMPLERS))}.")
    if not isinstance(on, bool):
        raise PlaygroundError(f"{stage_id}: on must be true or false.")
    if "sampler" in stage:  # it would put another sampler into the chain than the card says
        raise PlaygroundError(f"{stage_id}: a stage of the strip is named by its id alone; leave sampler out.")
    params = tuple((str(name), value) for name, value in stage.items() if name not in {"id", "on"})
    return StripStage(stage_id, on, params)
