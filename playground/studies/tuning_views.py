"""What a tuning shows: one point of the curves for every look at the policy, and the state of the run between them.

Knows nothing about how either is computed. Plain numbers and texts; NaN and infinity never leave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from playground.control.exactness import Exactness

Phase = Literal["start", "offline", "online", "done"]


class PointView(TypedDict):
    """The policy after so many gradient steps, measured on texts that it wrote at that moment."""

    step: int
    phase: Phase
    kl_target: float | None
    """KL(p‖π), nats, from the fresh texts."""
    kl_held_out: float | None
    """The same from texts of the pool that were not learnt."""
    tvd: float | None
    jensen_shannon: float | None
    kl_base: float | None
    z: float | None
    z_error: float | None
    ess_fraction: float | None
    rate: float | None
    moments: list[float | None]
    distinct_1: float | None
    distinct_2: float | None
    num_texts: int
    gradient_norm: float | None
    """Of the step that led here, before clipping."""
    alarm: str | None


class TextView(TypedDict):
    """One fresh text: what was written, whether the target allows it, and how it is weighed."""

    text: str
    prompt: str
    """Where the goal has several; else empty."""
    allowed: bool
    marks: list[list[int]]
    values: list[float | None]
    """What the features found and of how much, as in ``TextRow``."""
    log_ratio: float | None
    """log P/(Z π), nats: 0 where the policy is exact, below it where it writes the text too often."""


class TuningView(TypedDict):
    """The run at one moment."""

    phase: Phase
    message: str
    fraction: float
    points: list[PointView]
    now: int
    """The place of the point where the adapter stands: the last one, unless it went back to its best; −1 before any."""
    texts: list[TextView]
    alarm: str | None
    """That point's."""
    facts: FactsView


class FactsView(TypedDict):
    """What holds for the whole run."""

    loss: str
    features: list[str]
    pool_z: float | None
    kl_floor: float | None
    """KL(p‖a), nats: how far from the base an exact policy stands (−log Z for a pointwise target)."""
    base_rate: float | None
    target_rate: float | None
    base_moments: list[float | None]
    target_moments: list[float | None]
    num_learnt: int
    num_held_out: int
    num_weights: int


def point_view(
    step: int,
    phase: Phase,
    found: Exactness,
    held_out: float,
    rate: float,
    pool_z: float,
    gradient_norm: float | None,
    alarm: str | None,
) -> PointView:
    return PointView(
        step=step,
        phase=phase,
        kl_target=finite(found.kl_target),
        kl_held_out=finite(held_out),
        tvd=finite(found.tvd),
        jensen_shannon=finite(found.jensen_shannon),
        kl_base=finite(found.kl_base),
        z=finite(found.z_share * pool_z),
        z_error=finite(found.z_share_error * pool_z),
        ess_fraction=finite(found.ess_fraction),
        rate=finite(rate),
        moments=[finite(value) for value in found.moments],
        distinct_1=finite(found.distinct_1),
        distinct_2=finite(found.distinct_2),
        num_texts=found.num_samples,
        gradient_norm=finite(gradient_norm),
        alarm=alarm,
    )


def finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if value is not None and math.isfinite(value) else None


def points_from_json(given: Any) -> list[PointView]:
    """Points that were saved beside an adapter."""
    if not isinstance(given, Sequence) or not all(isinstance(one, Mapping) for one in given):
        return []
    return [PointView(**one) for one in given if set(one) == set(PointView.__annotations__)]  # type: ignore[typeddict-item]
