"""Presets: each engine's order, rules and default values, in the form in which the page puts them on the strip.

Knows nothing about particular engines or stages.
"""

from __future__ import annotations

from typing import Any

from playground.sampling import SAMPLERS, orders


def orders_json() -> dict[str, dict[str, Any]]:
    """By engine: ``stages`` (all names, in its order), ``rules`` (its flavour of each stage that has flavours) and
    ``defaults`` (the stages that run where nothing is set, with their values)."""
    return {name: {"stages": orders.stage_names(name), **_set_by(order)} for name, order in orders.ORDERS.items()}


def _set_by(order: orders.Order) -> dict[str, Any]:
    rules = {}
    for name, sampler in SAMPLERS.items():
        facts, stage = sampler.params().get(orders.FLAVOUR), order.stage(name)
        if facts and stage:
            rules[name] = stage.flavour or facts.default
    return {"rules": rules, "defaults": [stage for stage in order.defaults if stage["sampler"] in SAMPLERS]}
