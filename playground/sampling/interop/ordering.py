"""Orders as engines know them: one that is fixed, or one that the settings may name.

Knows nothing about any particular stage or engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playground.sampling import orders
from playground.sampling.interop.given import Given
from playground.sampling.interop.swaps import order_matters, swapped
from playground.sampling.interop.values import Notes
from playground.sampling.sampler import Sampler


@dataclass(frozen=True)
class Fixed:
    """The engine's own order, which no setting changes; ``engine`` names it in ``orders.ORDERS``."""

    engine: str

    def names(self, samplers: Sequence[Sampler]) -> list[str]:
        """Names of stages in the order in which the engine runs them."""
        return list(orders.stage_names(self.engine))

    def say(self, samplers: Sequence[Sampler], values: dict[str, Any]) -> None:
        """Nothing can be said."""

    def read(self, given: Given) -> tuple[list[str], frozenset[str]]:
        """Names of stages in order, and those that the text switched off by leaving them out."""
        return self.names(()), frozenset()


@dataclass(frozen=True)
class Unknown:
    """An order that nobody outside has been told."""

    def names(self, samplers: Sequence[Sampler]) -> list[str]:
        return [sampler.name for sampler in samplers]

    def say(self, samplers: Sequence[Sampler], values: dict[str, Any]) -> None:
        """Nothing can be said."""

    def read(self, given: Given) -> tuple[list[str], frozenset[str]]:
        return list(orders.stage_names("transformers")), frozenset()


@dataclass(frozen=True)
class Slot:
    """One entry of an engine's list of stages, and our stages that it runs, in this order."""

    name: str | int
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """An order that the settings name under ``key``; ``before`` and ``after`` run first and last whatever they say."""

    key: str
    slots: tuple[Slot, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    full: bool = False  # whether every slot must be named, used or not
    always: tuple[str, ...] = ()  # stages that run even where the list leaves them out
    optional: tuple[str, ...] = ()  # stages that run only where the list names them

    def names(self, samplers: Sequence[Sampler]) -> list[str]:
        slots = self._in_order(samplers)
        return [*self.before, *(stage for slot in slots for stage in slot.stages), *self.after]

    def say(self, samplers: Sequence[Sampler], values: dict[str, Any]) -> None:
        present = {sampler.name for sampler in samplers}
        slots = [slot for slot in self._in_order(samplers) if self.full or present & set(slot.stages)]
        values[self.key] = [slot.name for slot in slots or self.slots[-1:]]  # an empty list would mean the default

    def read(self, given: Given) -> tuple[list[str], frozenset[str]]:
        known = {slot.name: slot for slot in self.slots}
        listed = given.take(self.key)
        if listed is not None and not isinstance(listed, list):
            given.ignored.append(f"{self.key}: it must be a list; the engine's own order is taken")
            listed = None
        if listed is None:
            return self.names(()), frozenset(self.optional)
        found: list[Slot] = []
        for name in listed:
            slot = known.get(name) if isinstance(name, str | int) and not isinstance(name, bool) else None
            if slot is None:
                given.ignored.append(f"{self.key}: {str(name)[:40]} is no stage that is known here")
            elif slot not in found:
                found.append(slot)
        listed_stages = [stage for slot in found for stage in slot.stages]
        everything = [stage for slot in self.slots for stage in slot.stages]
        missing = [stage for stage in everything if stage not in listed_stages]
        names = [*self.before, *listed_stages, *missing, *self.after]
        return names, frozenset(missing) - set(self.always) - set(self.before) - set(self.after)

    def _in_order(self, samplers: Sequence[Sampler]) -> list[Slot]:
        """The slots by the place at which our chain first needs them; those it does not need keep theirs at the end."""
        first: dict[str, int] = {}
        for place, sampler in enumerate(samplers):
            first.setdefault(sampler.name, place)
        none = len(samplers)
        return sorted(self.slots, key=lambda slot: min((first.get(stage, none) for stage in slot.stages), default=none))


Order = Fixed | Unknown | Listed


def say_order(order: Order, samplers: Sequence[Sampler], title: str, notes: Notes) -> None:
    """In words, where the engine's order is another one than ours and that changes the distribution."""
    if isinstance(order, Unknown):
        if order_matters(samplers):
            notes.lost(f"{title} does not say in which order it runs these stages, and here the order matters.")
        return
    pairs = swapped(samplers, order.names(samplers))
    if not pairs:
        return
    said = ", ".join(f"{second.title} before {first.title}" for first, second in pairs[:6])
    more = f", and {len(pairs) - 6} pairs more" if len(pairs) > 6 else ""
    whatever = " whatever its settings say" if isinstance(order, Listed) else ""
    notes.lost(f"{title} runs {said}{more}{whatever}; here it is the other way round, and that gives other numbers.")
