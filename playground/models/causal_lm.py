"""The batched backend: any transformers causal LM whose attention cache can live in slots.

Knows nothing about architectures: the model builds its own masks, the cache only says where each row stands.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from playground.models import packed_attention, ragged_mask
from playground.models.backend import Chunk, Vocabulary
from playground.models.checks import check_chunks, check_layers, fork_length
from playground.models.grouping import Row, forward_costs, group_rows, segment_costs
from playground.models.layers import layers_of, unembedded
from playground.models.plan import Plan, Segment
from playground.models.slot_cache import SlotCache
from playground.models.slot_table import Place, SlotTable, capacity_for


@dataclass(frozen=True)
class _Part:
    """A chunk on its way through a forward: where its lane stands, and which output rows are its own."""

    chunk: Chunk
    row: Row
    first_output: int
    first_state: int

    @property
    def outputs(self) -> list[int]:
        """Its rows among the logits of the whole call."""
        return [self.first_output + offset for offset in range(len(self.chunk.rows))]

    @property
    def states(self) -> list[int]:
        """Its rows among the hidden states of the whole call."""
        return [self.first_state + offset for offset in range(len(self.chunk.state_rows))]


class SlotBackend:
    """Lanes in slots. A call is one forward: rows of similar shape are rectangles, several are packed into one row.

    Where a model cannot pack (``packs`` False: attention of its own, ALiBi), each rectangle is a forward.
    """

    def __init__(
        self, hf_model: Any, vocabulary: Vocabulary, max_context: int, num_layers: int, packs: bool = True
    ) -> None:
        ragged_mask.install()
        packed_attention.install()
        self.vocabulary = vocabulary
        self.max_context = max_context
        self._hf_model = hf_model
        self.num_layers, self.ties_embeddings = layers_of(hf_model)
        self._cache = SlotCache(num_layers)
        self._table = SlotTable()
        self._lengths: dict[int, int] = {}
        self._device = hf_model.get_input_embeddings().weight.device
        self.packs = packs
        kind = self._device.type
        self._costs = segment_costs(kind) if packs else forward_costs(hf_model.get_memory_footprint(), kind)
        self._takes_positions = "position_ids" in inspect.signature(hf_model.forward).parameters

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        return self.forward_states(chunks, ())[0]

    @torch.no_grad()
    def forward_states(self, chunks: Sequence[Chunk], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        check_chunks(chunks, self._lengths, self.max_context, self.vocabulary.size)
        check_layers(layers, self.num_layers)
        parts = self._parts(chunks)
        if not parts:
            return torch.empty(0, self.vocabulary.size), torch.empty(len(layers), 0, 0)
        groups = group_rows([part.row for part in parts], self._costs, self._cache.bytes_per_token)
        segments = [self._arrange([parts[index] for index in group]) for group in groups]
        runs = [segments] if self.packs else [[segment] for segment in segments]
        answers = [self._run(group, layers) for group in runs]
        # Only now: a forward that failed on its way leaves every lane at the length it had.
        self._lengths.update({part.chunk.lane: part.row.start + part.row.count for part in parts})
        orders = [[row for part in chain(*group) for row in part.outputs] for group in runs]
        state_orders = [[row for part in chain(*group) for row in part.states] for group in runs]
        logits = _in_order([rows for rows, _ in answers], orders, 0)
        return logits, _in_order([states for _, states in answers], state_orders, 1)

    def _parts(self, chunks: Sequence[Chunk]) -> list[_Part]:
        parts, num_outputs, num_states = [], 0, 0
        for chunk in chunks:
            row = Row(self._lengths.get(chunk.lane, 0), len(chunk.token_ids))
            parts.append(_Part(chunk, row, num_outputs, num_states))
            num_outputs, num_states = num_outputs + len(chunk.rows), num_states + len(chunk.state_rows)
        return parts

    def _arrange(self, group: list[_Part]) -> list[_Part]:
        """Put the group's lanes into one pool, neighbours where they decode; the group in the order of its slots."""
        width = _width(group)
        needed = capacity_for(max(part.row.start for part in group) + width)
        places = [self._table.place(part.chunk.lane) for part in group]
        capacity = max([needed, *(place.capacity for place in places if place)])
        for part, place in zip(group, places, strict=True):
            if place is None or place.capacity != capacity:
                self._move(part.chunk.lane, place, capacity, part.row.start)
        if width == 1:
            self._make_neighbours([part.chunk.lane for part in group], capacity)
        return sorted(group, key=lambda part: self._slot(part.chunk.lane))

    def _move(self, lane: int, place: Place | None, capacity: int, num_tokens: int) -> None:
        target = self._table.reserve(capacity)
        if place is not None and num_tokens:
            self._cache.copy(place, target, self._table.num_slots(capacity), num_tokens)
        self._table.settle(lane, target)
        if place is not None:
            self._trim(place.capacity)

    def _make_neighbours(self, lanes: list[int], capacity: int) -> None:
        """Swap strays into the run of slots that starts at the group's lowest: one copy now, none each later step."""
        slots = sorted(self._slot(lane) for lane in lanes)
        run = range(slots[0], slots[0] + len(slots))
        gaps = [slot for slot in run if slot not in slots]
        for gap, stray in zip(gaps, (slot for slot in slots if slot not in run), strict=True):
            held = [self._table.lane_at(Place(capacity, slot)) for slot in (gap, stray)]
            num_tokens = max(self._lengths.get(lane, 0) for lane in held if lane is not None)
            self._cache.swap(capacity, gap, stray, self._table.num_slots(capacity), num_tokens)
            self._table.swap(capacity, gap, stray)

    def _slot(self, lane: int) -> int:
        place = self._table.place(lane)
        assert place is not None
        return place.slot

    def _run(self, group: list[list[_Part]], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """One forward of one or several segments: float32[wanted rows, V] and float32[layers, wanted states, D] in the
        order of the group's parts."""
        plan = Plan(tuple(self._segment(parts) for parts in group))
        tokens = plan.arrange([_token_ids(parts) for parts in group]).to(self._device)
        wanted = plan.arrange([_mask(parts, [part.chunk.rows for part in parts]) for parts in group]).to(self._device)
        arguments: dict[str, Any] = {"logits_to_keep": wanted}
        if layers:
            arguments["output_hidden_states"] = True
        if self._takes_positions:
            # Padding may stand beyond the last learned position; what it computes is never read.
            arguments["position_ids"] = plan.positions(self._device).clamp(max=self.max_context - 1)
        self._cache.use(plan)
        try:
            output = self._hf_model(input_ids=tokens, past_key_values=self._cache, use_cache=True, **arguments)
        finally:
            self._cache.use(None)
        logits: Tensor = output.logits.float()
        if not layers:
            return logits, torch.empty(0, 0, 0)
        masks = [_mask(parts, [part.chunk.state_rows for part in parts]) for parts in group]
        of_states = plan.arrange(masks).to(self._device)
        return logits, torch.stack([output.hidden_states[layer][of_states].float() for layer in layers])

    @torch.no_grad()
    def unembed(self, states: Tensor) -> Tensor:
        return unembedded(self._hf_model, states)

    def _segment(self, parts: list[_Part]) -> Segment:
        place = self._table.place(parts[0].chunk.lane)
        assert place is not None
        slots = tuple(self._slot(part.chunk.lane) for part in parts)
        starts = tuple(part.row.start for part in parts)
        return Segment(
            place.capacity, self._table.num_slots(place.capacity), slots, starts, _width(parts), self._device
        )

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        length = fork_length(src, self._lengths.get(src), length)
        if src != dst:
            self.release(dst)
            source = self._table.place(src)
            assert source is not None
            target = self._table.reserve(capacity_for(max(1, length)))
            if length:
                self._cache.copy(source, target, self._table.num_slots(target.capacity), length)
            self._table.settle(dst, target)
        self._lengths[dst] = length

    def release(self, lane: int) -> None:
        self._lengths.pop(lane, None)
        place = self._table.leave(lane)
        if place is not None:
            self._trim(place.capacity)

    def _trim(self, capacity: int) -> None:
        num_slots = self._table.trim(capacity)
        if num_slots is not None:
            self._cache.shrink(capacity, num_slots)

    def bytes_per_token(self) -> int:
        """Memory of one token's keys and values over all layers; 0 before the first forward."""
        return self._cache.bytes_per_token

    def cache_bytes(self) -> int:
        """Memory of all slots, used or not."""
        return self._cache.num_bytes()


def _width(parts: Sequence[_Part]) -> int:
    return max(part.row.count for part in parts)


def _token_ids(parts: Sequence[_Part]) -> Tensor:
    """int64[rows, width], padded with token 0, which every vocabulary has."""
    width = _width(parts)
    return torch.tensor([[*part.chunk.token_ids, *[0] * (width - part.row.count)] for part in parts])


def _mask(parts: Sequence[_Part], wanted: Sequence[range]) -> Tensor:
    """bool[rows, width]: whose logits are computed at all, or whose states are kept."""
    mask = torch.zeros(len(parts), _width(parts), dtype=torch.bool)
    for row, positions in enumerate(wanted):
        mask[row, list(positions)] = True
    return mask


def _in_order(answers: Sequence[Tensor], orders: Sequence[Sequence[int]], dim: int) -> Tensor:
    """The runs' rows along ``dim``, each put where its order says; the one answer itself where it is in order."""
    rows = list(chain(*orders))
    together = answers[0] if len(answers) == 1 else torch.cat(list(answers), dim)
    if rows == list(range(len(rows))) or not together.numel():
        return together
    places = torch.empty(len(rows), dtype=torch.int64)
    places[torch.tensor(rows)] = torch.arange(len(rows))
    return together.index_select(dim, places.to(together.device))
