"""Memory is admitted, not hoped for: lanes and bytes are charged before a request starts.

Knows nothing about queues or tensors: requests go in, yes, not yet or never comes out.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground.engine.fleet import Fleet
from playground.engine.records import Priority, Reading, Request

NEWCOMERS_PART = 16
"""One part in so many of the room is not grown into, so that whoever comes starts at once and not when a text ends."""
NUM_ROW_COPIES = 6
"""float32[V] of working room a row takes on its way through guidance, chain, draw and statistics."""


@dataclass(frozen=True)
class Cost:
    """What one slot (one sample's gang, or one reading) holds while it runs."""

    num_lanes: int
    num_bytes: int


def slot_cost(work: Request | Reading, fleet: Fleet) -> Cost:
    """The cost of one sample at its full length, or of one reading."""
    row_bytes = 4 * fleet.vocabulary.size
    if isinstance(work, Reading):
        held = sum(len(span.token_ids) * fleet.model(span.model).kv_bytes_per_token for span in work.spans)
        num_rows = sum(len(span.keys) for span in work.spans)
        return Cost(len(work.spans), held + num_rows * row_bytes)
    held = sum(
        min(len(branch.token_ids) + work.max_tokens, fleet.max_context(branch.model))
        * fleet.model(branch.model).kv_bytes_per_token
        for branch in work.branches
    )
    return Cost(len(work.branches), held + len(work.branches) * NUM_ROW_COPIES * row_bytes)


def num_first_slots(work: Request | Reading) -> int:
    """Slots a request needs to start: several samples need one for the shared prompt and one to write in, a search
    one for each text in flight."""
    if isinstance(work, Reading):
        return 1
    if work.search is not None and work.looks_ahead:
        return work.search.num_hypotheses
    return min(2, work.num_samples)


class Budget:
    """Lanes and bytes left; bulk work never holds more than half of either."""

    def __init__(self, num_lanes: int, num_bytes: int) -> None:
        self.num_lanes, self.num_bytes = num_lanes, num_bytes
        self.lanes_used = {"interactive": 0, "bulk": 0}
        self._bytes_used = {"interactive": 0, "bulk": 0}

    @property
    def bytes_used(self) -> int:
        return sum(self._bytes_used.values())

    def fits(self, cost: Cost, num_slots: int, priority: Priority) -> bool:
        """Whether so many slots can be taken now."""
        return self._leaves(cost, num_slots, priority, Cost(0, 0))

    def may_grow(self, cost: Cost, priority: Priority) -> bool:
        """Whether a request that runs may take one slot more: what then is left must still let a newcomer start."""
        room = self.room(priority)
        spare = Cost(room.num_lanes // NEWCOMERS_PART, room.num_bytes // NEWCOMERS_PART)
        return self._leaves(cost, 1, priority, spare)

    def take(self, cost: Cost, num_slots: int, priority: Priority) -> None:
        """Charge the slots; a negative number gives them back."""
        self.lanes_used[priority] += num_slots * cost.num_lanes
        self._bytes_used[priority] += num_slots * cost.num_bytes

    def room(self, priority: Priority) -> Cost:
        """What all requests of this priority together may hold, beside what the others hold now."""
        other = "bulk" if priority == "interactive" else "interactive"
        most = self._most(priority)
        return Cost(
            min(most.num_lanes, self.num_lanes - self.lanes_used[other]),
            min(most.num_bytes, self.num_bytes - self._bytes_used[other]),
        )

    def part(self, cost: Cost, priority: Priority) -> float:
        """The part of that room that a slot takes: of the lanes or of the memory, whichever is scarcer."""
        room = self.room(priority)
        return max(cost.num_lanes / max(1, room.num_lanes), cost.num_bytes / max(1, room.num_bytes))

    def refusal(self, cost: Cost, num_slots: int, priority: Priority) -> str | None:
        """Why so many slots could never be taken, even with nobody else there; None where they could."""
        num_bytes, most = num_slots * cost.num_bytes, self._most(priority)
        if num_bytes > most.num_bytes:
            return (
                f"This needs {_mb(num_bytes)} MB of memory and {priority} requests have {_mb(most.num_bytes)} MB. "
                "Shorten the prompt or the length, or start with a larger KV budget."
            )
        if num_slots * cost.num_lanes > most.num_lanes:
            return (
                f"This needs {num_slots * cost.num_lanes} lanes and {priority} requests have {most.num_lanes}. "
                "Start the engine with more lanes."
            )
        return None

    def _most(self, priority: Priority) -> Cost:
        """What all requests of this priority may hold with nobody else there."""
        part = 2 if priority == "bulk" else 1
        return Cost(self.num_lanes // part, self.num_bytes // part)

    def _leaves(self, cost: Cost, num_slots: int, priority: Priority, spare: Cost) -> bool:
        room = self.room(priority)
        num_lanes = self.lanes_used[priority] + num_slots * cost.num_lanes + spare.num_lanes
        num_bytes = self._bytes_used[priority] + num_slots * cost.num_bytes + spare.num_bytes
        return num_lanes <= room.num_lanes and num_bytes <= room.num_bytes


def _mb(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f}"
