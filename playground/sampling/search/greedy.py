"""Greedy: the most probable token each time, the first of those that tie.

Knows nothing about lanes, models or pages. It needs no maths of its own: the draw walks the final distribution from
the most probable token down, ties by token id, so a dart at 0 is the first maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

from playground.sampling.search.search import Search


@dataclass(frozen=True)
class Greedy(Search):
    """No parameter, no chance."""

    name = "greedy"
    title = "Greedy"
    summary = "Takes the most probable token every time; of equally probable ones the first."
    formula = "x = argmax p(v)"
    source = "the oldest decoder there is"
    with_chain = "It takes the first maximum of what the chain leaves: penalties and biases matter, truncations do not."
