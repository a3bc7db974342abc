"""Pasted: a text of a stranger, bounded before anything looks at it, with the JSON in it, a curl call's body included.

Knows nothing about any particular engine. Nothing is ever evaluated.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from playground.errors import PlaygroundError

MAX_CHARS = 200_000
MAX_DEPTH = 24
MAX_WORDS = 2_000
_BODY_FLAGS = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


@dataclass(frozen=True)
class Pasted:
    """The text, and what can be seen of it without knowing whose it is."""

    text: str

    @classmethod
    def of(cls, text: object) -> Pasted:
        """PlaygroundError where it is no text, empty, too long or nested too deeply."""
        if not isinstance(text, str):
            raise PlaygroundError("Paste a text: settings of an engine, or code.")
        if len(text) > MAX_CHARS:
            raise PlaygroundError(f"The text has {len(text):,} characters; at most {MAX_CHARS:,} are read.")
        text = text.replace("\r\n", "\n").replace("\x00", "").strip("\ufeff \n\t")
        if not text:
            raise PlaygroundError("The box is empty; paste settings of an engine, or drop a file.")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise PlaygroundError("The text holds half of a character (an unpaired surrogate); copy it again.")
        if _depth(text) > MAX_DEPTH:
            raise PlaygroundError(f"The text is nested more than {MAX_DEPTH} levels deep; no settings are.")
        return cls(text)

    @cached_property
    def is_curl(self) -> bool:
        return bool(re.match(r"\$?\s*curl\s", self.text))

    @cached_property
    def url(self) -> str:
        """The address of a curl call, or nothing."""
        return next((word for word in self.words if re.match(r"https?://", word)), "") if self.is_curl else ""

    @cached_property
    def data(self) -> Any:
        """The JSON value that the text is (or a curl call sends), or None."""
        text = self.text
        if self.is_curl:
            words = iter(self.words)
            text = next((body for word in words if (body := _body(word, words)) is not None), "")
        if text[:1] not in {"{", "["}:
            return None
        try:
            return json.loads(text, parse_constant=lambda name: None)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def words(self) -> list[str]:
        """The text as the words of a command, a line that ends in a backslash going on; none where quotes are open."""
        text = self.text.removeprefix("$").replace("\\\n", " ")
        try:
            found = shlex.split(text)
        except ValueError:
            return []
        return found[:MAX_WORDS]


def _body(word: str, rest: Iterator[str]) -> str | None:
    """The body that a word of a curl call carries, or the one behind it."""
    if word in _BODY_FLAGS:
        return next(rest, "").strip()
    flag, equals, value = word.partition("=")
    return value.strip() if equals and flag in _BODY_FLAGS else None


def _depth(text: str) -> int:
    """How deep brackets nest, those in quotes counted too: more is refused than must be, never less."""
    deepest = now = 0
    for char in text:
        step = _BRACKETS.get(char)
        if step:
            now = max(0, now + step)
            deepest = max(deepest, now)
    return deepest
