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


class Words:
    """A vocabulary whose tokens are these pieces; encoding takes the longest that fits, from the left."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = [piece.encode() for piece in pieces]
        self.size = len(pieces)

    def piece(self, token_id: int) -> bytes:
        return self.pieces[token_id]

    def encode(self, text: str, special: bool = True) -> list[int]:
        ids, rest = [], text.encode()
        while rest:
            fitting = [number for number, piece in enumerate(self.pieces) if piece and rest.startswith(piece)]
            ids.append(max(fitting, key=lambda number: len(self.pieces[number])))
            rest = rest[len(self.pieces[ids[-1]]) :]
        return ids


VOCABULARY = Words("a", "b", "\n", ":", '"', "é", "a:", ":b", 'ab"', "\na", *("" for _ in range(WIDTH - 10)))
"""Every text that ``values`` draws has tokens here."""


def settings_of(kind: type[Sampler], bound: bool = True) -> st.SearchStrategy[Sampler]:
    """A sampler with any settings; ``bound``: its texts resolved against a small vocabulary."""
    made = st.fixed_dictionaries({name: values(fact) for name, fact in kind.params().items()}).map(
        lambda at: kind(**at)
    )
    return made.map(lambda sampler: sampler.bind(VOCABULARY)) if bound else made


def samplers(bound: bool = True) -> st.SearchStrategy[Sampler]:
    return st.sampled_from(list(SAMPLERS.values())).flatmap(lambda kind: settings_of(kind, bound))


def chains(max_size: int = 6, bound: bool = True) -> st.SearchStrategy[Chain]:
    """Any stages in any order, a draw last, no more random ones than a chain may have."""
    ordered = (
        st.lists(samplers(bound), max_size=max_size)
        .filter(lambda found: sum(len(sampler.branches()) > 1 for sampler in found) <= 4)
        .map(lambda found: sorted(found, key=lambda one: one.kind == "draw"))
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
