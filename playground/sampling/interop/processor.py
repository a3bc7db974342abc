"""Processor: a transformers LogitsProcessor class as text: its name, what it is made with, its source where it is ours.

Knows nothing about any particular stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playground.sampling.interop.values import Notes

Arguments = Callable[[Any], tuple[Any, ...]]
Say = Callable[[Any, Notes], None]


@dataclass(frozen=True)
class Expression:
    """An argument that the code works out when it runs: it is written as it stands, not as a text in quotes."""

    source: str

    def __repr__(self) -> str:
        return self.source


def nothing(sampler: Any, notes: Notes) -> None:
    """Most processors need no word beside them."""


@dataclass(frozen=True)
class Processor:
    """A class by name, what it is made with, and its source where transformers has none (with what that needs)."""

    name: str
    arguments: Arguments
    parameters: tuple[str, ...] = ()  # of our stage, in the order of the arguments: how the code is read back
    source: str = ""
    say: Say = nothing  # what must be said of it beside the code


def own(name: str, parameters: tuple[str, ...], source: str, say: Say = nothing) -> Processor:
    """A class of ours, made with the stage's own parameters."""

    def arguments(one: Any) -> tuple[Any, ...]:
        return tuple(getattr(one, key) for key in parameters)

    return Processor(name, arguments, parameters, source.strip("\n"), say)


def theirs(name: str, parameter: str, low: float = 0.0, high: float = 1e300) -> Processor:
    """A class of transformers, made with one number held inside what it accepts."""
    return Processor(name, lambda one: (min(max(getattr(one, parameter), low), high),), (parameter,))
