"""The kinds of features as the page's form needs them: words, fields, and what may be chosen where not anything may.

Knows nothing about what a feature computes.
"""

from __future__ import annotations

from typing import Any

from playground.control.features import KINDS
from playground.control.kinds import Kind

CLASSIFIER = "classifier"
"""The kind that is offered where the host has named some: else anybody could make the server fetch any model."""


def kinds_json(classifiers: list[str]) -> list[dict[str, Any]]:
    """All kinds; ``classifiers``: the names of those that the host offers."""
    return [_kind_json(kind, classifiers) for kind in KINDS.values() if classifiers or kind.name != CLASSIFIER]


def _kind_json(kind: Kind, classifiers: list[str]) -> dict[str, Any]:
    """``choices``: what may be chosen, null where anything may; ``asks``: the route that knows it, given the field
    before."""
    choices = {"model": classifiers} if kind.name == CLASSIFIER else {}
    route = {"label": "labels"} if kind.name == CLASSIFIER else {}
    return {
        "name": kind.name,
        "title": kind.title,
        "help": kind.help,
        "yes_no": kind.yes_no,
        "fields": [
            {
                "name": one.name,
                "kind": one.kind,
                "help": one.help,
                "default": one.default,
                "low": one.low,
                "high": one.high,
                "choices": choices.get(one.name),
                "asks": route.get(one.name),
            }
            for one in kind.fields
        ],
    }
