"""A transformers cache whose layers write each row at its own position into slots of shared tensors.

Knows nothing about lanes, text or logits: a Plan says which slots a forward uses and where its tokens go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from playground.models.slot_table import Place


@dataclass(frozen=True)
class Plan:
    """One rectangular forward: row b's tokens go to ``slots[b]``, positions ``starts[b]`` to ``starts[b] + width - 1``.

    Rows shorter than ``width`` are padded at their end; what padding writes is overwritten before it is ever read.
    """

    capacity: int
    num_slots: int
    """Slots the pool must have; its tensors grow when a layer is next used."""
    slots: tuple[int, ...]
    starts: tuple[int, ...]
    width: int
    device: torch.device
    _tensors: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, compare=False)

    @cached_property
    def length(self) -> int:
        """Keys each row sees, masked or not: the longest row's, padding included, so no query is left without a key."""
        return max(self.starts) + self.width

    @cached_property
    def adjacent(self) -> bool:
        """The rows are neighbours in order, so attention reads the slots in place: no copy."""
        return self.slots == tuple(range(self.slots[0], self.slots[0] + len(self.slots)))

    @cached_property
    def query_offset(self) -> int | Tensor:
        """One number where all rows stand alike (then most masks are not even built), else int64[B, 1, 1, 1]."""
        if len(set(self.starts)) == 1:
            return self.starts[0]
        return torch.tensor(self.starts, device=self.device)[:, None, None, None]

    def indices(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Slots int64[B, 1] and positions int64[B, width] on ``device``, made once for all layers there."""
        if device not in self._tensors:
            slots = torch.tensor(self.slots)[:, None]
            positions = torch.tensor(self.starts)[:, None] + torch.arange(self.width)
            self._tensors[device] = slots.to(device), positions.to(device)
        return self._tensors[device]


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values: for each pool a pair [slots, heads, capacity, dim]."""

    is_sliding = False
    is_croppable = False

    def __init__(self) -> None:
        super().__init__()
        self.pools: dict[int, tuple[Tensor, Tensor]] = {}
        self.bytes_per_token = 0
        self.plan: Plan | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write float[B, heads, width, dim] and return what attention reads: float[B, heads, length, dim]."""
        plan = self._plan
        pair = self.room(plan.capacity, plan.num_slots, key_states, value_states)
        slots, positions = plan.indices(key_states.device)
        for stored, new in zip(pair, (key_states, value_states), strict=True):
            stored[slots, :, positions] = new.transpose(1, 2)
        if plan.adjacent:
            first, last = plan.slots[0], plan.slots[-1] + 1
            return pair[0][first:last, :, : plan.length], pair[1][first:last, :, : plan.length]
        rows = slots[:, 0]
        return pair[0][:, :, : plan.length].index_select(0, rows), pair[1][:, :, : plan.length].index_select(0, rows)

    def room(self, capacity: int, num_slots: int, keys_like: Tensor, values_like: Tensor) -> tuple[Tensor, Tensor]:
        """The pool's pair, grown to at least ``num_slots``. New memory is zero: attention multiplies what it masks
        by 0, and 0 times an uninitialised NaN would still be NaN."""
        pair = self.pools.get(capacity)
        if pair is None or len(pair[0]) < num_slots:
            old = pair or (None, None)
            pair = _grown(keys_like, old[0], num_slots, capacity), _grown(values_like, old[1], num_slots, capacity)
            self.pools[capacity] = pair
            self.bytes_per_token = sum(t[0, :, 0].numel() * t.element_size() for t in pair)
        return pair

    @property
    def _plan(self) -> Plan:
        assert self.plan is not None, "a slot cache runs only inside SlotBackend.forward"
        return self.plan

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: pools are made when a plan first needs them."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._plan.length, 0

    def get_seq_length(self) -> int:
        return self._plan.length - self._plan.width

    def get_max_length(self) -> int:
        return -1


def _grown(like: Tensor, old: Tensor | None, num_slots: int, capacity: int) -> Tensor:
    new = like.new_zeros(num_slots, like.shape[1], capacity, like.shape[3])
    if old is not None:
        new[: len(old)] = old
    return new


class SlotCache(Cache):
    """All layers' slots. Set ``plan`` before each forward."""

    layers: list[SlotLayer]

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[SlotLayer() for _ in range(num_layers)])

    def use(self, plan: Plan | None) -> None:
        self._plan = plan
        for layer in self.layers:
            layer.plan = plan

    def get_query_offset(self, layer_idx: int = 0) -> int | Tensor:
        assert self._plan is not None
        return self._plan.query_offset

    def copy(self, source: Place, target: Place, num_slots: int, num_tokens: int) -> None:
        """Copy the first ``num_tokens`` from slot to slot, into a pool of at least ``num_slots``."""
        for layer in self.layers:
            if source.capacity in layer.pools:
                olds = layer.pools[source.capacity]
                for new, old in zip(layer.room(target.capacity, num_slots, *olds), olds, strict=True):
                    new[target.slot, :, :num_tokens] = old[source.slot, :, :num_tokens]

    def swap(self, capacity: int, first: int, second: int, num_slots: int, num_tokens: int) -> None:
        """Exchange the first ``num_tokens`` of two slots of one pool of at least ``num_slots``."""
        for layer in self.layers:
            if capacity in layer.pools:
                for stored in layer.room(capacity, num_slots, *layer.pools[capacity]):
                    stored[[first, second], :, :num_tokens] = stored[[second, first], :, :num_tokens]

    def shrink(self, capacity: int, num_slots: int) -> None:
        """Give back all but the first ``num_slots`` of a pool."""
        for layer in self.layers:
            pair = layer.pools.pop(capacity, None)
            if pair is not None and num_slots:
                layer.pools[capacity] = (pair[0][:num_slots].clone(), pair[1][:num_slots].clone())

    @property
    def bytes_per_token(self) -> int:
        """Of keys and values over all layers; 0 until a forward has shown their shapes."""
        return sum(layer.bytes_per_token for layer in self.layers)

    def num_bytes(self) -> int:
        """Memory held now, used or not."""
        return sum(t.numel() * t.element_size() for layer in self.layers for pair in layer.pools.values() for t in pair)
