"""Fitting: a chain as an engine would run it: its stages, its rules, its ranges, its order; and what that changed.

Knows nothing about any particular engine or stage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from playground.sampling.chain import Chain
from playground.sampling.orders.order import Order, Stage
from playground.sampling.registry import SAMPLERS, sampler_class
from playground.sampling.sampler import Sampler

FLAVOUR, WINDOW = "flavour", "last_n"


@dataclass(frozen=True)
class Note:
    """One thing that is not as it was set. ``kind``: "dropped", "value", "rule", "order" or "added"."""

    kind: str
    stage: str
    says: str


def fitted(chain: Chain, order: Order) -> tuple[Chain, list[Note]]:
    """The chain as ``order``'s engine runs it. Pure, and the second time it changes nothing."""
    notes: list[Note] = []
    samplers = _had(_without_always(chain.samplers, order), order, notes)
    samplers = _beside_what_replaces(samplers, order, notes)
    samplers = [_fitted(sampler, order, [] if sampler.is_off else notes) for sampler in samplers]
    samplers = _in_one_window(samplers, order, notes)
    ordered = sorted(samplers, key=lambda sampler: (sampler.kind == "draw", order.place(sampler.name)))
    if ordered != samplers:
        path = " → ".join(called(sampler.name) for sampler in ordered)
        notes.append(Note("order", "", f"{order.name} runs them as {path}."))
    return Chain(tuple(_with_always(ordered, order, notes))), notes


def called(name: str) -> str:
    """A stage's title inside a sentence: temperature, top-p, DRY."""
    title = sampler_class(name).title
    return title if title[1:2].isupper() else title[0].lower() + title[1:]


def _had(samplers: Iterable[Sampler], order: Order, notes: list[Note]) -> list[Sampler]:
    """Those that the engine has, each once."""
    kept: dict[str, Sampler] = {}
    for sampler in samplers:
        name = sampler.name
        if order.stage(name) is None:
            _dropped(notes, sampler, f"{order.name} has no {called(name)}: it is left out.")
        elif name in kept:
            _dropped(notes, sampler, f"{order.name} runs {called(name)} once: the later one is left out.")
        else:
            kept[name] = sampler
    return list(kept.values())


def _beside_what_replaces(samplers: list[Sampler], order: Order, notes: list[Note]) -> list[Sampler]:
    """Where one stage replaces the chain or another stage, only what still runs."""
    on = {sampler.name for sampler in samplers if not sampler.is_off}
    ruler = next((stage for stage in order.alone if stage in on), None)
    beside = {ruler, *order.alone[ruler]} if ruler else set(SAMPLERS)
    by = {other: stage for stage, other in order.instead.items() if stage in on & beside}
    kept = []
    for sampler in samplers:
        reason = by.get(sampler.name) or (ruler if sampler.name not in beside else None)
        if reason is None:
            kept.append(sampler)
        else:
            words = f"With {called(reason)} on, {order.name} does not run {called(sampler.name)}."
            _dropped(notes, sampler, words)
    return kept


def _dropped(notes: list[Note], sampler: Sampler, says: str) -> None:
    if not sampler.is_off:  # what does nothing is not missed
        notes.append(Note("dropped", sampler.name, says))


def _fitted(sampler: Sampler, order: Order, notes: list[Note]) -> Sampler:
    """One stage by the engine's rule and within its ranges."""
    stage = order.stage(sampler.name)
    assert stage is not None, "only stages that the engine has come here"
    changes: dict[str, Any] = {}
    for parameter, (low, high) in stage.limits.items():
        value = getattr(sampler, parameter)
        inside = _within(value, low, high)
        if inside != value:
            changes[parameter] = inside
            words = f"{order.name} takes {called(sampler.name)} from {low:g} to {high:g} only"
            notes.append(Note("value", sampler.name, f"{words}: it runs at {_shown(inside)}."))
    if stage.whole_text and getattr(sampler, WINDOW):
        changes[WINDOW] = 0
        words = f"{order.name} has no window for {called(sampler.name)}: the whole text counts."
        notes.append(Note("value", sampler.name, words))
    facts = sampler.params().get(FLAVOUR)
    if facts:
        rule = stage.flavour or facts.default
        if getattr(sampler, FLAVOUR) != rule:
            changes[FLAVOUR] = rule
            engine = order.name.partition(" (")[0]  # without its variant
            words = dict(facts.choices)[rule].removeprefix(f"{engine}: ").removesuffix(".")
            notes.append(Note("rule", sampler.name, f"{order.name} has its own {called(sampler.name)}: {words}."))
    return dataclasses.replace(sampler, **changes) if changes else sampler


def _within(value: Any, low: float, high: float) -> Any:
    """A number, or the numbers of pairs (token id, bias), within a range."""
    if isinstance(value, tuple):
        return tuple((token_id, min(high, max(low, bias))) for token_id, bias in value)
    return min(high, max(low, value))


def _shown(value: Any) -> str:
    return "those" if isinstance(value, tuple) else f"{value:g}"


def _in_one_window(samplers: list[Sampler], order: Order, notes: list[Note]) -> list[Sampler]:
    """Stages that share a window, with that of the first of them that is on."""
    shared = [one for one in samplers if one.name in order.one_window and not one.is_off]
    if len({getattr(one, WINDOW) for one in shared}) < 2:
        return samplers
    window = getattr(shared[0], WINDOW)
    names = ", ".join(called(one.name) for one in shared)
    span = f"{window} tokens" if window else "the whole text"
    notes.append(Note("value", shared[1].name, f"{order.name} has one window for {names}: {span}."))
    return [dataclasses.replace(one, **{WINDOW: window}) if one in shared else one for one in samplers]


def always(order: Order) -> list[Sampler]:
    """What the engine runs whatever is set."""
    return [sampler for _, sampler in _always(order)]


def _always(order: Order) -> list[tuple[Stage, Sampler]]:
    return [
        (stage, SAMPLERS[stage.name](**stage.always))
        for stage in order.stages
        if stage.always is not None and stage.name in SAMPLERS
    ]


def _without_always(samplers: Iterable[Sampler], order: Order) -> list[Sampler]:
    added = always(order)
    return [sampler for sampler in samplers if sampler not in added]


def _with_always(samplers: list[Sampler], order: Order, notes: list[Note]) -> list[Sampler]:
    found = list(samplers)
    for stage, sampler in _always(order):
        place = order.stages.index(stage)
        at = next((number for number, one in enumerate(found) if order.place(one.name) > place), len(found))
        found.insert(at, sampler)
        notes.append(Note("added", sampler.name, f"{order.name} {stage.says}."))
    return found
