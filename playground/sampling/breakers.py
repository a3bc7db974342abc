"""Sequence breakers: texts that end a repetition, as the tokens they begin with and what must follow those.

Knows nothing about samplers or histories. A vocabulary is anything with ``size``, ``piece(token_id) -> bytes`` and
``encode(text, special=False) -> token ids``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

MAX_TAIL = 20  # tokens behind a head that are compared, as in llama.cpp

Tails = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Breakers:
    """By head: the tails with which it is a breaker; () is a token that is one by itself. Equal only to itself, and
    the same object for the same texts and vocabulary, so that chains stay cheap to compare."""

    tails: dict[int, Tails]

    def singles(self) -> frozenset[int]:
        """Tokens that are a breaker by themselves."""
        return frozenset(head for head, tails in self.tails.items() if () in tails)


@dataclass(frozen=True)
class _Pieces:
    """All pieces of a vocabulary in one line of bytes, and where each begins."""

    line: bytes
    starts: tuple[int, ...]
    by_last_byte: dict[int, tuple[int, ...]]

    @classmethod
    def of(cls, vocabulary: Any) -> _Pieces:
        pieces = [vocabulary.piece(token_id) for token_id in range(vocabulary.size)]
        starts: list[int] = []
        by_last_byte: dict[int, list[int]] = {}
        at = 0
        for token_id, piece in enumerate(pieces):
            starts.append(at)
            at += len(piece)
            if piece:
                by_last_byte.setdefault(piece[-1], []).append(token_id)
        ends = {last: tuple(ids) for last, ids in by_last_byte.items()}
        return cls(b"".join(pieces), tuple(starts), ends)

    def piece(self, token_id: int) -> bytes:
        end = self.starts[token_id + 1] if token_id + 1 < len(self.starts) else len(self.line)
        return self.line[self.starts[token_id] : end]

    def containing(self, text: bytes) -> list[int]:
        """Tokens with ``text`` in them: found in the one line, then checked not to reach over a border."""
        found, at = [], self.line.find(text)
        while at >= 0:
            token_id = bisect_right(self.starts, at) - 1
            end = self.starts[token_id + 1] if token_id + 1 < len(self.starts) else len(self.line)
            if at + len(text) <= end:
                found.append(token_id)
                at = self.line.find(text, end)
            else:
                at = self.line.find(text, at + 1)
        return found

    def ending_with(self, text: bytes) -> list[int]:
        return [token_id for token_id in self.by_last_byte.get(text[-1], ()) if self.piece(token_id).endswith(text)]


class _Known:
    """What was worked out for one vocabulary."""

    def __init__(self) -> None:
        self.pieces: _Pieces | None = None
        self.texts: dict[str, dict[int, Tails]] = {}
        self.resolved: dict[tuple[tuple[str, ...], bool], Breakers] = {}


MAX_KNOWN = 256  # texts, and lists of them, kept a vocabulary: strangers may send new ones for ever
_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def resolve(texts: Sequence[str], vocabulary: Any) -> Breakers:
    """llama.cpp's meaning: every token whose text contains a breaker, and every token that ends with the beginning of
    one if the tokens of its rest follow."""
    return _kept(texts, vocabulary, whole=True)


def last_tokens(texts: Sequence[str], vocabulary: Any) -> Breakers:
    """text-generation-webui's meaning: the last token of each text, as it is encoded behind an "a"."""
    return _kept(texts, vocabulary, whole=False)


def _kept(texts: Sequence[str], vocabulary: Any, whole: bool) -> Breakers:
    known = _known.get(vocabulary)
    if known is None:
        known = _known[vocabulary] = _Known()
    key = (tuple(texts), whole)
    if key not in known.resolved:
        if len(known.resolved) >= MAX_KNOWN:
            known.resolved.clear()
            known.texts.clear()
        known.resolved[key] = Breakers(_joined(texts, vocabulary, known) if whole else _lasts(texts, vocabulary))
    return known.resolved[key]


def _lasts(texts: Sequence[str], vocabulary: Any) -> dict[int, Tails]:
    encoded = [vocabulary.encode("a" + text, special=False) for text in texts]
    return {ids[-1]: ((),) for ids in encoded if ids}


def _joined(texts: Sequence[str], vocabulary: Any, known: _Known) -> dict[int, Tails]:
    tails: dict[int, set[tuple[int, ...]]] = {}
    for text in texts:
        if text not in known.texts:
            if known.pieces is None:
                known.pieces = _Pieces.of(vocabulary)
            known.texts[text] = _heads(text, vocabulary, known.pieces)
        for head, own in known.texts[text].items():
            tails.setdefault(head, set()).update(own)
    return {head: tuple(sorted(found)) for head, found in tails.items()}


def _heads(text: str, vocabulary: Any, pieces: _Pieces) -> dict[int, Tails]:
    """The heads of one breaker with their tails."""
    heads: dict[int, set[tuple[int, ...]]] = {token_id: {()} for token_id in pieces.containing(text.encode())}
    alone = frozenset(heads)
    for split in range(1, len(text)):  # between characters: a rest that begins inside one has no tokens of its own
        found = [head for head in pieces.ending_with(text[:split].encode()) if head not in alone]
        if found:
            tail = tuple(vocabulary.encode(text[split:], special=False))[:MAX_TAIL]
            for head in found:
                heads.setdefault(head, set()).add(tail)
    return {head: tuple(sorted(tails)) for head, tails in heads.items()}
