"""A text as features see it, and the tools that some of them are handed.

Knows nothing about tokens' meaning, models or features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from playground.errors import PlaygroundError


@dataclass(frozen=True)
class Text:
    """What was written after the prompt, and what is known about it."""

    text: str
    num_tokens: int = 0
    """The end token, where it was drawn, counted once."""
    surprisal_bits: float | None = None
    """-log2 of its probability under the model; None where nobody has asked a model."""


class Unreadable(PlaygroundError):
    """A feature cannot be had at all, whatever the text: its model is not there, or has no such label."""


Matcher = Callable[[str], bool]
Span = tuple[int, int]
"""Start and end in a text, in code points."""
Scores = Callable[[Sequence[Text]], Sequence[float]]


@dataclass(frozen=True)
class Tools:
    """What some features need from outside, handed in by whoever has it: this layer imports no model and no pattern
    library. A missing one is said where it is wanted."""

    compile_pattern: Callable[[str], Matcher] | None = None
    """A pattern of a stranger as a search in linear time (RE2); PlaygroundError where it is none."""
    valences: Mapping[str, float] | None = None
    """Words (lower case) and how pleasant they are, -4 to 4."""
    surprisal_bits: Scores | None = None
    """-log2 p of texts under a model."""
    classifier: Callable[[str, str], Scores] | None = None
    """(hub id or folder, label) -> probability of the label for texts."""
    find_pattern: Callable[[str, str], Sequence[Span]] | None = None
    """(pattern, text) -> where it matches, by the same library."""


def bounded(text: str, most: int, what: str) -> str:
    """The text, or a PlaygroundError where reading it could take too long."""
    if len(text) > most:
        raise PlaygroundError(f"{what} reads at most {most:,} characters; this text has {len(text):,}.")
    return text
