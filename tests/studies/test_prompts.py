"""The two branches of a prompt: which ids, which label, which rendered texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.errors import PlaygroundError
from playground.models import Model, load_model
from playground.studies.prompts import Prompt, encode


@pytest.fixture(scope="module")
def toy() -> Model:
    return load_model(backend="toy")


def text_of(model: Model, ids: tuple[int, ...]) -> str:
    return model.backend.vocabulary.decode(ids)


def test_without_a_negative_prompt_the_last_token_is_the_negative_branch(toy: Model) -> None:
    encoded = encode(Prompt("The old sailor"), [toy])
    assert text_of(toy, encoded.prompt_ids) == "The old sailor"
    assert encoded.others[0].branch.token_ids == encoded.prompt_ids[-1:] and not encoded.others[0].is_text
    assert encoded.others[0].label == toy.backend.vocabulary.label(encoded.prompt_ids[-1])


def test_a_negative_prompt_is_a_text_of_its_own(toy: Model) -> None:
    encoded = encode(Prompt("The old sailor", "The house"), [toy])
    assert text_of(toy, encoded.others[0].branch.token_ids) == "The house"
    assert encoded.others[0].is_text and encoded.others[0].label == "The house"
    assert dict(encoded.rendered) == {"prompt": "The old sailor", "the other text": "The house"}


def test_in_chat_the_negative_replaces_the_system_text_in_a_full_conversation(toy: Model) -> None:
    encoded = encode(Prompt("Hello", "Be rude.", True, "Be kind."), [toy])
    rendered = dict(encoded.rendered)
    assert "Be kind." in rendered["prompt"] and "Hello" in rendered["prompt"]
    assert rendered["the other text"] == rendered["prompt"].replace("Be kind.", "Be rude.")
    other_ids = encoded.others[0].branch.token_ids
    assert other_ids != encoded.prompt_ids and text_of(toy, other_ids[-1:]) != ""


def test_chat_needs_a_template(toy: Model) -> None:
    with pytest.raises(PlaygroundError, match="completion mode"):
        encode(Prompt("Hello", chat=True), [replace(toy, chat=None)])


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (Prompt(""), "empty"),
        (Prompt("a" * 101), "101 characters"),
        (Prompt("a", "b" * 101), "negative prompt"),
        (Prompt("a", system="b" * 101), "system prompt"),
        (Prompt("a\ud800"), "surrogate"),
        (Prompt("a", "\udfff"), "negative"),
    ],
)
def test_what_is_refused_names_the_box(prompt: Prompt, says: str) -> None:
    with pytest.raises(PlaygroundError) as caught:
        prompt.validated(100)
    assert says in str(caught.value)


def test_what_fits_is_itself() -> None:
    prompt = Prompt("a" * 100, "\0 \u202e", False, "<script>")
    assert prompt.validated(100) is prompt
