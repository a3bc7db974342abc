"""The slow reference backend: every lane has a plain cache of its own and runs alone.

Knows nothing about slots or batching; it serves the architectures whose caches hold no slots.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from playground.models.backend import Chunk, Vocabulary
from playground.models.checks import check_chunks, check_layers, fork_length
from playground.models.layers import layers_of, unembedded

Feeding = Literal["chunks", "tokens", "anew"]
"""How a lane's tokens reach the model: as they come; one by one after the first chunk, for recurrent models that
read a state only one token at a time; or all of them anew each time, where no cache works at all."""

_Answer = tuple[Tensor, Tensor]

CACHE_ARGUMENTS = ("past_key_values", "cache_params")
"""The names under which models take a cache."""

STATE_TOKENS = 256
"""A text of about this length pays for the whole of a recurrent state."""


@dataclass
class _Lane:
    """A lane's tokens, and a cache of the first ``num_cached`` of them (a cut fork starts without one)."""

    token_ids: list[int] = field(default_factory=list)
    cache: Any = None
    num_cached: int = 0


class PerLaneBackend:
    """Any transformers causal LM, one lane at a time."""

    def __init__(self, hf_model: Any, vocabulary: Vocabulary, max_context: int, feeding: Feeding) -> None:
        self.vocabulary = vocabulary
        self.max_context = max_context
        self._hf_model = hf_model
        self._feeding = feeding
        self._lanes: dict[int, _Lane] = {}
        self.num_layers, self.ties_embeddings = layers_of(hf_model)
        self._device = hf_model.get_input_embeddings().weight.device
        parameters = inspect.signature(hf_model.forward).parameters
        self._cache_argument = next((name for name in CACHE_ARGUMENTS if name in parameters), None)
        self._takes_kept = "logits_to_keep" in parameters

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        return self.forward_states(chunks, ())[0]

    @torch.no_grad()
    def forward_states(self, chunks: Sequence[Chunk], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        check_layers(layers, self.num_layers)
        lengths = {lane: len(state.token_ids) for lane, state in self._lanes.items()}
        check_chunks(chunks, lengths, self.max_context, self.vocabulary.size)
        advanced = [self._advanced(chunk, layers) for chunk in chunks]
        # Only now: a forward that failed on its way leaves every lane as it was.
        self._lanes.update({chunk.lane: lane for chunk, (lane, _) in zip(chunks, advanced, strict=True)})
        if not chunks:
            return torch.empty(0, self.vocabulary.size), torch.empty(len(layers), 0, 0)
        rows = [answer for _, answers in advanced for answer in answers]
        return torch.cat([logits for logits, _ in rows]), torch.cat([states for _, states in rows], dim=1)

    def _advanced(self, chunk: Chunk, layers: Sequence[int]) -> tuple[_Lane, list[_Answer]]:
        """The lane after ``chunk``, and the wanted rows in one or several parts."""
        old = self._lanes.get(chunk.lane, _Lane())
        token_ids = [*old.token_ids, *chunk.token_ids]
        wanted = [len(old.token_ids) + row for row in chunk.rows]
        of_states = [len(old.token_ids) + row for row in chunk.state_rows]
        if self._feeding == "anew" or self._cache_argument is None:
            return _Lane(token_ids), [self._run(token_ids, wanted, of_states, layers, {})]
        cache = old.cache if old.cache is not None else self._new_cache()
        # A failure between here and the end may have touched the cache: until then the lane does not trust it.
        num_cached, old.num_cached, old.cache = old.num_cached, 0, None
        parts = []
        for start, stop in self._spans(num_cached, len(token_ids)):
            rows, states = ([at - start for at in ats if start <= at < stop] for ats in (wanted, of_states))
            arguments = {self._cache_argument: cache, "use_cache": True}
            parts.append(self._run(token_ids[start:stop], rows, states, layers, arguments))
        return _Lane(token_ids, cache, len(token_ids)), parts

    def _spans(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The stretches to feed one after another."""
        if self._feeding == "chunks" or start == 0:
            return [(start, stop)]
        return [(position, position + 1) for position in range(start, stop)]

    def _run(
        self,
        token_ids: Sequence[int],
        rows: Sequence[int],
        states: Sequence[int],
        layers: Sequence[int],
        arguments: dict[str, Any],
    ) -> _Answer:
        """float32[rows, V] logits and float32[layers, states, D]."""
        if layers:
            arguments = {**arguments, "output_hidden_states": True}
        if self._takes_kept:
            arguments = {**arguments, "logits_to_keep": torch.tensor(rows, dtype=torch.int64, device=self._device)}
        output = self._hf_model(input_ids=torch.tensor([token_ids], device=self._device), **arguments)
        logits: Tensor = output.logits[0].float()
        logits = logits if self._takes_kept else logits[list(rows)]
        if not layers:
            return logits, torch.empty(0, 0, 0)
        return logits, torch.stack([output.hidden_states[layer][0, list(states)].float() for layer in layers])

    @torch.no_grad()
    def unembed(self, states: Tensor) -> Tensor:
        return unembedded(self._hf_model, states)

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._hf_model.config)

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        lane = self._lanes.get(src)
        length = fork_length(src, None if lane is None else len(lane.token_ids), length)
        if lane is not None and (src != dst or length < len(lane.token_ids)):
            whole = length == len(lane.token_ids)
            self._lanes[dst] = copy.deepcopy(lane) if whole else _Lane(lane.token_ids[:length])

    def release(self, lane: int) -> None:
        self._lanes.pop(lane, None)

    def bytes_per_token(self) -> int:
        """Memory a token takes, from the lanes held now: keys and values grow with the text, and a recurrent state,
        which does not, is spread over ``STATE_TOKENS``."""
        growing = constant = num_tokens = num_lanes = 0
        for lane in self._lanes.values():
            for layer in getattr(lane.cache, "layers", ()):
                total = _num_bytes(vars(layer))
                keys_and_values = _num_bytes([getattr(layer, "keys", None), getattr(layer, "values", None)])
                growing, constant = growing + keys_and_values, constant + total - keys_and_values
            num_tokens, num_lanes = num_tokens + lane.num_cached, num_lanes + 1
        return -(-growing // max(1, num_tokens)) + constant // max(1, num_lanes * STATE_TOKENS)


def _num_bytes(value: Any) -> int:
    """Of every tensor in a nest of lists and dicts."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        value = list(value.values())
    return sum(map(_num_bytes, value)) if isinstance(value, (list, tuple)) else 0
