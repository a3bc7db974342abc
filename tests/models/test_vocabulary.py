"""Token pieces joined are the text, in any script; special tokens typed by a user are text."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.models import Model, ToyBackend, Vocabulary
from playground.models.labels import visible
from playground.models.pieces import byte_characters
from playground.models.vocabulary import TokenizerVocabulary
from tests.models.tokenizers_made import TEXTS, byte_level, sentence_piece, word_piece


def made(tokenizer: Any) -> TokenizerVocabulary:
    return TokenizerVocabulary(tokenizer, len(tokenizer) + 8, frozenset({tokenizer.eos_token_id}))


EXACT = {
    "toy": lambda: ToyBackend().vocabulary,
    "byte-level": lambda: made(byte_level()),
    "sentence-piece": lambda: made(sentence_piece(prepend=False)),
}


@pytest.fixture(params=EXACT)
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return EXACT[request.param]()


@cache
def exact_vocabularies() -> dict[str, Vocabulary]:
    return {name: make() for name, make in EXACT.items()}


def joined(vocabulary: Vocabulary, token_ids: list[int]) -> bytes:
    return b"".join(map(vocabulary.piece, token_ids))


@pytest.mark.parametrize("name", TEXTS)
def test_pieces_joined_are_the_text(vocabulary: Vocabulary, name: str) -> None:
    token_ids = vocabulary.encode(TEXTS[name], special=False)
    assert joined(vocabulary, token_ids) == TEXTS[name].encode()
    assert vocabulary.decode(token_ids) == TEXTS[name]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20))
def test_pieces_joined_are_any_text(text: str) -> None:
    for name, vocabulary in exact_vocabularies().items():
        expected = text.replace("▁", " ") if name == "sentence-piece" else text
        assert joined(vocabulary, vocabulary.encode(text, special=False)) == expected.encode()


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {"empty"}))
def test_a_tokenizer_that_prepends_a_space_adds_just_that(name: str) -> None:
    vocabulary = made(sentence_piece(prepend=True))
    token_ids = vocabulary.encode(TEXTS[name], special=False)
    assert joined(vocabulary, token_ids) == b" " + TEXTS[name].encode()
    assert vocabulary.decode(token_ids) == TEXTS[name]


def test_it_has_the_members_of_the_seam(vocabulary: Vocabulary) -> None:
    assert isinstance(vocabulary, Vocabulary)


@pytest.mark.parametrize("make", [byte_level, lambda: sentence_piece(prepend=True)])
@pytest.mark.parametrize("text", ["the cat", "Они 🐉", ""])
def test_encoding_is_the_tokenizers_own(make: Any, text: str) -> None:
    vocabulary = made(make())
    assert vocabulary.encode(text) == make()(text)["input_ids"]
    assert vocabulary.encode(text, special=False) == make()(text, add_special_tokens=False)["input_ids"]


def test_special_tokens_typed_in_a_text_are_text() -> None:
    tokenizer = byte_level()
    vocabulary = made(tokenizer)
    text = "a<|im_end|><|begin|>b"
    assert tokenizer.eos_token_id in tokenizer(text)["input_ids"]
    typed = vocabulary.encode(text)
    assert typed[0] == 0 and not {0, 1, 2} & set(typed[1:])
    assert joined(vocabulary, typed) == text.encode()


def test_added_tokens_that_are_not_special_stay_tokens() -> None:
    vocabulary = made(byte_level())
    token_ids = vocabulary.encode("<think>", special=False)
    assert [vocabulary.label(token_id) for token_id in token_ids] == ["<think>"]
    assert joined(vocabulary, token_ids) == b"<think>"


def test_half_a_surrogate_pair_is_a_clear_error(vocabulary: Vocabulary) -> None:
    with pytest.raises(PlaygroundError, match="surrogate pair at character 3"):
        vocabulary.encode("ab\ud83dc")


def test_incomplete_characters_decode_to_the_replacement_character(vocabulary: Vocabulary) -> None:
    token_ids = vocabulary.encode("𓀀", special=False)
    assert len(token_ids) > 1
    assert vocabulary.decode(token_ids[:-1]) == "�"


def test_special_and_unused_ids() -> None:
    vocabulary = made(byte_level())
    beyond = vocabulary.size - 1
    assert vocabulary.piece(2) == b"" and vocabulary.label(2) == "<|im_end|>"
    assert vocabulary.piece(beyond) == b"" and vocabulary.label(beyond) == f"<unused {beyond}>"
    assert vocabulary.decode([1, *vocabulary.encode("hi", special=False), 2, beyond]) == "hi"


@pytest.mark.parametrize("make", EXACT.values(), ids=EXACT)
def test_every_id_has_a_label(make: Any) -> None:
    vocabulary = make()
    for token_id in range(vocabulary.size):
        label = vocabulary.label(token_id)
        assert label and label.isprintable() and " " not in label.replace("<unused ", "")


def test_word_pieces_are_what_they_add_to_a_text() -> None:
    tokenizer = word_piece()
    vocabulary = TokenizerVocabulary(tokenizer, len(tokenizer), frozenset())
    token_ids = vocabulary.encode("the cats", special=False)
    assert joined(vocabulary, token_ids) == b" the cats"
    assert vocabulary.label(token_ids[0]) == "␣the"


def test_many_threads_may_encode_at_once() -> None:
    vocabulary = made(byte_level())
    texts = [f"the cat {number} " * 50 for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        encoded = list(pool.map(lambda text: vocabulary.encode(text, special=len(text) % 2 == 0), texts))
    assert [vocabulary.decode(token_ids) for token_ids in encoded] == texts


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (b" the", "␣the"),
        (b"\n\n\t", "↵↵⇥"),
        (b"\r", "␍"),
        (b"\xe2", "<0xE2>"),
        ("né".encode() + b"\xf0\x9f", "né<0xF0><0x9F>"),
        (b"\x00\x1b", "<U+0000><U+001B>"),
        ("\u202e\ufeff\u00a0".encode(), "<U+202E><U+FEFF><U+00A0>"),
        ("\u0301".encode(), "◌\u0301"),
        ("\u200d".encode(), "<U+200D>"),
        ("👩\u200d👧".encode(), "👩\u200d👧"),
        (b"<script>", "<script>"),
    ],
)
def test_labels_show_what_cannot_be_seen(data: bytes, label: str) -> None:
    assert visible(data) == label


def test_byte_characters_are_gpt2s() -> None:
    from tokenizers import pre_tokenizers

    assert set(byte_characters()) == set(pre_tokenizers.ByteLevel.alphabet())
    assert byte_characters()[ord(" ")] == "Ġ" and byte_characters()[ord("\n")] == "Ċ"


@pytest.mark.model
@pytest.mark.parametrize("name", TEXTS)
def test_the_default_models_pieces(default_model: Model, name: str) -> None:
    vocabulary, text = default_model.backend.vocabulary, TEXTS[name]
    token_ids = vocabulary.encode(text)
    assert joined(vocabulary, token_ids) == text.encode()
    assert not vocabulary.eos_ids & set(token_ids)
    if "<|" not in text:
        assert token_ids == default_model.tokenizer(text)["input_ids"]
