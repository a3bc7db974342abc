"""The targets by name, found by looking into their folder; writing for one of them, reading what any of them wrote.

Knows nothing about any particular target.
"""

from __future__ import annotations

import importlib
import pkgutil

from playground.errors import PlaygroundError
from playground.sampling.interop import targets
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.target import Target
from playground.sampling.interop.values import Export, Setup, Taken


def discover() -> dict[str, Target]:
    """Targets by name, in the order of their places."""
    found = [_the_target_of(module.name) for module in pkgutil.iter_modules(targets.__path__)]
    return {target.name: target for target in sorted(found, key=lambda target: (target.place, target.name))}


def _the_target_of(name: str) -> Target:
    module = importlib.import_module(f"{targets.__name__}.{name}")
    own = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Target)]
    own = [thing for thing in own if thing.__module__ == module.__name__]
    if len(own) != 1 or own[0].name != name:
        raise ImportError(f"{module.__name__} must define exactly one Target, with name = {name!r}.")
    return own[0]()


TARGETS = discover()


def export(target: object, setup: Setup) -> Export:
    """A setup as one target's text; PlaygroundError where there is no such target."""
    if not isinstance(target, str) or target not in TARGETS:
        raise PlaygroundError(f"There is no target {str(target)[:40]!r}. Known: {', '.join(TARGETS)}.")
    return TARGETS[target].write(setup)


def parse(text: object, assume: bool = False) -> Taken:
    """What a pasted text says, whichever engine it was written for; ``assume``: and what that engine does where the
    text says nothing. PlaygroundError where nobody knows it."""
    pasted = Pasted.of(text)
    sure = {name: target.sees(pasted) for name, target in TARGETS.items()}
    best = max(sure, key=lambda name: sure[name])
    if not sure[best]:
        known = ", ".join(target.title for target in TARGETS.values())
        raise PlaygroundError(f"This is no settings text that is known here. Known are: {known}; and curl calls.")
    return TARGETS[best].read(pasted, assume)
