"""The backend that serves a tiny model, chosen once: a choice reads texts in every way, and hundreds of tests need one.

Knows nothing about which it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from playground.models.backend import Vocabulary
from playground.models.causal_lm import SlotBackend
from playground.models.choosing import AnyBackend, choose_backend, slot_layers
from playground.models.per_lane import PerLaneBackend


def chosen_backend(hf_model: Any, vocabulary: Vocabulary, max_context: int) -> tuple[AnyBackend, str]:
    """A fresh backend of the kind that ``choose_backend`` chooses, whose lanes nobody has used, and its words."""
    like, batching = _choice(hf_model, type(vocabulary), max_context)
    if isinstance(like, SlotBackend):
        return SlotBackend(hf_model, vocabulary, max_context, slot_layers(hf_model.config) or 0, like.packs), batching
    return PerLaneBackend(hf_model, vocabulary, max_context, like._feeding), batching


@cache
def _choice(hf_model: Any, vocabulary: type[Vocabulary], max_context: int) -> tuple[AnyBackend, str]:
    return choose_backend(hf_model, vocabulary(), max_context)
