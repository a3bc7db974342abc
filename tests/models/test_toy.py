"""The toy is quick, repeatable, and reads like its few sentences."""

from __future__ import annotations

import time

import torch

from playground.models import Chunk, ToyBackend


def greedy(backend: ToyBackend, prompt: str, num_tokens: int) -> str:
    vocabulary = backend.vocabulary
    logits = backend.forward([Chunk(0, tuple(vocabulary.encode(prompt)))])
    token_ids = []
    for _ in range(num_tokens):
        token_ids.append(int(logits.argmax()))
        logits = backend.forward([Chunk(0, (token_ids[-1],))])
    return vocabulary.decode(token_ids)


def test_it_continues_a_sentence_it_has_read() -> None:
    assert greedy(ToyBackend(), "The dragon was not", 3) == " afraid of the"


def test_two_toys_are_the_same_toy() -> None:
    chunk = Chunk(0, tuple(range(250, 300)), "all")
    assert torch.equal(ToyBackend().forward([chunk]), ToyBackend().forward([chunk]))


def test_the_whole_prefix_matters() -> None:
    backend = ToyBackend()
    rows = backend.forward([Chunk(lane, (300 + lane, 310, 320)) for lane in range(2)])
    assert not torch.allclose(rows[0], rows[1])


def test_sixteen_rows_take_less_than_a_millisecond() -> None:
    backend = ToyBackend()
    backend.forward([Chunk(lane, (300,)) for lane in range(16)])
    seconds = []
    for _ in range(50):
        started = time.perf_counter()
        backend.forward([Chunk(lane, (300,)) for lane in range(16)])
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1e-3
