"""Where in a text a feature found what it looks for: spans (start, end) in code points, in order, none empty.

Knows nothing about pools or drawing. One function for each kind that finds something in one place rather than counting
over the whole text; the page marks the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from playground.control.texts import Span, Tools
from playground.control.words import Phrases, begins, ends

MAX_SPANS = 40
"""Of one feature in one text: a pattern may match every letter, and nobody looks at more."""
Finder = Callable[[str], Iterable[Span]]


def found(find: Finder, text: str) -> list[Span]:
    """The first of them, empty ones left out."""
    return list(islice((span for span in find(text) if span[0] < span[1]), MAX_SPANS))


def literal(given: Mapping[str, Any], _: Tools) -> Finder:
    """Every occurrence of the phrases."""
    return phrases_of(given).spans


def phrases_of(given: Mapping[str, Any]) -> Phrases:
    """The search of *contains* and *contains any of*."""
    phrases = given["words"] if "words" in given else [given["text"]]
    return Phrases.of(phrases, given["whole_words"], given["match_case"])


def pattern(given: Mapping[str, Any], tools: Tools) -> Finder:
    """Every match of a pattern, by the same linear-time library that scores it."""
    find = tools.find_pattern
    return lambda text: () if find is None else find(given["pattern"], text)


def start(given: Mapping[str, Any], _: Tools) -> Finder:
    """The beginning itself, spaces before it aside."""

    def find(text: str) -> Iterator[Span]:
        at = len(text) - len(text.lstrip())
        if length := begins(text[at:], given["text"].lstrip()):
            yield at, at + length

    return find


def end(given: Mapping[str, Any], _: Tools) -> Finder:
    """The ending itself, spaces after it aside."""

    def find(text: str) -> Iterator[Span]:
        stop = len(text.rstrip())
        if length := ends(text[:stop], given["text"].rstrip()):
            yield stop - length, stop

    return find


def first_word(given: Mapping[str, Any], _: Tools) -> Finder:
    """The one word that decides: the first of either set."""
    either = Phrases.of([*given["first"], *given["second"]])
    return lambda text: islice(either.spans(text), 1)
