"""Parameters as numbers or as columns: the same sampler code serves one user and many users with different settings.

Knows nothing about samplers, chains or histories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

Number = float | torch.Tensor  # a plain number, or float64[B,1]: one value a row


@dataclass(frozen=True)
class Rows:
    """Values that cannot be a column of numbers (maps, texts): one value a row."""

    values: tuple[Any, ...]


def column(value: Number, like: torch.Tensor, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """``value`` as dtype[1,1] or dtype[B,1] on the device of ``like``.

    Never a 0-d tensor: torch gives those a weaker dtype and, on CUDA, turns a division by a Python number into a
    multiplication by its reciprocal, so a user alone would differ in the last bit from the same user in a batch.
    """
    if isinstance(value, torch.Tensor):
        return value.to(device=like.device, dtype=dtype)
    return torch.full((1, 1), float(value), dtype=dtype, device=like.device)


def remembered(states: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    """The memories of a stage that remembers one number, as float64[B,1]."""
    return torch.tensor([float(state) for state in states], dtype=torch.float64, device=like.device)[:, None]


def per_row(value: Any, num_rows: int) -> list[Any]:
    """``value`` as one Python value a row, whether it is shared, a column or ``Rows``."""
    if isinstance(value, Rows):
        return list(value.values)
    if isinstance(value, torch.Tensor):
        return [float(number) for number in value.flatten().tolist()]
    return [value] * num_rows


def stacked(values: list[Any]) -> Any:
    """One value a row -> the value itself where all agree, else float64[B,1], else ``Rows``."""
    if all(value == values[0] for value in values):
        return values[0]
    if all(isinstance(value, int | float) for value in values):
        return torch.tensor(values, dtype=torch.float64)[:, None]
    return Rows(tuple(values))
