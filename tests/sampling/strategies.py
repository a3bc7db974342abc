"""Hypothesis strategies for settings, chains and rows of scores, drawn from the registry itself.

Knows nothing about any particular sampler: a new one is tested by being there.
"""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from playground.sampling import SAMPLERS, Chain, Param, Sampler

WIDTH = 24  # tokens in the vocabulary of most law tests


def values(fact: Param) -> st.SearchStrategy[Any]:
    """Values of one parameter: the slider's range with its ends, and the ends of what is legal."""
    if fact.kind == "biases":
        token_ids = st.integers(0, WIDTH - 1).map(str)
        return st.dictionaries(token_ids, st.floats(-100, 100) | st.sampled_from([1e38, -1e300]), max_size=4)
    if fact.kind == "choice":
        return st.sampled_from([value for value, _ in fact.choices])
    if fact.kind == "tokens":
        return st.lists(st.integers(0, WIDTH - 1), max_size=5) | st.just(list(range(WIDTH)))
    if fact.kind == "texts":
        return st.lists(st.text("ab\n:\"é", min_size=1, max_size=3), max_size=3)
    edges = st.sampled_from([fact.low, fact.high, fact.hard_low, fact.hard_high, fact.default])
    if fact.integer:
        return st.integers(int(fact.low), int(fact.high)) | edges.map(int)
    return st.floats(fact.low, fact.high) | edges


def settings_of(kind: type[Sampler]) -> st.SearchStrategy[Sampler]:
    return st.fixed_dictionaries({name: values(fact) for name, fact in kind.params().items()}).map(
        lambda at: kind(**at)
    )


def samplers() -> st.SearchStrategy[Sampler]:
    return st.sampled_from(list(SAMPLERS.values())).flatmap(settings_of)


def chains(max_size: int = 6) -> st.SearchStrategy[Chain]:
    """Any stages in any order, a draw last."""
    ordered = st.lists(samplers(), max_size=max_size).map(
        lambda found: sorted(found, key=lambda one: one.kind == "draw")
    )
    return ordered.map(lambda found: [s for s in found[:-1] if s.kind != "draw"] + found[-1:]).map(tuple).map(Chain)


@st.composite
def rows(draw: st.DrawFn, width: int = WIDTH) -> torch.Tensor:
    """float32[width]: eighths, so that shifts are exact and ties are common; some tokens removed, never all."""
    eighths = draw(st.lists(st.integers(-240, 240), min_size=width, max_size=width))
    removed = draw(st.sets(st.integers(1, width - 1), max_size=width - 1)) if draw(st.booleans()) else set()
    row = torch.tensor(eighths, dtype=torch.float32) / 8
    row[list(removed)] = -torch.inf
    return row.roll(draw(st.integers(0, width - 1)))


def histories(width: int = WIDTH) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, width - 1), max_size=12)
