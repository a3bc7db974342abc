"""One request being served: its samples, the prompt they share, and the slots it holds.

Knows nothing about other requests, the backend or the chain: it keeps books, others act on them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from playground.engine.budget import Cost, num_first_slots
from playground.engine.gang import Gang
from playground.engine.pursuit import Pursuit
from playground.engine.records import Priority, Reading, Request
from playground.engine.stream import Stream
from playground.engine.telling import Teller


class Sample:
    """One text being written by one gang."""

    def __init__(self, number: int, gang: Gang, request: Request, room: int, teller: Teller) -> None:
        self.number = number
        self.gang = gang
        self.teller = teller
        self.memory = request.start_memory
        """What the chain's stateful stages remember."""
        self.num_written = 0
        """Tokens drawn here; ``continued_ids`` are not counted."""
        self.room = room
        """Tokens it may write: ``max_tokens``, or what the context leaves."""
        prompt = request.prompt_ids + request.continued_ids
        self._num_seen = len(prompt)
        # A tensor that grows in place: building one from an 8,000-token list each step would cost more than the draw.
        self._seen = torch.empty(len(prompt) + room, dtype=torch.int64)
        self._seen[: len(prompt)] = torch.tensor(prompt, dtype=torch.int64)

    @property
    def history(self) -> Tensor:
        """int64[T] on the CPU: the prompt branch's tokens, prompt first, which is what penalties look at."""
        return self._seen[: self._num_seen]

    def write(self, token_id: int) -> None:
        """The token was drawn: it is remembered, and owed to every lane."""
        self._seen[self._num_seen] = token_id
        self._num_seen += 1
        self.num_written += 1
        self.gang.owe(token_id)


@dataclass(eq=False)
class Job:
    """A request or reading with what it holds in the engine."""

    work: Request | Reading
    stream: Stream
    cost: Cost
    """Of one slot."""
    age: int = 0
    """Order of arrival; the youngest has the highest."""
    num_slots: int = 0
    """Slots charged to the budget."""
    root: Gang | None = None
    """The lanes reading the prompt; later samples fork from them, the last one takes them over."""
    root_rows: Tensor | None = None
    """float32[branches, V] after the prompt, from which every sample draws its first token."""
    samples: list[Sample] = field(default_factory=list)
    pursuit: Pursuit | None = None
    """The texts in flight of a request that looks ahead; it has no samples."""
    num_started: int = 0
    """Samples started so far."""
    num_before_turn: int = 0
    """Samples started before it last came out of the queue."""
    fair_slots: int = 0
    """Slots it may hold while others are there; of a request of several samples."""

    @property
    def priority(self) -> Priority:
        return self.work.priority

    @property
    def owner(self) -> str:
        """Whose it is: the session's, or its own where it has none. Shares are by owner."""
        return self.work.session or self.stream.id

    @property
    def num_unstarted(self) -> int:
        """Samples still to start; a reading has none."""
        if isinstance(self.work, Reading) or self.work.looks_ahead:
            return 0
        return self.work.num_samples - self.num_started

    @property
    def is_elastic(self) -> bool:
        """It writes several samples, more or fewer of them at once."""
        return isinstance(self.work, Request) and self.work.num_samples > 1

    @property
    def num_first_slots(self) -> int:
        """Slots it needs to start, or to go on where it has stopped."""
        num_slots = num_first_slots(self.work)
        return min(num_slots, self.num_unstarted) if self.is_elastic else num_slots

    @property
    def num_used(self) -> int:
        """Slots of samples and of the prompt they share."""
        return len(self.samples) + (self.root is not None)

    @property
    def num_wanted(self) -> int:
        """Slots it has a use for; the last sample takes the prompt's."""
        return len(self.samples) + self.num_unstarted if self.is_elastic else num_first_slots(self.work)

    @property
    def is_hungry(self) -> bool:
        """It holds less than its share, and would use more."""
        return self.is_elastic and self.num_slots < min(self.fair_slots, self.num_wanted)

    @property
    def gangs(self) -> list[Gang]:
        """Every gang that holds lanes."""
        if self.pursuit is not None:
            return self.pursuit.gangs
        roots = [] if self.root is None else [self.root]
        return roots + [sample.gang for sample in self.samples]
