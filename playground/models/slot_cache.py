"""A transformers cache whose layers write each row at its own position into slots of shared tensors.

Knows nothing about lanes, text or logits: a Plan says which slots a forward uses and where its tokens go.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from playground.models.packed_attention import PackedQueries
from playground.models.plan import Plan, Segment
from playground.models.slot_table import Place


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
        """Write float[B, heads, width, dim] and return what attention reads: float[B, heads, length, dim].

        Where the plan is packed, attention reads segment by segment instead, and what is returned here is not used.
        """
        plan = self._plan
        if not plan.packed:
            self._write(plan.segments[0], key_states, value_states)
            return self.read(plan.segments[0])
        for segment, keys, values in zip(
            plan.segments, plan.unpack(key_states), plan.unpack(value_states), strict=True
        ):
            self._write(segment, keys, values)
        return key_states, value_states

    def _write(self, segment: Segment, key_states: Tensor, value_states: Tensor) -> None:
        pair = self.room(segment.capacity, segment.num_slots, key_states, value_states)
        slots, positions = segment.indices(key_states.device)
        for stored, new in zip(pair, (key_states, value_states), strict=True):
            stored[slots, :, positions] = new.transpose(1, 2)

    def read(self, segment: Segment) -> tuple[Tensor, Tensor]:
        """Keys and values of the rows, float[rows, heads, length, dim]; in place where they are neighbours."""
        keys, values = self.pools[segment.capacity]
        if segment.adjacent:
            first, last = segment.slots[0], segment.slots[-1] + 1
            return keys[first:last, :, : segment.length], values[first:last, :, : segment.length]
        rows = segment.indices(keys.device)[0][:, 0]
        return (
            keys[:, :, : segment.length].index_select(0, rows),
            values[:, :, : segment.length].index_select(0, rows),
        )

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
        return (query_length if self._plan.packed else self._plan.segments[0].length), 0

    def get_seq_length(self) -> int:
        first = self._plan.segments[0]
        return 0 if self._plan.packed else first.length - first.width

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

    def get_query_offset(self, layer_idx: int = 0) -> int | Tensor | PackedQueries:
        assert self._plan is not None
        if self._plan.packed:
            return PackedQueries(self._plan, self.layers)
        return self._plan.segments[0].query_offset

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
