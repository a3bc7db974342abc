"""Order and Stage: one engine as data: the stages it has, in which order, by whose rule, with which defaults.

Knows nothing about any particular engine or stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Limits = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Stage:
    """One stage of an engine, under the name it has here.

    ``default`` is what the engine does where nothing is set (missing: off). ``limits`` are the values it accepts,
    parameter by parameter (missing: all of ours). ``whole_text`` says that its window is always the whole text.
    ``always`` marks a stage that no setting turns off, with its parameters.
    """

    name: str
    default: Mapping[str, Any] | None = None
    flavour: str = ""
    """Whose rule it follows, among the flavours of the sampler; empty: ours."""
    limits: Limits = field(default_factory=dict)
    whole_text: bool = False
    always: Mapping[str, Any] | None = None
    says: str = ""
    """Of a stage that runs always: what it does, after the engine's name."""


@dataclass(frozen=True)
class Order:
    """One engine. ``stages`` stand in the order in which it runs them."""

    name: str
    version: str
    """The release or commit that was read."""
    stages: tuple[Stage, ...]
    says: str
    """What is its own about the order, in one line."""
    source: str
    """Where that can be read."""
    movable: bool = False
    """Whether a setting of the engine changes the order."""
    quirks: tuple[str, ...] = ()
    """What a number means there and not here, one line each, with its source."""
    one_window: tuple[str, ...] = ()
    """Stages that share one window (``last_n``)."""
    alone: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A stage that replaces the chain, and all that still runs beside it."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """A stage that takes another one's place where both are set."""
    guides: bool = False
    """Whether it has classifier-free guidance with a negative prompt. None of them has more than that."""
    variants: tuple[Order, ...] = ()
    """The same engine, started another way."""

    def stage(self, name: str) -> Stage | None:
        """The stage that settings reach under a name, or None where the engine has no such stage."""
        return next((stage for stage in self.stages if stage.name == name and stage.always is None), None)

    def place(self, name: str) -> int:
        """Where a stage stands; behind everything where the engine has none."""
        stage = self.stage(name)
        return self.stages.index(stage) if stage else len(self.stages)

    @property
    def names(self) -> tuple[str, ...]:
        """The stages that settings reach, in order."""
        return tuple(stage.name for stage in self.stages if stage.always is None)

    @property
    def defaults(self) -> list[dict[str, Any]]:
        """The stages that run where nothing is set, as the JSON of a chain."""
        return [{"sampler": stage.name, **stage.default} for stage in self.stages if stage.default]
