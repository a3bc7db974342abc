"""Text to token ids and back over a transformers tokenizer.

Knows nothing about models, lanes or logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.models.checks import utf8
from playground.models.labels import visible


class TokenizerVocabulary:
    """thin first version"""

    def __init__(self, tokenizer: Any, size: int, eos_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self.size = size
        self.eos_ids = eos_ids

    def encode(self, text: str, special: bool = True) -> list[int]:
        utf8(text)
        return list(self._tokenizer(text, add_special_tokens=special, split_special_tokens=True)["input_ids"])

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=True))

    def piece(self, token_id: int) -> bytes:
        return str(self._tokenizer.decode([token_id], skip_special_tokens=True)).encode()

    def label(self, token_id: int) -> str:
        return visible(self.piece(token_id))
