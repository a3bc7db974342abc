"""Tiny models as the program serves them: a backend, a vocabulary of as many tokens, a name.

Knows nothing about adapters.
"""

from __future__ import annotations

from playground.models import Model
from playground.models.toy import ToyVocabulary
from tests.models.chosen import chosen_backend
from tests.models.tiny import MAX_CONTEXT, VOCABULARY_SIZE, tiny_model


class TinyVocabulary(ToyVocabulary):
    """As many tokens as the tiny models have."""

    def __init__(self) -> None:
        super().__init__()
        self.size, self.eos_ids = VOCABULARY_SIZE, frozenset({2})


def tiny(name: str = "llama") -> Model:
    hf_model, vocabulary = tiny_model(name), TinyVocabulary()
    backend, note = chosen_backend(hf_model, vocabulary, MAX_CONTEXT)
    return Model(f"tiny {name}", backend, f"float32 weights; {note}", backend.bytes_per_token(), None, hf_model)
