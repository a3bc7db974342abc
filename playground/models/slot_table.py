"""Which lane sits in which slot of which pool.

Knows nothing about tensors: it only keeps the books, and says what must be copied where.

A pool holds slots of one capacity (tokens), a power of two, so that one long lane does not make every slot long.
A lane moves to a larger pool when it outgrows its own, or when it runs beside longer lanes; it never moves down.
"""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST_CAPACITY = 256
"""Tokens; below it a move would cost more than the memory it saves."""


@dataclass(frozen=True)
class Place:
    """One slot: ``slot`` counts from 0 within the pool of this ``capacity``."""

    capacity: int
    slot: int


def capacity_for(num_tokens: int) -> int:
    """The capacity of the smallest pool whose slots hold ``num_tokens``."""
    return max(SMALLEST_CAPACITY, 1 << (num_tokens - 1).bit_length())


class SlotTable:
    """Lanes to places and back."""

    def __init__(self) -> None:
        self._pools: dict[int, list[int | None]] = {}
        self._places: dict[int, Place] = {}

    def place(self, lane: int) -> Place | None:
        return self._places.get(lane)

    def num_slots(self, capacity: int) -> int:
        """How many slots the pool has; 0 where there is no such pool."""
        return len(self._pools.get(capacity, ()))

    def reserve(self, capacity: int) -> Place:
        """The lowest free slot, in a pool grown by half where none is free. It stays free until ``settle``."""
        slots = self._pools.setdefault(capacity, [])
        if None not in slots:
            slots += [None] * (len(slots) // 2 + 1)
        return Place(capacity, slots.index(None))

    def settle(self, lane: int, place: Place) -> None:
        """Put ``lane`` into a free place, leaving the one it had."""
        self.leave(lane)
        self._pools[place.capacity][place.slot] = lane
        self._places[lane] = place

    def leave(self, lane: int) -> Place | None:
        """Free the lane's slot; the place it had."""
        place = self._places.pop(lane, None)
        if place is not None:
            self._pools[place.capacity][place.slot] = None
        return place

    def swap(self, capacity: int, first: int, second: int) -> None:
        """Exchange whatever sits in two slots of one pool."""
        slots = self._pools[capacity]
        slots[first], slots[second] = slots[second], slots[first]
        for slot in (first, second):
            lane = slots[slot]
            if lane is not None:
                self._places[lane] = Place(capacity, slot)

    def lane_at(self, place: Place) -> int | None:
        return self._pools[place.capacity][place.slot]

    def trim(self, capacity: int) -> int | None:
        """How many slots to keep where at least the last half of the pool is free, else None (0: none are left).

        Only then, because every change of size copies the slots that stay.
        """
        slots = self._pools.get(capacity, [])
        used = max((index + 1 for index, lane in enumerate(slots) if lane is not None), default=0)
        if used > len(slots) // 2:
            return None
        del slots[used:]
        if not used:
            self._pools.pop(capacity, None)
        return used
