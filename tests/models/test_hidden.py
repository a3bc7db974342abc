"""The capability ``hidden``: states of layers through lanes equal those of the model's own plain forward."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from playground.errors import PlaygroundError
from playground.models import Chunk, ToyBackend, hidden
from playground.models.causal_lm import SlotBackend
from tests.models.chosen import chosen_backend
from tests.models.test_contract import TOLERANCE, TinyVocabulary, text
from tests.models.tiny import BATCHED, MAX_CONTEXT, ONE_LANE, VOCABULARY_SIZE, tiny_model

LAYERS = (2, 0, 1)


def _plain(model: Any, token_ids: list[int]) -> Tensor:
    """float32[layers, T, D] of the model itself, without cache or batch."""
    output = model(input_ids=torch.tensor([token_ids]), use_cache=False, output_hidden_states=True)
    return torch.stack([output.hidden_states[layer][0] for layer in LAYERS])


def _backend(name: str) -> Any:
    if name.endswith("-unpacked"):
        return SlotBackend(tiny_model(name.removesuffix("-unpacked")), TinyVocabulary(), MAX_CONTEXT, 2, packs=False)
    return chosen_backend(tiny_model(name), TinyVocabulary(), MAX_CONTEXT)[0]


@pytest.mark.parametrize("name", [*BATCHED, *ONE_LANE, "llama-unpacked", "mistral-unpacked"])
def test_states_of_uneven_chunks_equal_the_plain_forward(name: str) -> None:
    model, backend = tiny_model(name.removesuffix("-unpacked")), _backend(name)
    assert hidden(backend) is backend and backend.num_layers == 2
    texts = [text(lane, length) for lane, length in enumerate((12, 9, 10))]
    expected = [_plain(model, token_ids) for token_ids in texts]
    # Prefill beside prefill, a chunk beside decode, then decode: packed, padded and plain.
    for spans in ([(0, 6), (0, 3), (0, 9)], [(6, 11), (3, 8), (9, 10)], [(11, 12), (8, 9)]):
        wanted = ["all", slice(1, None), "last"]
        chunks = [
            Chunk(lane, tuple(texts[lane][start:stop]), wanted_states=wanted[lane])
            for lane, (start, stop) in reversed(list(enumerate(spans)))
        ]
        logits, states = backend.forward_states(chunks, LAYERS)
        assert logits.shape == (len(chunks), VOCABULARY_SIZE) and states.dtype == torch.float32
        at = 0
        for chunk in chunks:
            start = spans[chunk.lane][0]
            for row in chunk.state_rows:
                torch.testing.assert_close(
                    states[:, at], expected[chunk.lane][:, start + row], rtol=1e-4, atol=TOLERANCE
                )
                at += 1
        assert at == states.shape[1]


@pytest.mark.parametrize("name", ["llama", "gpt2", "mamba"])
def test_the_last_state_unembedded_is_the_logits(name: str) -> None:
    backend = _backend(name)
    logits, states = backend.forward_states([Chunk(0, tuple(text(1, 8)), "all", "all")], (backend.num_layers,))
    torch.testing.assert_close(backend.unembed(states[0]), logits, rtol=0, atol=TOLERANCE)
    assert backend.ties_embeddings == (name != "llama")


def test_asking_for_states_changes_no_logit() -> None:
    plain, asked = _backend("llama"), _backend("llama")
    chunks = [Chunk(0, tuple(text(1, 8)), "all", "all"), Chunk(1, tuple(text(2, 3)))]
    assert torch.equal(plain.forward(chunks), asked.forward_states(chunks, (1,))[0])


def test_a_layer_that_does_not_exist_is_a_clear_error() -> None:
    for backend in (_backend("llama"), _backend("mamba"), ToyBackend()):
        with pytest.raises(PlaygroundError, match="outside 0 to"):
            backend.forward_states([Chunk(0, (5,))], (backend.num_layers + 1,))


def test_the_toy_has_layers_that_come_closer_to_its_answer() -> None:
    toy = ToyBackend()
    token_ids = tuple(toy.vocabulary.encode("The dragon was not afraid"))
    logits, states = toy.forward_states([Chunk(0, token_ids, "all", "all")], range(toy.num_layers + 1))
    assert torch.equal(toy.unembed(states[-1]), logits)
    distances = [(logits.softmax(-1) - toy.unembed(layer).softmax(-1)).abs().sum().item() for layer in states]
    assert distances[0] > distances[3] > distances[6] > distances[8] == 0


def test_a_backend_without_the_capability_has_none() -> None:
    class Plain:
        vocabulary, max_context = ToyBackend().vocabulary, 64

    assert hidden(Plain()) is None
