"""The registry: every sampler by name, found by looking into the folder of samplers, one file each.

Knows nothing about any particular sampler.
"""

from __future__ import annotations

import importlib
import pkgutil

from playground.errors import PlaygroundError
from playground.sampling import samplers
from playground.sampling.sampler import Sampler


def discover() -> dict[str, type[Sampler]]:
    """Sampler classes by name, in the order of their slots."""
    found = [_the_sampler_of(module.name) for module in pkgutil.iter_modules(samplers.__path__)]
    return {sampler.name: sampler for sampler in sorted(found, key=lambda sampler: (sampler.slot, sampler.name))}


def _the_sampler_of(name: str) -> type[Sampler]:
    module = importlib.import_module(f"{samplers.__name__}.{name}")
    own = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Sampler)]
    own = [thing for thing in own if thing.__module__ == module.__name__]
    if len(own) != 1 or own[0].name != name:
        raise ImportError(f"{module.__name__} must define exactly one Sampler, with name = {name!r}.")
    return own[0]


SAMPLERS = discover()


def sampler_class(name: object) -> type[Sampler]:
    """The class of a name, or an error that lists the known ones."""
    if not isinstance(name, str) or name not in SAMPLERS:
        raise PlaygroundError(f"There is no sampler {str(name)[:40]!r}. Known: {', '.join(sorted(SAMPLERS))}.")
    return SAMPLERS[name]
