"""Tokens to text as it streams: whole characters only, and never the beginning of a stop string.

Knows nothing about models or lanes: bytes go in, text that is safe to show comes out.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextTail:
    """Holds back what later tokens could still change; one per sample."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self.stopped = False
        """A stop string has appeared; it and everything after it are never shown."""
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""

    def add(self, piece: bytes, last: bool = False) -> str:
        """The text that is certain once ``piece`` has arrived; ``last`` lets go of everything held."""
        text = self._held + self._decoder.decode(piece, last)
        starts = [start for start in (text.find(stop) for stop in self._stop) if start >= 0]
        if starts:
            self.stopped, self._held = True, ""
            return text[: min(starts)]
        num_held = 0 if last else self._num_undecided(text)
        self._held = text[len(text) - num_held :]
        return text[: len(text) - num_held]

    def _num_undecided(self, text: str) -> int:
        """Characters at the end of ``text`` that may begin a stop string."""
        return max((_overlap(text, stop) for stop in self._stop), default=0)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that is a proper beginning of ``stop``."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
