"""Where in a text a feature found what it looks for: spans (start, end) in code points, in order, none empty.

Knows nothing about pools or drawing. One function for each kind that finds something in one place rather than counting
over the whole text; the page marks the words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from playground.control.texts import WORD, Span, Tools, literal_matcher

MAX_SPANS = 40
"""Of one feature in one text: a pattern may match every letter, and nobody looks at more."""
Finder = Callable[[str], Iterable[Span]]


def found(find: Finder, text: str) -> list[Span]:
    """The first of them, empty ones left out."""
    return list(islice((span for span in find(text) if span[0] < span[1]), MAX_SPANS))


def literal(given: Mapping[str, Any], _: Tools) -> Finder:
    """Every occurrence of the phrases."""
    phrases = given["words"] if "words" in given else [given["text"]]
    pattern = literal_matcher(phrases, given["whole_words"], given["match_case"])
    return lambda text: (match.span() for match in pattern.finditer(text))


def pattern(given: Mapping[str, Any], tools: Tools) -> Finder:
    """Every match of a pattern, by the same linear-time library that scores it."""
    find = tools.find_pattern
    return lambda text: () if find is None else find(given["pattern"], text)


def start(given: Mapping[str, Any], _: Tools) -> Finder:
    """The beginning itself, spaces before it aside."""

    def find(text: str) -> Iterator[Span]:
        at = len(text) - len(text.lstrip())
        length = _as_long_as(given["text"].casefold(), text[at:])
        if length:
            yield at, at + length

    return find


def end(given: Mapping[str, Any], _: Tools) -> Finder:
    """The ending itself, spaces after it aside."""

    def find(text: str) -> Iterator[Span]:
        stop = len(text.rstrip())
        length = _as_long_as(given["text"].casefold()[::-1], text[:stop][::-1], backwards=True)
        if length:
            yield stop - length, stop

    return find


def first_word(given: Mapping[str, Any], _: Tools) -> Finder:
    """The one word that decides: the first of either set."""
    either = {word.lower() for word in [*given["first"], *given["second"]]}

    def find(text: str) -> Iterator[Span]:
        yield from islice((word.span() for word in re.finditer(WORD, text) if word[0].lower() in either), 1)

    return find


def _as_long_as(folded: str, text: str, backwards: bool = False) -> int:
    """How many characters of ``text`` fold to ``folded`` at its beginning; 0 where it does not begin so. One character
    may fold to several (ß to ss), so the two lengths differ."""
    so_far = ""
    for length, char in enumerate(text, start=1):
        piece = char.casefold()
        so_far += piece[::-1] if backwards else piece
        if len(so_far) >= len(folded):
            return length if so_far.startswith(folded) else 0
    return 0
