"""Processor: a transformers LogitsProcessor class as text: its name, what it is made with, its source where it is ours.

Knows nothing about any particular stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True)
class Processor:
    """A class by name, what it is made with, and its source where transformers has none (with what that needs)."""

    name: str
    arguments: Arguments
    parameters: tuple[str, ...] = ()  # of our stage, in the order of the arguments: how the code is read back
    source: str = ""
    fixed: tuple[tuple[str, Any], ...] = ()


def own(name: str, parameters: tuple[str, ...], source: str) -> Processor:
    """A class of ours, made with the stage's own parameters."""
    return Processor(name, lambda one: tuple(getattr(one, key) for key in parameters), parameters, source.strip("\n"))


def theirs(name: str, parameter: str, low: float = 0.0, high: float = 1e300) -> Processor:
    """A class of transformers, made with one number held inside what it accepts."""
    return Processor(name, lambda one: (min(max(getattr(one, parameter), low), high),), (parameter,))
