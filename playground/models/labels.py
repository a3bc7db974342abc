"""A token's bytes as a person should see them: ``␣the``, ``↵``, ``⇥``, ``<0xE2>``.

Knows nothing about tokenizers or models.
"""

from __future__ import annotations

import unicodedata

NAMED = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍"}

HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
"""Unicode categories that draw nothing, or nothing one can tell from something else."""

JOINERS = "\u200c\u200d"
"""Part of the spelling of Persian, Hindi and many emoji: kept between other characters, shown alone."""


def visible(data: bytes) -> str:
    """Every byte accounted for: whole characters as they are, the rest by number."""
    parts: list[str] = []
    while data:
        try:
            parts.append(_visible_text(data.decode("utf-8")))
            break
        except UnicodeDecodeError as error:
            parts.append(_visible_text(data[: error.start].decode("utf-8")))
            broken = data[error.start : error.end]
            parts += [f"<0x{value:02X}>" for value in broken]
            data = data[error.end :]
    return "".join(parts)


def _visible_text(text: str) -> str:
    shown = "".join(_visible_character(character, text) for character in text)
    # A mark that combines with the character before it needs one to stand on.
    return "◌" + shown if text and unicodedata.category(text[0]) in {"Mn", "Me", "Mc"} else shown


def _visible_character(character: str, text: str) -> str:
    if character in NAMED:
        return NAMED[character]
    if unicodedata.category(character) in HIDDEN_CATEGORIES and not (character in JOINERS and len(text) > 1):
        return f"<U+{ord(character):04X}>"
    return character
