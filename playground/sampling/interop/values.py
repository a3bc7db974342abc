"""Setup: everything a person has set, as one value; Export and Taken: what leaves for an engine, what comes back.

Knows nothing about any particular engine, or about pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from playground.sampling.chain import Chain
from playground.sampling.recipe import Recipe

WHOLE_TEXT = 131_072
"""Tokens. What a window is written as where an engine has no word for "the whole text"."""


@dataclass(frozen=True)
class Setup:
    """Chain and guidance, and what stands around them; None means "nothing is said of it"."""

    chain: Chain = field(default_factory=Chain)
    guidance: Recipe | None = None
    prompt: str | None = None
    negative: str | None = None
    chat: bool | None = None
    system: str | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] | None = None
    model: str | None = None  # a hub id

    @property
    def guided(self) -> bool:
        return self.guidance is not None and not self.guidance.is_off

    @property
    def said(self) -> dict[str, Any]:
        """What is said of the surroundings, without chain and guidance."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in {"chain", "guidance"}}
        return {name: value for name, value in values.items() if value is not None}


class Notes:
    """What must be said beside an export: ``lost`` where the engine does something else, ``hint`` where it is as well
    to know how."""

    def __init__(self) -> None:
        self.losses: dict[str, None] = {}  # dictionaries, because they keep order and forget repetitions
        self.hints: dict[str, None] = {}

    def lost(self, words: str) -> None:
        self.losses[words] = None

    def hint(self, words: str) -> None:
        self.hints[words] = None


@dataclass(frozen=True)
class Export:
    """A text for one engine. With no ``losses`` it makes the engine sample from our distribution."""

    text: str
    language: str  # "python", "json", "shell", "modelfile" or "yaml"
    file_name: str
    losses: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taken:
    """What a pasted text said: the setup, what was ignored and why, what its engine would add by itself."""

    target: str
    title: str
    setup: Setup
    ignored: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
