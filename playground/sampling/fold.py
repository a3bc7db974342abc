"""The fold: scores run through stages in order, on the whole vocabulary first and on the survivors after a truncation.

Knows nothing about particular samplers or about users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from playground.sampling.branches import split
from playground.sampling.candidates import Candidates, compacted
from playground.sampling.preselect import preselected
from playground.sampling.sampler import Sampler
from playground.sampling.stacking import at_rows


def applied(sampler: Sampler, now: Candidates, states: Sequence[Any]) -> torch.Tensor:
    """The scores as one stage leaves them; ``states`` are its memories, one a row."""
    if sampler.stateful:
        return sampler.apply(now.scores, now.context, tuple(states))  # type: ignore[call-arg]
    return sampler.apply(now.scores, now.context)


def fold(
    samplers: Sequence[Sampler], now: Candidates, states: Sequence[Sequence[Any]], compact: bool = True
) -> Candidates:
    """All stages in order. ``states`` one row each, one memory a stage. ``compact=False`` is the plain reference.

    At a random stage each row that its coin can change goes on once for either side: see ``branches.mixed``.
    """
    samplers = list(samplers)
    if compact:
        now = preselected(samplers, now)
    for index, sampler in enumerate(samplers):
        if sampler.purpose is not None:
            sampler, now, rows = split(index, sampler, now)
            if len(rows) > len(states):
                states = [states[row] for row in rows]
                samplers[index + 1 :] = [at_rows(later, rows) for later in samplers[index + 1 :]]
        scores = applied(sampler, now, [row[index] for row in states])
        now = Candidates(scores, now.context, now.branches)
        if compact and sampler.kind == "truncate":
            now = compacted(now)
    return now
