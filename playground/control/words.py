"""Letters, words and phrases as readers see them: whatever their case, accents in one sign or two, any script.

Knows nothing about features. Text is compared as Unicode's canonical caseless matching does it: decomposed, folded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from playground.control.texts import Span

UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, Japanese, Chinese: scripts that write words without spaces between them. Every
letter counts as a word, since where words end only a dictionary could tell."""
JOINERS = "\u200c\u200d"
UNSEEN = {0x2019: "'", **dict.fromkeys([0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10)])}
"""Curly apostrophes are straight ones; soft hyphens, spaces of no width and variation selectors are not there."""


@cache
def marks() -> str:
    """The inside of a character class: signs that belong to the letter before them (accents, vowel signs, joiners)."""
    codes = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0])]
    return JOINERS + "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)


def folded(text: str, match_case: bool = False) -> str:
    """The text in the spelling in which it is compared."""
    if text.isascii():
        return text if match_case else text.lower()
    plain = unicodedata.normalize("NFD", text.translate(UNSEEN))
    return plain if match_case else unicodedata.normalize("NFD", plain.casefold())


def places(text: str, match_case: bool = False) -> list[int]:
    """For each character of the folded text, the place of the one it comes from; and the text's length at the end."""
    if text.isascii():
        return list(range(len(text) + 1))
    lengths = (len(folded(char, match_case)) for char in text)
    return [*(at for at, length in enumerate(lengths) for _ in range(length)), len(text)]


@cache
def _word() -> re.Pattern[str]:
    letter = rf"(?:(?![{UNSPACED}])\w[{marks()}]*)"
    return re.compile(rf"[{UNSPACED}][{marks()}]*|{letter}+(?:'{letter}+)*")


ASCII_WORD = re.compile(r"[A-Za-z0-9_]+(?:'[A-Za-z0-9_]+)*")


def words_of(text: str) -> list[str]:
    """Folded words, apostrophes inside them kept."""
    plain = folded(text)
    found = (ASCII_WORD if plain.isascii() else _word()).findall(plain)
    return [word for word in found if word.isascii() or any(map(str.isalnum, word)) or "_" in word]


@dataclass(frozen=True)
class Phrases:
    """A search for fixed phrases: no pattern of anybody is interpreted, and a space is any space."""

    pattern: re.Pattern[str]
    in_ascii: re.Pattern[str]
    """The same for texts of plain letters, three times as fast."""
    match_case: bool

    @classmethod
    def of(cls, phrases: Sequence[str], whole_words: bool = True, match_case: bool = False) -> Phrases:
        """Any of them. A whole word stands beside no further letter of a script that has spaces."""
        wanted = sorted({folded(one, match_case) for one in phrases}, key=len, reverse=True)  # the longest first
        plain = [one for one in wanted if one.isascii()]
        letter = rf"(?![{UNSPACED}])[\w{marks()}]"
        return cls(
            re.compile(_any_of(wanted, whole_words, letter, f"(?![{marks()}])")),
            re.compile(_any_of(plain, whole_words, r"\w", "")),
            match_case,
        )

    def are_in(self, text: str) -> bool:
        """Whether one of them occurs."""
        return self.first(text) is not None

    def first(self, text: str) -> tuple[int, int] | None:
        """Where the first one is, and its length less than 0, in the folded text: of two searches the smaller answer
        came first, or at the same place is longer."""
        plain = folded(text, self.match_case)
        found = self._for(plain).search(plain)
        return None if found is None else (found.start(), -len(found[0]))

    def spans(self, text: str) -> Iterator[Span]:
        """Where they occur in the text itself."""
        plain, place = folded(text, self.match_case), places(text, self.match_case)
        for found in self._for(plain).finditer(plain):
            yield place[found.start()], place[found.end() - 1] + 1

    def _for(self, plain: str) -> re.Pattern[str]:
        return self.in_ascii if plain.isascii() else self.pattern


def _any_of(phrases: Sequence[str], whole_words: bool, letter: str, whole: str) -> str:
    """A pattern for folded phrases. ``letter``: what a whole word may not stand beside; ``whole``: that no sign follows
    which belongs to the last letter."""
    groups: dict[tuple[str, str], list[str]] = {}
    for phrase in phrases:
        wanted = phrase.strip() if whole_words else phrase
        if not wanted:
            continue
        before = f"(?<!{letter})" if whole_words and re.match(letter, wanted[0]) else ""
        after = f"(?!{letter})" if whole_words and re.match(letter, wanted[-1]) else whole
        inside = r"\s+".join(map(re.escape, wanted.split()))
        edges = [r"\s" if edge.isspace() else "" for edge in (wanted[0], wanted[-1])]  # one: \s+ here takes a square
        groups.setdefault((before, after), []).append(inside.join(edges) if wanted.strip() else r"\s")
    inner = (f"{before}(?:{'|'.join(group)}){after}" for (before, after), group in groups.items())
    return "|".join(inner) or "(?!)"


def begins(text: str, start: str) -> int:
    """How many characters of ``text`` are ``start``, case aside; 0 where it does not begin so."""
    whole, wanted = folded(text), folded(start)
    if not wanted or not whole.startswith(wanted) or re.match(f"[{marks()}]", whole[len(wanted) :]):
        return 0
    return places(text)[len(wanted) - 1] + 1


def ends(text: str, end: str) -> int:
    """How many characters of ``text`` are ``end``, case aside; 0 where it does not end so."""
    whole, wanted = folded(text), folded(end)
    if not wanted or not whole.endswith(wanted):
        return 0
    return len(text) - places(text)[len(whole) - len(wanted)]


@cache
def _cluster() -> re.Pattern[str]:
    flag, picture = "[\U0001f1e6-\U0001f1ff]", "[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]"
    hangul = "[\u1100-\u115f]*(?:[\uac00-\ud7a3]|[\u1160-\u11a7])[\u1160-\u11ff]*"
    extend = f"[{marks()}\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
    return re.compile(rf"\r\n|(?:{flag}{{2}}|{hangul}|.)(?:{extend}|(?<=\u200d){picture})*", re.DOTALL)


def num_characters(text: str) -> int:
    """Characters as people count them: an accented letter, a flag or a family of four is one (after UAX 29)."""
    if text.isascii():
        return len(text) - text.count("\r\n")
    return sum(1 for _ in _cluster().finditer(text))


def num_syllables(word: str) -> int:
    """Groups of vowels, a silent final e not counted: the usual estimate for English."""
    groups = len(re.findall(r"[aeiouy]+", word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    return max(1, groups)
