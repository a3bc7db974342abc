"""Stages as key-value pairs of an engine: one table says how a stage is written and how it is read back.

Knows nothing about any particular stage or engine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.errors import PlaygroundError
from playground.sampling.interop.given import Given, is_number
from playground.sampling.interop.values import Notes
from playground.sampling.registry import SAMPLERS
from playground.sampling.sampler import Sampler

NO_BREAKER = "\ue000"
"""A private character that no text holds: what stands for "no sequence breaker" where an engine insists on one."""


@dataclass(frozen=True)
class Number:
    """One parameter and its key. ``low``..``high`` is what the engine accepts, ``times`` its unit, ``whole`` what a
    window over the whole text is written as; ``missing`` is the engine's own value where a text does not give it."""

    key: str
    param: str
    times: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    whole: int | None = None
    missing: float | None = None

    def write(self, value: Any, title: str, notes: Notes) -> Any:
        if self.whole is not None and value == 0:
            return self.whole
        if self.whole is not None and self.whole > 0 and value >= self.whole:
            notes.lost(f"A window of {value:,} tokens is cut to {self.whole:,}.")
            return self.whole
        written = _scaled(value, self.times)
        held = min(max(written, self.low), self.high)
        if held != written:
            notes.lost(f"{title} accepts {self.key} {_range(self.low, self.high)}: {written:g} becomes {held:g}.")
        return int(held) if isinstance(value, int) else held

    def read(self, raw: Any) -> Any:
        if not is_number(raw):
            raise PlaygroundError("it must be a number.")
        if self.whole is not None and (raw == self.whole or (self.whole > 0 and raw >= self.whole)):
            return 0
        return _scaled(raw, 1 / self.times) if self.times != 1 else raw


@dataclass(frozen=True)
class Texts:
    """A list of texts: as a JSON ``list``, as its JSON ``text``, or ``quoted`` ("a", "b"). ``none`` is written for an
    empty one."""

    key: str
    param: str
    form: str = "list"
    none: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None

    def write(self, value: Any, title: str, notes: Notes) -> Any:
        words = list(value or self.none)
        if words == [NO_BREAKER] and not value:
            notes.hint(f"{title} wants at least one sequence breaker; U+E000, which no text holds, stands for none.")
        if self.form == "list":
            return words
        return json.dumps(words) if self.form == "text" else ", ".join(json.dumps(word) for word in words)

    def read(self, raw: Any) -> Any:
        if isinstance(raw, str):
            try:
                raw = json.loads(raw if raw.lstrip().startswith("[") else f"[{raw}]")
            except (ValueError, RecursionError):
                raise PlaygroundError('it must be texts in quotes, such as "\\n", ":".') from None
        return [word for word in raw if word != NO_BREAKER] if isinstance(raw, list) else raw


Field = Number | Texts


@dataclass(frozen=True)
class Stage:
    """One stage and its keys, the deciding one first.

    ``neutral`` is written there where the stage is absent (None: nothing is); a value at or under ``off_under``, or
    equal to ``neutral``, switches it off. ``fixed`` are parameters the engine does not let anybody choose. ``switch``
    is a key that must be true besides. ``says`` is worth knowing wherever the stage is, ``warns`` is a difference.
    """

    name: str
    fields: tuple[Field, ...]
    neutral: Any = None
    off_under: float | None = None
    fixed: dict[str, Any] = field(default_factory=dict)
    switch: str | None = None
    says: str = ""
    warns: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The stages it stands for."""
        return (self.name,)

    def write(self, sampler: Sampler, values: dict[str, Any], title: str, notes: Notes) -> None:
        """Put a stage into ``values``; what cannot be said goes into the notes."""
        for one in self.fields:
            put(values, one.key, one.write(getattr(sampler, one.param), title, notes), sampler, notes)
        if self._off(values[self.fields[0].key]):
            notes.lost(f"{self.fields[0].key} {values[self.fields[0].key]} switches {sampler.title} off in {title}.")
        if self.switch:
            values[self.switch] = True
        for name, value in self.fixed.items():
            wanted, fact = getattr(sampler, name), sampler.params()[name]
            if wanted != value and name == "last_n":
                notes.lost(f"{title} counts the whole text: {sampler.title}'s window of {wanted} tokens is left out.")
            elif wanted != value:
                label = fact.label
                notes.lost(f"{title} has {label} {value} built in: {sampler.title}'s {wanted} is left out.")
        if self.says:
            notes.hint(self.says)
        if self.warns:
            notes.lost(self.warns)

    def silence(self, values: dict[str, Any]) -> None:
        """Write the value that switches it off, where nothing was written."""
        if self.neutral is not None:
            values.setdefault(self.fields[0].key, self.neutral)
        if self.switch:
            values.setdefault(self.switch, False)

    def read(self, given: Given) -> list[Sampler]:
        """The stage as a pasted text gives it; none where it is absent, off, unknown here or illegal."""
        if self.name not in SAMPLERS and not self._off(given.peek(self.fields[0].key)):
            return []
        on = given.flag(self.switch) if self.switch else True
        found = {one: given.take(one.key) if not _shared(one) else given.peek(one.key) for one in self.fields}
        first = self.fields[0]
        if not on or found[first] is None or self._off(found[first]):
            return []
        params: dict[str, Any] = dict(self.fixed)
        for one, raw in found.items():
            raw = one.missing if raw is None else raw
            if raw is None:
                continue
            try:
                params[one.param] = one.read(raw)
            except PlaygroundError as error:
                given.ignored.append(f"{one.key}: {error}")
                return []
        return built(self.name, params, first.key, given)

    def _off(self, raw: Any) -> bool:
        if not is_number(raw):
            return False
        return raw == self.neutral or (self.off_under is not None and raw <= self.off_under)


def built(name: str, params: dict[str, Any], key: str, given: Given) -> list[Sampler]:
    """A sampler, or none with the reason in ``given.ignored``; one that is off is absent."""
    try:
        sampler = SAMPLERS[name](**params)
    except PlaygroundError as error:
        given.ignored.append(f"{key}: {error}")
        return []
    return [] if sampler.is_off else [sampler]


def put(values: dict[str, Any], key: str, value: Any, sampler: Sampler, notes: Notes) -> None:
    """Write a key; where another stage wrote something else there, that stays and the notes say so."""
    if key in values and values[key] != value:
        notes.lost(f"{key} is one number for several stages: it stays {values[key]}, {sampler.title} wanted {value}.")
        return
    values[key] = value


def words_of(samplers: Sequence[Sampler]) -> str:
    """Titles as a list in a sentence."""
    titles = [sampler.title for sampler in samplers]
    return titles[0] if len(titles) == 1 else ", ".join(titles[:-1]) + " and " + titles[-1]


def _shared(one: Field) -> bool:
    """A window is one key for several stages, so reading it must leave it for the next."""
    return isinstance(one, Number) and one.whole is not None


def _scaled(value: float, times: float) -> Any:
    """value · times without the dust of binary fractions: 0.0003 · 10,000 is 3."""
    return value if times == 1 else float(f"{value * times:.15g}")


def _range(low: float, high: float) -> str:
    if low == -math.inf:
        return f"up to {high:g}"
    return f"from {low:g}" if high == math.inf else f"from {low:g} to {high:g}"


OUTPUT_PENALTIES = tuple(
    Stage(name, (Number(name, "penalty", low=-2.0, high=2.0),), neutral=0.0, fixed={"last_n": 0})
    for name in ("frequency_penalty", "presence_penalty")
)
"""As OpenAI documents them and vLLM has them: within ±2, over the whole text."""
