"""Common sequences: whether the stages of several chains fit into one order, and which.

Knows nothing about tensors, parameters or users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from playground.sampling.sampler import Sampler


class Stage(NamedTuple):
    """A sampler and its index in its own chain."""

    sampler: Sampler
    place: int


Key = tuple[str, tuple[str, ...], int]  # name of a sampler, its flavour, and which of its copies in the chain
Stages = dict[Key, Stage]  # in order


def numbered(samplers: Sequence[Sampler]) -> Stages:
    """The stages of a chain that do something, each under a key of its own."""
    stages: Stages = {}
    for place, sampler in enumerate(samplers):
        if not sampler.is_off:
            copies = sum(name == sampler.name for name, _, _ in stages)
            stages[sampler.name, sampler.variant, copies] = Stage(sampler, place)
    return stages


def common_sequence(first: Stages, second: Stages) -> Stages | None:
    """The stages of both in an order that respects both, or None where there is no such order.

    A stage that only one of them has must have an off setting, for the rows that lack it; a draw must stay last.
    """
    if [key for key in first if key in second] != [key for key in second if key in first]:
        return None
    if any(stages.sampler.off is None for stages in _exclusive(first, second)):
        return None
    merged: Stages = {}
    waiting = list(first.items())
    for key, stage in second.items():
        while key in first and key not in merged:  # everything that the first has up to here comes before
            name, own = waiting.pop(0)
            merged[name] = own
        merged.setdefault(key, stage)
    merged.update(waiting)
    kinds = [stage.sampler.kind for stage in merged.values()]
    return None if "draw" in kinds[:-1] else merged


def _exclusive(first: Stages, second: Stages) -> list[Stage]:
    return [
        stage for one, other in ((first, second), (second, first)) for key, stage in one.items() if key not in other
    ]
