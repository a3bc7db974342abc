"""The views of the same knobs in seven engines: plain, JSON-able data.

Knows nothing about tensors, engines or drawing. Probabilities are exact over the full vocabulary.
"""

from __future__ import annotations

from typing import TypedDict


class EngineSegment(TypedDict):
    """One token on an engine's ruler, the largest first, laid end to end from 0."""

    token_id: int
    text: str
    start: float
    p: float
    p_here: float
    """0: our own pipeline removes it."""


class EngineDartView(TypedDict):
    """The engine's ruler, and what the step's dart hits on it."""

    u: float
    token_id: int
    text: str
    p: float
    segments: list[EngineSegment]


class SetView(TypedDict):
    """Tokens that one side keeps and the other removes."""

    count: int
    mass: float
    """Their share of the side that keeps them."""
    texts: list[str]
    """The largest of them."""


class EngineStageView(TypedDict):
    """One stage of an engine's path, as it leaves."""

    name: str
    title: str
    params: dict[str, object]
    support: int


class VariantView(TypedDict):
    """The same engine started another way."""

    name: str
    says: str
    parts: str
    support: int
    choices: float
    tvd: float


class EngineView(TypedDict):
    """One engine beside us; we ourselves are one of them, with the name ``here``."""

    name: str
    version: str
    says: str
    """What is its own about its order."""
    parts: str
    """The first difference against us, and its reason."""
    same: bool
    support: int
    choices: float
    entropy_bits: float
    tvd: float
    """Total variation distance to us: the largest difference in probability that any event can have."""
    dart: EngineDartView
    gained: SetView
    """Kept there, removed here."""
    lost: SetView
    """Kept here, removed there."""
    path: list[EngineStageView]
    notes: list[str]
    quirks: list[str]
    movable: bool
    """Whether a setting of the engine changes its order."""
    variants: list[VariantView]


class EngineTokenView(TypedDict):
    """One line of the table: a token's probability here and in every engine, in the order of ``engines``."""

    token_id: int
    text: str
    p_here: float
    p: list[float]


class EnginesView(TypedDict):
    """The same knobs in every engine, on one step."""

    version: int
    key: str
    title: str
    vocabulary_size: int
    here: EngineView
    engines: list[EngineView]
    tokens: list[EngineTokenView]
    cost_ms: float
