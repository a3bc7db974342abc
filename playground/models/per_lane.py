"""The slow reference backend: every lane has a plain cache of its own and runs alone.

Knows nothing about slots or batching; it serves the architectures whose caches hold no slots.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from playground.models.backend import Chunk, Vocabulary
from playground.models.checks import check_chunks, fork_length


@dataclass
class _Lane:
    """A lane's tokens and the cache of the first ``num_cached`` of them (a fork may leave the cache behind)."""

    token_ids: list[int] = field(default_factory=list)
    cache: Any = None
    num_cached: int = 0


class PerLaneBackend:
    """Any transformers causal LM, one lane at a time."""

    def __init__(self, hf_model: Any, vocabulary: Vocabulary, max_context: int) -> None:
        self.vocabulary = vocabulary
        self.max_context = max_context
        self._hf_model = hf_model
        self._lanes: dict[int, _Lane] = {}
        parameters = inspect.signature(hf_model.forward).parameters
        self._cache_name = "cache_params" if "cache_params" in parameters else "past_key_values"

    @torch.no_grad()
    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        lengths = {lane: len(state.token_ids) for lane, state in self._lanes.items()}
        check_chunks(chunks, lengths, self.max_context, self.vocabulary.size)
        return torch.cat([self._forward_one(chunk) for chunk in chunks])

    def _forward_one(self, chunk: Chunk) -> Tensor:
        lane = self._lanes.setdefault(chunk.lane, _Lane())
        lane.token_ids += chunk.token_ids
        owed = lane.token_ids[lane.num_cached :]
        if lane.cache is None:
            from transformers import DynamicCache

            lane.cache = DynamicCache(config=self._hf_model.config)
        device = self._hf_model.get_input_embeddings().weight.device
        output = self._hf_model(
            input_ids=torch.tensor([owed], device=device), use_cache=True, **{self._cache_name: lane.cache}
        )
        lane.num_cached = len(lane.token_ids)
        rows = [len(owed) - len(chunk.token_ids) + row for row in chunk.rows]
        logits: Tensor = output.logits[0, rows].float()
        return logits

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        lane = self._lanes.get(src)
        length = fork_length(src, None if lane is None else len(lane.token_ids), length)
        if lane is None:
            return
        whole = length == len(lane.token_ids)
        self._lanes[dst] = copy.deepcopy(lane) if whole else _Lane(lane.token_ids[:length])

    def release(self, lane: int) -> None:
        self._lanes.pop(lane, None)
