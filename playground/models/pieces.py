"""The bytes one token adds to a text, for each way tokenizers write bytes into their vocabularies.

Knows nothing about special tokens: it reads any id as if it stood in the middle of a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

SPACE_MARK = "▁"
"""How SentencePiece writes a space."""

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""How SentencePiece writes one byte of a character it does not know."""


def piece_reader(tokenizer: Any) -> Callable[[int], bytes]:
    """The function from a token id to its bytes; b"" for an id the tokenizer does not have."""
    decoder = _decoder_text(tokenizer)
    added = {token_id: str(token) for token_id, token in tokenizer.added_tokens_decoder.items()}
    if '"ByteLevel"' in decoder:
        return _byte_level_reader(tokenizer, added)
    if '"ByteFallback"' in decoder or '"Metaspace"' in decoder or SPACE_MARK in decoder:
        return _sentence_piece_reader(tokenizer)
    return _difference_reader(tokenizer)


def _decoder_text(tokenizer: Any) -> str:
    """The Rust tokenizer's decoder as JSON text; "" where there is none."""
    decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
    return json.dumps(json.loads(decoder.__getstate__()), ensure_ascii=False) if decoder is not None else ""


def _byte_level_reader(tokenizer: Any, added: dict[int, str]) -> Callable[[int], bytes]:
    """GPT-2's way: each byte is written as one printable character; added tokens are written as they are."""
    byte_of = {character: value for value, character in enumerate(byte_characters())}

    def read(token_id: int) -> bytes:
        token = added.get(token_id) or _token(tokenizer, token_id)
        if token_id in added or any(character not in byte_of for character in token):
            return token.encode()
        return bytes(byte_of[character] for character in token)

    return read


def byte_characters() -> list[str]:
    """For each of the 256 bytes the character GPT-2 writes it as: itself where printable, else the next from 256 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return [chr(value if value in printable else next(others)) for value in range(256)]


def _sentence_piece_reader(tokenizer: Any) -> Callable[[int], bytes]:
    def read(token_id: int) -> bytes:
        token = _token(tokenizer, token_id)
        if match := BYTE_TOKEN.fullmatch(token):
            return bytes([int(match[1], 16)])
        return token.replace(SPACE_MARK, " ").encode()

    return read


def _difference_reader(tokenizer: Any) -> Callable[[int], bytes]:
    """Any other tokenizer: what the text gains when the token follows an ordinary one."""
    anchor = tokenizer("a", add_special_tokens=False)["input_ids"]
    before = tokenizer.decode(anchor, clean_up_tokenization_spaces=False)

    def read(token_id: int) -> bytes:
        if not _token(tokenizer, token_id):
            return b""
        text: str = tokenizer.decode([*anchor, token_id], clean_up_tokenization_spaces=False)
        return text.removeprefix(before).encode()

    return read


def _token(tokenizer: Any, token_id: int) -> str:
    """The vocabulary's own spelling; "" for an id beyond it."""
    if not 0 <= token_id < len(tokenizer):
        return ""
    return tokenizer.convert_ids_to_tokens(token_id) or ""
