"""Text to token ids and back over a transformers tokenizer, exact for any script.

Knows nothing about models, lanes or logits.

``b"".join(piece(t) for t in encode(text, special=False))`` is the text's UTF-8, with three exceptions that lie in
tokenizers themselves: some normalise first (NFC, NFKC, lower case), those of the Llama 2 kind put a space before, and
to SentencePiece the character ▁ is a space.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from playground.models.checks import utf8
from playground.models.labels import visible
from playground.models.pieces import piece_reader


class TokenizerVocabulary:
    """A tokenizer behind the Vocabulary seam; safe to use from several threads."""

    def __init__(self, tokenizer: Any, size: int, eos_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self.size = size
        self.eos_ids = eos_ids
        self._specials = special_tokens(tokenizer)
        self._plain_ids = plain_encoder(tokenizer)
        self._read = lru_cache(maxsize=None)(piece_reader(tokenizer))
        self._prepends_space = self._text_bytes(self._plain_ids("a", False)).startswith(b" ")

    def encode(self, text: str, special: bool = True) -> list[int]:
        utf8(text)
        return self._plain_ids(text, special)

    def decode(self, token_ids: Sequence[int]) -> str:
        text = self._text_bytes(token_ids).decode("utf-8", errors="replace")
        return text.removeprefix(" ") if self._prepends_space else text

    def _text_bytes(self, token_ids: Sequence[int]) -> bytes:
        return b"".join(map(self.piece, token_ids))

    def piece(self, token_id: int) -> bytes:
        return b"" if token_id in self._specials else self._read(token_id)

    def label(self, token_id: int) -> str:
        if token_id in self._specials:
            return self._specials[token_id]
        return visible(self.piece(token_id)) or f"<unused {token_id}>"


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """Special tokens by id. Added tokens that are not special (runs of spaces, ``<think>``) are ordinary text."""
    specials = {token_id: str(token) for token_id, token in tokenizer.added_tokens_decoder.items() if token.special}
    return specials | dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))


def plain_encoder(tokenizer: Any) -> Callable[[str, bool], list[int]]:
    """``(text, add special tokens?) -> ids`` in which special tokens written in the text stay text.

    The Rust tokenizer behind most of them is copied: its switches are state, and changing one while another thread
    encodes raises "Already borrowed". The others run under a lock.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        private = copy.deepcopy(backend)
        private.encode_special_tokens = True
        private.no_truncation()
        private.no_padding()
        return lambda text, special: list(private.encode(text, add_special_tokens=special).ids)
    lock = Lock()

    def encode(text: str, special: bool) -> list[int]:
        with lock:
            return list(tokenizer(text, add_special_tokens=special, split_special_tokens=True)["input_ids"])

    return encode
