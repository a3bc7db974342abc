"""One contract, passed by the toy and by the transformers backends over every architecture: lanes are sequences.

Each answer is compared with the model's own plain forward over the whole text, without cache, batch or chunks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from playground.errors import PlaygroundError
from playground.models import Backend, Chunk, ToyBackend
from playground.models.causal_lm import SlotBackend
from playground.models.choosing import choose_backend
from playground.models.grouping import Costs
from playground.models.per_lane import PerLaneBackend
from tests.models.chosen import chosen_backend
from tests.models.tiny import BATCHED, MAX_CONTEXT, ONE_LANE, VOCABULARY_SIZE, tiny_model

TOLERANCE = 1e-4


class TinyVocabulary:
    """As much of a vocabulary as a backend asks for."""

    size = VOCABULARY_SIZE


@dataclass
class Subject:
    """A fresh backend, and the slow reference for it: token ids to float32[T, V]."""

    backend: Any
    reference: Callable[[list[int]], Tensor]


def _toy() -> Subject:
    def reference(token_ids: list[int]) -> Tensor:
        return ToyBackend(MAX_CONTEXT).forward([Chunk(0, tuple(token_ids), "all")])

    return Subject(ToyBackend(MAX_CONTEXT), reference)


def _transformers(name: str, unpacked: bool = False) -> Subject:
    model = tiny_model(name)

    def reference(token_ids: list[int]) -> Tensor:
        return model(input_ids=torch.tensor([token_ids]), use_cache=False).logits[0]

    if unpacked:
        backend = SlotBackend(model, TinyVocabulary(), MAX_CONTEXT, 2, packs=False)
        backend._costs = Costs(rectangle_bytes=1e18, token_bytes=0)  # all rows in one rectangle, however padded
        return Subject(backend, reference)
    return Subject(chosen_backend(model, TinyVocabulary(), MAX_CONTEXT)[0], reference)


SUBJECTS = {
    "toy": _toy,
    **{name: partial(_transformers, name) for name in (*BATCHED, *ONE_LANE)},
    **{f"{name}-unpacked": partial(_transformers, name, unpacked=True) for name in ("llama", "mistral", "gpt2")},
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]()


def text(seed: int, length: int) -> list[int]:
    generator = random.Random(seed)
    return [generator.randrange(VOCABULARY_SIZE) for _ in range(length)]


def feed(backend: Backend, lane: int, token_ids: list[int]) -> Tensor:
    return backend.forward([Chunk(lane, tuple(token_ids), "all")])


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", [*BATCHED, *ONE_LANE])
def test_the_backend_meant_for_an_architecture_is_the_one_chosen(name: str) -> None:
    backend, batching = choose_backend(tiny_model(name), TinyVocabulary(), MAX_CONTEXT)
    assert type(backend) is (SlotBackend if name in BATCHED else PerLaneBackend)
    assert batching == ("lanes batched" if name in BATCHED else "one lane at a time")
    if isinstance(backend, SlotBackend):
        assert backend.packs == (name != "bloom")  # whose ALiBi is built from the shape of the batch
    assert backend.bytes_per_token() > 0


def test_it_has_the_members_of_the_seam(subject: Subject) -> None:
    assert isinstance(subject.backend, Backend)
    assert subject.backend.max_context == MAX_CONTEXT


def test_chunked_equals_whole(subject: Subject) -> None:
    token_ids = text(1, 40)
    expected = subject.reference(token_ids)
    spans = [(0, 3), (3, 4), (4, 5), (5, 16), (16, 30), (30, 31), (31, 40)]
    found = torch.cat([feed(subject.backend, 0, token_ids[start:stop]) for start, stop in spans])
    assert found.dtype == torch.float32 and not found.requires_grad
    assert_close(found, expected)


def test_a_batch_of_uneven_chunks_equals_each_alone(subject: Subject) -> None:
    texts = {lane: text(lane, length) for lane, length in enumerate((30, 1, 17, 40, 8))}
    expected = {lane: subject.reference(token_ids) for lane, token_ids in texts.items()}
    done = dict.fromkeys(texts, 0)
    choice = random.Random(0)
    while any(done[lane] < len(texts[lane]) for lane in texts):
        chunks = []
        for lane in choice.sample(sorted(texts), len(texts)):
            length = min(len(texts[lane]) - done[lane], choice.choice([0, 1, 1, 2, 9]))
            if length:
                chunks.append(Chunk(lane, tuple(texts[lane][done[lane] : done[lane] + length]), "all"))
        logits = subject.backend.forward(chunks).split([len(chunk.token_ids) for chunk in chunks])
        for chunk, rows in zip(chunks, logits, strict=True):
            start = done[chunk.lane]
            done[chunk.lane] += len(chunk.token_ids)
            assert_close(rows, expected[chunk.lane][start : done[chunk.lane]])


def test_a_fork_equals_prefilling_again_and_the_two_go_separate_ways(subject: Subject) -> None:
    stem, left, right = text(1, 20), text(2, 5), text(3, 7)
    feed(subject.backend, 0, stem)
    subject.backend.fork(0, 5)
    logits = subject.backend.forward([Chunk(5, tuple(right), "all"), Chunk(0, tuple(left), "all")])
    assert_close(logits[:7], subject.reference(stem + right)[20:])
    assert_close(logits[7:], subject.reference(stem + left)[20:])


@pytest.mark.parametrize("target", [3, 0])
def test_a_fork_may_be_cut_also_onto_a_lane_in_use(subject: Subject, target: int) -> None:
    stem, other = text(1, 20), text(2, 5)
    feed(subject.backend, 0, stem)
    feed(subject.backend, 3, other)
    subject.backend.fork(0, target, 12)
    assert_close(feed(subject.backend, target, other), subject.reference(stem[:12] + other)[12:])


def test_a_fork_of_nothing_is_an_empty_lane(subject: Subject) -> None:
    feed(subject.backend, 0, text(1, 9))
    subject.backend.fork(0, 1, 0)
    assert_close(feed(subject.backend, 1, text(2, 4)), subject.reference(text(2, 4)))


def test_impossible_forks_are_clear_errors(subject: Subject) -> None:
    feed(subject.backend, 0, text(1, 4))
    with pytest.raises(PlaygroundError, match="does not exist"):
        subject.backend.fork(8, 1)
    with pytest.raises(PlaygroundError, match="holds 4 tokens"):
        subject.backend.fork(0, 1, 5)


def test_a_released_lane_starts_anew_and_the_others_stay(subject: Subject) -> None:
    for lane in range(3):
        feed(subject.backend, lane, text(lane, 10))
    subject.backend.release(1)
    subject.backend.release(1)
    subject.backend.release(77)
    logits = subject.backend.forward([Chunk(lane, tuple(text(9, 5)), "all") for lane in range(3)]).split(5)
    assert_close(logits[0], subject.reference(text(0, 10) + text(9, 5))[10:])
    assert_close(logits[1], subject.reference(text(9, 5)))
    assert_close(logits[2], subject.reference(text(2, 10) + text(9, 5))[10:])


def test_wanted_selects_rows_in_the_order_of_the_chunks(subject: Subject) -> None:
    expected = [subject.reference(text(lane, 9)) for lane in range(5)]
    wanted = ["last", slice(2, 5), slice(0, 0), "all", slice(None, None, 4)]
    chunks = [Chunk(lane, tuple(text(lane, 9)), which) for lane, which in enumerate(wanted)]
    rows = [expected[0][-1:], expected[1][2:5], expected[2][:0], expected[3], expected[4][::4]]
    found = subject.backend.forward(chunks)
    assert_close(found, torch.cat(rows))


def test_no_row_wanted_still_appends(subject: Subject) -> None:
    token_ids = text(1, 9)
    found = subject.backend.forward([Chunk(0, tuple(token_ids[:6]), slice(0, 0))])
    assert found.shape == (0, subject.reference(token_ids).shape[1])
    assert_close(feed(subject.backend, 0, token_ids[6:]), subject.reference(token_ids)[6:])


def test_a_call_without_chunks_is_an_empty_answer(subject: Subject) -> None:
    assert len(subject.backend.forward([])) == 0


def test_an_over_long_text_is_refused_before_anything_is_appended(subject: Subject) -> None:
    token_ids = text(1, MAX_CONTEXT)
    feed(subject.backend, 0, token_ids[:-1])
    feed(subject.backend, 1, token_ids[:5])
    with pytest.raises(PlaygroundError, match="at most 64"):
        subject.backend.forward([Chunk(1, (7,)), Chunk(0, (1, 2))])
    # Lane 0 takes its last token beside a chunk so wide that its padding stands beyond the context.
    found = subject.backend.forward([Chunk(0, (token_ids[-1],)), Chunk(1, tuple(token_ids[5:14]))])
    assert_close(found[0], subject.reference(token_ids)[-1])
    assert_close(found[1], subject.reference(token_ids[:14])[-1])


@pytest.mark.parametrize(
    "chunks",
    [[Chunk(0, (1,)), Chunk(0, (2,))], [Chunk(0, ())], [Chunk(0, (-1,))], [Chunk(0, (100_000,))]],
    ids=["a lane twice", "no tokens", "a negative id", "an id too large"],
)
def test_malformed_calls_are_clear_errors(subject: Subject, chunks: list[Chunk]) -> None:
    with pytest.raises(PlaygroundError):
        subject.backend.forward(chunks)


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_a_forward_that_fails_leaves_every_lane_as_it_was(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = _transformers(name)
    stem, rest = text(1, 10), text(2, 4)
    feed(subject.backend, 0, stem)
    layer = (tiny_model(name).get_decoder() if name == "llama" else tiny_model(name).backbone).layers[1]
    with monkeypatch.context() as patch:
        patch.setattr(layer, "forward", _out_of_memory)
        with pytest.raises(RuntimeError, match="out of memory"):
            subject.backend.forward([Chunk(0, (5, 6)), Chunk(1, (7,))])
    assert_close(feed(subject.backend, 0, rest), subject.reference(stem + rest)[10:])
    assert_close(feed(subject.backend, 1, rest), subject.reference(rest))


def _out_of_memory(*_: Any, **__: Any) -> None:
    raise RuntimeError("out of memory")


def test_a_model_that_looks_ahead_is_refused() -> None:
    with pytest.raises(PlaygroundError, match="not a causal language model"):
        choose_backend(tiny_model("bert"), TinyVocabulary(), MAX_CONTEXT)
