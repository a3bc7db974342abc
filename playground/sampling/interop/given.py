"""Given: the key-value pairs of a pasted text, which remembers what was read; the rest is listed as ignored.

Knows nothing about any particular engine. Values come from strangers: every one is checked for its type.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from playground.sampling.param import shortened

MAX_IGNORED = 60  # lines; a text with more oddities than this is not read to its end by anybody
MAX_KEY_CHARS = 60


class Given:
    """Values by key. Each reader takes the key out and says in ``ignored`` why a value was no use."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self.ignored: list[str] = []

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def peek(self, key: str) -> Any:
        return self._values.get(key)

    def take(self, key: str) -> Any:
        return self._values.pop(key, None)

    def number(self, key: str) -> float | None:
        """A finite number, or None where there is none."""
        value = self.take(key)
        if value is None or is_number(value):
            return value
        self.refuse(key, value, "a number")
        return None

    def whole(self, key: str, low: int, high: int) -> int | None:
        value = self.number(key)
        if value is None or (value == int(value) and low <= value <= high):
            return None if value is None else int(value)
        self.refuse(key, value, f"a whole number from {low} to {high:,}")
        return None

    def text(self, key: str) -> str | None:
        value = self.take(key)
        if value is None or isinstance(value, str):
            return value
        self.refuse(key, value, "a text")
        return None

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, or one text."""
        value = self.take(key)
        value = [value] if isinstance(value, str) else value
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(one for one in value if one)
        self.refuse(key, value, "a list of texts")
        return None

    def flag(self, key: str) -> bool:
        return bool(self.take(key))

    def drop(self, *keys: str, why: str) -> None:
        """Say of keys that are known and have no place here why they have none."""
        found = [key for key in keys if self.take(key) is not None]
        if found:
            self.ignored.append(f"{', '.join(found)}: {why}")

    def rest(self) -> None:
        """Whatever nobody read is ignored; says so, and no more than fits a page."""
        for key, value in self._values.items():
            if value is not None:
                self.ignored.append(f"{key[:MAX_KEY_CHARS]} = {shortened(value)}: not known here")
        self._values = {}
        if len(self.ignored) > MAX_IGNORED:
            more = len(self.ignored) - MAX_IGNORED
            self.ignored[MAX_IGNORED:] = [f"and {more:,} more"]

    def refuse(self, key: str, value: Any, what: str) -> None:
        """Say that a value is no use."""
        self.ignored.append(f"{key} = {shortened(value)}: it must be {what}")


def is_number(value: Any) -> bool:
    """Finite, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def number_of(text: str) -> Any:
    """A text as the number it spells, or itself."""
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number == int(number) and "." not in text and "e" not in text.lower() else number
