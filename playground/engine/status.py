"""Status: the engine's figures at one moment, for people and monitors.

Knows nothing about how they come about.
"""

from __future__ import annotations

from typing import TypedDict


class Status(TypedDict):
    """Plain numbers, JSON as they are."""

    num_waiting_interactive: int
    num_waiting_bulk: int
    num_running: int
    num_users_generating: int
    """Sessions with a running request; requests without a session count one each."""
    tokens_per_s: float
    """Of everybody together, over the last seconds."""
    step_ms: dict[str, float]
    """Milliseconds of a recent step: ``forward``, ``chain``, ``transfer``."""
    guidance_cost: float | None
    """How many times longer a step takes with the negative rows in it; None until both were measured."""
    guidance_cost_ms: float | None
    """The same as milliseconds added to a step."""
    num_lanes_used: int
    num_lanes_interactive: int
    """Those of people who wait for their text; long work goes on when there are none."""
    num_lanes: int
    kv_bytes_used: int
    """Bytes charged to running requests, at the full length they asked for."""
    kv_bytes: int
    store_bytes: int
    num_rows_kept: int
    num_threads: int
