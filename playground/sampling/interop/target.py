"""Target: one engine's own format; how a setup is written in it and how a text in it is read back.

Knows nothing about any particular engine.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any, ClassVar, Protocol

from playground.sampling import orders
from playground.sampling.chain import Chain
from playground.sampling.interop.given import Given
from playground.sampling.interop.guiding import cfg, scale_of, title_of
from playground.sampling.interop.ordering import Order, say_order
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.values import Export, Notes, Setup, Taken
from playground.sampling.recipe import Recipe
from playground.sampling.sampler import Sampler

DICE = "The distribution is ours; the dice are the engine's own, so a seed draws other tokens there."

FLAVOUR = "flavour"
ONLY_TIES = ("top_k",)
"""Stages whose rules differ only where scores tie, which real ones hardly ever do."""


class Codec(Protocol):
    """How one stage (or a few that share keys) is written and read; see ``stages.py`` and ``special.py``."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def write(self, sampler: Sampler, values: dict[str, Any], title: str, notes: Notes) -> None: ...

    def silence(self, values: dict[str, Any]) -> None: ...

    def read(self, given: Given) -> list[Sampler]: ...


class Target:
    """One target. A file of ``targets`` defines one subclass whose ``name`` is the file's."""

    name: ClassVar[str]
    title: ClassVar[str]
    place: ClassVar[int]  # where it stands in the list
    runs: ClassVar[str | None] = None  # the engine it is for, as ``orders`` knows it
    language: ClassVar[str]
    file_name: ClassVar[str]
    stages: ClassVar[tuple[Codec, ...]] = ()
    order: ClassVar[Order]
    surroundings: ClassVar[dict[str, str]] = {}  # its key -> the field of Setup: "seed", "max_tokens", ...
    signature: ClassVar[frozenset[str]] = frozenset()  # keys that only this target has
    idle: ClassVar[dict[str, str]] = {}  # keys it knows that have no place here -> why
    scale_key: ClassVar[str | None] = None  # of classifier-free guidance, where the engine has it
    unguided: ClassVar[str] = "has no guidance"
    who: ClassVar[str] = ""  # the engine in a sentence, where the title does not fit there
    terse: ClassVar[bool] = False  # whether what is off may be left out

    def write(self, setup: Setup) -> Export:
        """The setup as this engine's text."""
        raise NotImplementedError

    def sees(self, pasted: Pasted) -> int:
        """How sure it is that a text is its own; 0: it is not."""
        raise NotImplementedError

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        """What such a text says, and with ``assume`` what the engine does where it says nothing; called only where
        ``sees`` is above 0."""
        raise NotImplementedError

    def settings(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        """The chain as this engine's keys and values, every other stage switched off, with what must be said."""
        values: dict[str, Any] = {}
        kept = self.kept(setup.chain, notes)
        say_order(self.order, kept, self.engine, notes)
        codecs = {name: codec for codec in self.stages for name in codec.names}
        for sampler in kept:
            codecs[sampler.name].write(sampler, values, self.engine, notes)
            self.say_rule(sampler, notes)
        written = set(values)
        for codec in self.stages:
            codec.silence(values)
        if self.terse:
            values = {key: value for key, value in values.items() if key in written}
        self.order.say(kept, values)
        self.guide(setup, values, notes)
        notes.hint(DICE)
        return values

    @property
    def engine(self) -> str:
        """What a sentence calls it."""
        return self.who or self.title

    def say_rule(self, sampler: Sampler, notes: Notes) -> None:
        """Where the engine runs a stage by another rule than ours."""
        there = self.by_its_rule(sampler)
        if there == sampler:
            return
        rule = dict(sampler.params()[FLAVOUR].choices)[getattr(there, FLAVOUR)]
        words = f"{sampler.title} follows another rule in {self.engine}: {rule}."
        if sampler.name in ONLY_TIES and getattr(sampler, FLAVOUR) == sampler.params()[FLAVOUR].default:
            notes.hint(words)
        else:
            notes.lost(words)

    def by_its_rule(self, sampler: Sampler) -> Sampler:
        """The stage as the engine runs it, where engines differ."""
        fact = sampler.params().get(FLAVOUR)
        if fact is None or self.runs is None:
            return sampler
        stage = orders.find(self.runs).stage(sampler.name)
        return dataclasses.replace(sampler, **{FLAVOUR: (stage.flavour if stage else "") or fact.default})

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What the engine does where nothing is said, in its own keys."""
        values: dict[str, Any] = {}
        stages = orders.find(self.runs).defaults if self.runs else []
        codecs = {name: codec for codec in self.stages for name in codec.names}
        for sampler in Chain.from_json(stages).samplers:
            if sampler.name in codecs:
                codecs[sampler.name].write(sampler, values, self.engine, Notes())
        return values

    def kept(self, chain: Chain, notes: Notes) -> list[Sampler]:
        """The stages that this engine has, each once; the rest is said to be left out."""
        known = {name for codec in self.stages for name in codec.names}
        kept: list[Sampler] = []
        for sampler in chain.samplers:
            if sampler.is_off:
                continue
            if sampler.name not in known:
                notes.lost(f"{self.engine} has no {sampler.title}; it is left out.")
            elif any(one.name == sampler.name for one in kept):
                notes.lost(f"{sampler.title} stands in the chain twice; {self.engine} runs it once, as the first says.")
            else:
                kept.append(sampler)
        return kept

    def guide(self, setup: Setup, values: dict[str, Any], notes: Notes) -> None:
        """Guidance under the engine's keys, or the sentence that it is left out."""
        if not setup.guided or setup.guidance is None:
            return
        if self.scale_key is None:
            words = f"{title_of(setup.guidance)} at scale {setup.guidance.scale:g}"
            notes.lost(f"{self.engine} {self.unguided}: {words} is left out.")
        elif (scale := scale_of(setup.guidance)) is None:
            notes.lost(
                f"{self.engine} has plain classifier-free guidance only: {title_of(setup.guidance)} is left out."
            )
        else:
            values[self.scale_key] = scale

    def taken(self, values: dict[str, Any], assume: bool, ignored: Sequence[str] = (), **surroundings: Any) -> Taken:
        """Keys and values as a setup, with all that could not be taken; ``surroundings`` are known already."""
        unsaid = tuple(f"{key} {value}" for key, value in self.defaults.items() if values.get(key) is None)
        given = Given({**self.defaults, **values} if assume else values)
        given.ignored += ignored
        found = [self.by_its_rule(sampler) for codec in self.stages for sampler in codec.read(given)]
        names, off = self.order.read(given)
        for shared in {field.key for codec in self.stages for field in getattr(codec, "fields", ())}:
            given.take(shared)
        for sampler in found:
            if sampler.name in off and not (assume and set(self.defaults) & set(_keys(self, sampler)) - set(values)):
                given.ignored.append(f"{sampler.title}: the list of stages leaves it out, so it would not run there")
        rank = {name: number for number, name in enumerate(names)}
        found = sorted(
            (sampler for sampler in found if sampler.name not in off),
            key=lambda sampler: (sampler.kind == "draw", rank.get(sampler.name, len(rank))),
        )
        draws = [sampler for sampler in found if sampler.kind == "draw"]
        given.ignored += [f"{one.title}: only one stage can draw the token" for one in draws[1:]]
        chain = Chain(tuple(sampler for sampler in found if sampler not in draws[1:]))
        setup = Setup(chain, self._guidance(given), **{**self._around(given), **surroundings})
        for key, why in self.idle.items():
            given.drop(key, why=why)
        given.rest()
        return Taken(self.name, self.title, setup, tuple(given.ignored), () if assume else unsaid)

    def _around(self, given: Given) -> dict[str, Any]:
        """Seed, length, stop strings and prompts, as far as they are said."""
        found: dict[str, Any] = {}
        for key, name in self.surroundings.items():
            if key not in given:
                continue
            if name == "seed":
                if isinstance(given.peek(key), int) and given.peek(key) < 0:
                    given.drop(key, why="a seed below 0 means a random one")
                    continue
                value: Any = given.whole(key, 0, 2**53 - 1)
            elif name == "max_tokens":
                value = given.whole(key, 1, 10**9)
            elif name == "stop":
                value = given.texts(key)
            else:
                value = given.text(key)
            if value is not None and name not in found:
                found[name] = value
        return found

    def _guidance(self, given: Given) -> Recipe | None:
        if self.scale_key is None or self.scale_key not in given:
            return None
        scale = given.number(self.scale_key)
        if scale is None or not -20 <= scale <= 20:
            given.ignored.append(f"{self.scale_key}: the scale goes from -20 to 20")
            return None
        return cfg(float(scale))


def _keys(target: Target, sampler: Sampler) -> list[str]:
    """The keys of one stage."""
    found = [codec for codec in target.stages if sampler.name in codec.names]
    return [field.key for codec in found for field in getattr(codec, "fields", ())]


@cache
def known_keys(target: Target) -> frozenset[str]:
    """Every key that a target reads, found by asking its codecs with empty hands."""

    class Listener(Given):
        def __init__(self) -> None:
            super().__init__({})
            self.asked: set[str] = set()

        def take(self, key: str) -> Any:
            self.asked.add(key)

        def peek(self, key: str) -> Any:
            self.asked.add(key)

    listener = Listener()
    for codec in target.stages:
        codec.read(listener)
    target.order.read(listener)
    extra = {target.scale_key} if target.scale_key else set()
    return frozenset(listener.asked | set(target.surroundings) | set(target.idle) | target.signature | extra)
