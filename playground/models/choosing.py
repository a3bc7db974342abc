"""Which backend serves a model: found by trying, never by the architecture's name.

Knows nothing about where the model came from.

Each candidate, the fastest first, reads two short sequences in uneven chunks; the first whose logits equal the
model's own plain forward is taken. What holds no slots, or disagrees, is served one lane at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from playground.errors import PlaygroundError
from playground.models.backend import Chunk, Vocabulary
from playground.models.causal_lm import SlotBackend
from playground.models.per_lane import Feeding, PerLaneBackend

logger = logging.getLogger(__name__)

BATCHED = "lanes batched"
ONE_LANE = "one lane at a time"

TOLERANCES = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.2}
"""Largest difference allowed, as a multiple of the logits' standard deviation; a wrong mask is off by about 1."""

AnyBackend = SlotBackend | PerLaneBackend


def choose_backend(hf_model: Any, vocabulary: Vocabulary, max_context: int) -> tuple[AnyBackend, str]:
    """The fastest backend that agrees with the plain forward, and how it batches, in words for people."""
    sequences = [[(7 * i + 3) % vocabulary.size for i in range(10)], [(5 * i + 4) % vocabulary.size for i in range(4)]]
    with torch.no_grad():
        references = [_plain_forward(hf_model, token_ids) for token_ids in sequences]
    tolerance = TOLERANCES.get(hf_model.dtype, 1e-3) * max(reference.std().item() for reference in references)
    for batching, make in _candidates(hf_model, vocabulary, max_context):
        try:
            backend = make()
            answers = _in_uneven_chunks(backend, sequences)
        except Exception:  # the candidates exist because any architecture may object in any way
            logger.info("%s: this backend failed its check", batching, exc_info=True)
            continue
        if all(torch.allclose(a, r, rtol=0, atol=tolerance) for a, r in zip(answers, references, strict=True)):
            return backend, batching
        logger.info("%s: this backend disagreed with the plain forward", batching)
    raise PlaygroundError(
        "This model's answer for a text changes when the text goes on, so it is not a causal language model. "
        "Choose a text-generation model."
    )


def _candidates(
    hf_model: Any, vocabulary: Vocabulary, max_context: int
) -> Iterator[tuple[str, Callable[[], AnyBackend]]]:
    num_layers = slot_layers(hf_model.config)
    if num_layers:
        for packs in (True, False) if hf_model.config._attn_implementation == "sdpa" else (False,):
            yield BATCHED, partial(SlotBackend, hf_model, vocabulary, max_context, num_layers, packs)
    feedings: tuple[Feeding, ...] = ("chunks", "tokens", "anew")
    for feeding in feedings:
        yield ONE_LANE, partial(PerLaneBackend, hf_model, vocabulary, max_context, feeding)


def slot_layers(config: Any) -> int | None:
    """The number of layers where all keep plain keys and values, else None."""
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    try:
        layers = DynamicCache(config=config).layers
    except Exception:  # configurations of recurrent models may lack what a cache asks for
        return None
    if layers and all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers):
        return len(layers)
    return None


def _plain_forward(hf_model: Any, token_ids: list[int]) -> Tensor:
    """float32[T, V], without any cache."""
    device = hf_model.get_input_embeddings().weight.device
    logits: Tensor = hf_model(input_ids=torch.tensor([token_ids], device=device), use_cache=False).logits
    return logits[0].float()


def _in_uneven_chunks(backend: AnyBackend, sequences: list[list[int]]) -> list[Tensor]:
    """The same logits through lanes 0 and 1: prefill beside prefill, a chunk beside decode, then decode."""
    answers: list[list[Tensor]] = [[], []]
    for spans in ([(0, 5), (0, 2)], [(5, 9), (2, 3)], [(9, 10), (3, 4)]):
        chunks = [Chunk(lane, tuple(sequences[lane][start:stop]), "all") for lane, (start, stop) in enumerate(spans)]
        logits = backend.forward(chunks).split([len(chunk.token_ids) for chunk in chunks])
        for lane, rows in enumerate(logits):
            answers[lane].append(rows)
    return [torch.cat(rows) for rows in answers]
