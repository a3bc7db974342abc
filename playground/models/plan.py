"""What one forward does to the slots: which rows it takes, where their tokens go, what they may look at.

Knows nothing about the tensors in the slots, nor about lanes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """A rectangle of tokens: row b's go to ``slots[b]``, positions ``starts[b]`` to ``starts[b] + width - 1``.

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

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, width)."""
        return len(self.slots), self.width

    def indices(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Slots int64[B, 1] and positions int64[B, width] on ``device``, made once for all layers there."""
        if device not in self._tensors:
            slots = torch.tensor(self.slots)[:, None]
            positions = torch.tensor(self.starts)[:, None] + torch.arange(self.width)
            self._tensors[device] = slots.to(device), positions.to(device)
        return self._tensors[device]


@dataclass(frozen=True)
class Plan:
    """One segment, run as the rectangle it is; or several of different shapes, packed one after another into one row.

    Packed, the model's linear layers read their weights once for all tokens; only attention goes segment by segment.
    """

    segments: tuple[Segment, ...]

    @property
    def packed(self) -> bool:
        return len(self.segments) > 1

    @cached_property
    def columns(self) -> tuple[slice, ...]:
        """Where each segment's tokens stand in the packed row, row after row."""
        ends = [0]
        for rows, width in (segment.shape for segment in self.segments):
            ends.append(ends[-1] + rows * width)
        return tuple(slice(start, stop) for start, stop in pairwise(ends))

    def arrange(self, rectangles: list[Tensor]) -> Tensor:
        """Each segment's [rows, width] as the model takes them: as it is, or packed to [1, N]."""
        return torch.cat([tensor.flatten() for tensor in rectangles])[None] if self.packed else rectangles[0]

    def positions(self, device: torch.device) -> Tensor:
        """int64, arranged like the tokens."""
        return self.arrange([segment.indices(device)[1] for segment in self.segments])

    def unpack(self, packed: Tensor) -> list[Tensor]:
        """[1, heads, N, dim] to each segment's [rows, heads, width, dim]."""
        return [
            packed[0, :, columns].unflatten(1, segment.shape).transpose(0, 1)
            for segment, columns in zip(self.segments, self.columns, strict=True)
        ]
