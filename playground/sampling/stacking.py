"""Several rows' settings of one stage as one sampler with columns, and that sampler as plain ones again.

Knows nothing about particular samplers, chains or tensors of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch

from playground.sampling.columns import Rows, per_row, stacked
from playground.sampling.sampler import Sampler


def merged(samplers: Sequence[Sampler | None]) -> Sampler:
    """One sampler for several rows: a column for each parameter in which they differ, off for rows that lack it."""
    some = next(sampler for sampler in samplers if sampler is not None)
    settings = [replace(some, **(some.off or {})) if sampler is None else sampler for sampler in samplers]
    return _made(some, {f.name: stacked([getattr(one, f.name) for one in settings]) for f in fields(some)})


def separate(sampler: Sampler, num_rows: int) -> list[Sampler]:
    """The reverse of ``merged``: each row's own sampler."""
    values = {f.name: per_row(getattr(sampler, f.name), num_rows) for f in fields(sampler)}
    return [_made(sampler, {name: column[row] for name, column in values.items()}) for row in range(num_rows)]


def at_rows(sampler: Sampler, rows: Sequence[int]) -> Sampler:
    """The same stage for some of its rows, each as often as it is named; itself where it has no columns."""
    columns = {f.name: getattr(sampler, f.name) for f in fields(sampler)}
    if not any(isinstance(value, Rows | torch.Tensor) for value in columns.values()):
        return sampler
    return _made(sampler, {name: _picked(value, rows) for name, value in columns.items()})


def _picked(value: object, rows: Sequence[int]) -> object:
    if isinstance(value, Rows):
        return Rows(tuple(value.values[row] for row in rows))
    return value[list(rows)] if isinstance(value, torch.Tensor) else value


def _made(like: Sampler, values: dict[str, object]) -> Sampler:
    made = object.__new__(type(like))  # not through __init__: it would check columns as if they were numbers
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
