"""What features need from elsewhere: patterns in linear time (RE2), a sentiment lexicon's words (VADER), classifiers.

Knows nothing about features or pools. Packages are imported and models loaded when they are first wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from playground.control.spans import MAX_SPANS
from playground.control.texts import Matcher, Scores, Span, Tools
from playground.errors import PlaygroundError
from playground.models.classifier import classifier

MAX_PATTERN_BYTES = 1 << 20
"""Memory one compiled pattern may take: RE2 answers in linear time, but a pattern can still be huge."""


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = MAX_PATTERN_BYTES
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        words = error.args[0] if error.args else ""
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise PlaygroundError(
            f"The pattern {pattern[:60]!r} cannot be read: {text[:120]}. It is RE2, so there is no look-around and "
            "there are no back-references."
        ) from error


def compile_pattern(pattern: str) -> Matcher:
    """A search for an RE2 pattern; PlaygroundError where it is none."""
    compiled = _compiled(pattern)
    return lambda text: compiled.search(_encodable(text)) is not None


@lru_cache(maxsize=8192)
def find_pattern(pattern: str, text: str) -> Sequence[Span]:
    """Where it matches, the first few; remembered, for all patterns of a list in all texts that are shown, because a
    drag asks about the same ones again and again."""
    matches = _compiled(pattern).finditer(_encodable(text))
    return tuple(match.span() for match in islice(matches, 2 * MAX_SPANS))


def _encodable(text: str) -> str:
    """As long as before, a half of a character (an unpaired surrogate) replaced: RE2 reads UTF-8."""
    return text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1)
def valences() -> Mapping[str, float]:
    """Some 7,500 words and emoticons and how pleasant people found them, -4 to 4 (Hutto & Gilbert 2014, MIT licence);
    emoji of one sign as the words of their names."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    found = {word: float(value) for word, value in analyzer.lexicon.items()}
    for emoji, name in analyzer.emojis.items():
        if len(emoji) == 1 and (felt := sum(found.get(word, 0.0) for word in name.split())):
            found[emoji] = felt
    return found


def text_tools() -> Tools:
    """The tools that need no model: what strangers on a page may use, with the classifiers that its host has named."""
    return Tools(compile_pattern=compile_pattern, find_pattern=find_pattern, valences=valences())


def script_tools() -> Tools:
    """The same with classifiers by hub id or folder: for scripts, whose author chooses what is fetched."""

    def scores(name: str, label: str) -> Scores:
        score = classifier(name, label)
        return lambda texts: score([one.text for one in texts])

    return replace(text_tools(), classifier=scores)
