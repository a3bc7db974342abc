"""Tokens to text: characters split over tokens, and generations told in deltas that can be put together again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engine import Done, Engine, Request, Texts
from playground.errors import PlaygroundError
from playground.models import Model, load_model
from playground.sampling import Chain
from playground.studies import generate as study
from playground.studies.generate import Generation, deltas
from playground.studies.inspect import token_texts
from playground.studies.prompts import EncodedPrompt
from tests.running import run

NO_END = Chain.from_json([{"sampler": "logit_bias", "bias": {"256": -100}}])


@given(st.text(), st.lists(st.integers(1, 3)))
def test_split_characters_join_to_the_text(text: str, sizes: list[int]) -> None:
    data, pieces = text.encode(), []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    pieces.append(data)
    texts = token_texts(pieces)
    assert len(texts) == len(pieces)
    assert "".join(texts) == text


@given(st.lists(st.binary(max_size=6)))
def test_bytes_that_are_no_characters_are_shown_as_the_whole_would_be(pieces: list[bytes]) -> None:
    assert "".join(token_texts(pieces)) == b"".join(pieces).decode(errors="replace")


def test_a_character_goes_to_the_token_that_completes_it() -> None:
    assert token_texts([b"a", b"\xf0\x9f", b"\x98", b"\x80", b"b"]) == ["a", "", "", "\U0001f600", "b"]
    # Real vocabularies have such pieces: a word and the beginning of a quotation mark.
    assert token_texts([b"said \xe2\x80", b"\x9cyes"]) == ["said ", "\u201cyes"]


@pytest.fixture(scope="module")
def toy() -> Model:
    return load_model(backend="toy")


@pytest.fixture(scope="module")
def engine(toy: Model) -> Any:
    with Engine(toy, num_threads=1) as running:
        yield running


def write(engine: Engine, max_tokens: int = 40, chain: Chain = NO_END, **more: Any) -> tuple[Generation, list[dict]]:
    request = Request((84, 104, 101), chain, max_tokens, **more)
    stream = engine.submit(request)
    generation = Generation(stream.id, request, EncodedPrompt(Texts("The"), request.prompt_ids, ()))

    async def read() -> list[dict[str, Any]]:
        return [delta async for delta in deltas(engine, generation, stream)]

    return generation, run(read())


def test_deltas_overlap_and_exactly_one_is_done(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "INTERVAL_S", 0.0)  # a delta for each token
    generation, told = write(engine)
    assert [delta["done"] for delta in told] == [False] * (len(told) - 1) + [True]
    text: list[Any] = []
    for delta in told:
        assert 0 <= delta["at"] <= len(text), "no gap"
        assert text[delta["at"] :] == delta["tokens"][: len(text) - delta["at"]], "the overlap repeats"
        text[delta["at"] :] = delta["tokens"]
    assert text == generation.tokens and [token["index"] for token in text] == list(range(40))
    assert any(
        delta["at"] < told[number]["at"] + len(told[number]["tokens"]) and delta["tokens"]
        for number, delta in enumerate(told[1:])
    ), "they do overlap"
    assert "length" in told[-1]["status"] and told[-1]["error"] == ""
    assert told[-1]["view_key"] == f"{generation.id}.40"


def test_a_lost_delta_is_repaired_from_any_token(engine: Engine) -> None:
    generation, _ = write(engine)
    for start in (0, 13, 40, 99):
        delta = generation.delta(start)
        assert delta["at"] == start and delta["tokens"] == generation.tokens[start:]


def test_the_pieces_of_a_generation_join_to_its_text(engine: Engine, toy: Model) -> None:
    # Bytes that only together are a character; in a wrong order they are none.
    euro = Chain.from_json([{"sampler": "logit_bias", "bias": {"226": 90, "130": 90, "172": 90}}])
    for chain in (NO_END, euro):
        generation, _ = write(engine, 24, chain, seed=3)
        whole = toy.backend.vocabulary.decode([step.token_id for step in generation.steps])
        shown = "".join(token["text"] for token in generation.tokens)
        assert whole.startswith(shown) and set(whole[len(shown) :]) <= {"\ufffd"}, "but for half a character at the end"
        assert len(shown) > 5 and any(token["text"] == "" for token in generation.tokens) == (chain is euro)


def test_an_error_of_the_engine_is_told_to_the_page(engine: Engine) -> None:
    beyond = Chain.from_json([{"sampler": "logit_bias", "bias": {"100000": 1}}])
    generation, told = write(engine, 5, beyond)
    assert told[-1]["done"] and "100000" in told[-1]["error"] and "failed" in told[-1]["status"]
    assert generation.tokens == []


def test_leaving_cancels_the_request(engine: Engine) -> None:
    request = Request((84,), NO_END, 1500)
    stream = engine.submit(request)
    generation = Generation(stream.id, request, EncodedPrompt(Texts("T"), (84,), ()))

    async def read_one() -> None:
        told = deltas(engine, generation, stream)
        await anext(told)
        await told.aclose()

    run(read_one())
    assert stream.done == Done("cancelled") and generation.done and len(generation.tokens) < 1500


def test_a_waiting_stream_still_says_where_it_is(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio sees that a tab has closed only when it is handed a value, so silence would keep a lane for nobody."""
    from playground.engine import Stream

    monkeypatch.setattr(study, "WAKE_S", 0.01)
    request = Request((84,), NO_END, 5)
    stream = Stream(request)
    stream.position = 3
    generation = Generation(stream.id, request, EncodedPrompt(Texts("T"), (84,), ()))

    async def read() -> list[dict[str, Any]]:
        told = []
        async for delta in deltas(engine, generation, stream):
            told.append(delta)
            stream.position = max(0, stream.position - 1)
            if len(told) == 5:
                stream.finish(Done("cancelled"))
        return told

    told = run(read())
    assert [delta["status"] for delta in told[:5]] == [
        "place 3 in the queue",
        "place 2 in the queue",
        "place 1 in the queue",
        "reading the prompt",
        "reading the prompt",
    ]
    assert [delta["done"] for delta in told] == [False] * (len(told) - 1) + [True]


def test_places_of_a_text(engine: Engine) -> None:
    generation, _ = write(engine, 6)
    ids = tuple(step.token_id for step in generation.steps)
    for index in range(6):
        place = generation.place(index)
        assert place.history == (84, 104, 101, *ids[:index]) and place.chosen == ids[index] and not place.at_end
    assert generation.place(6).at_end and generation.place(6).chosen is None
    for index in (-1, 7, 10**8):
        with pytest.raises(PlaygroundError) as caught:
            generation.place(index)
        assert caught.value.status == 404
