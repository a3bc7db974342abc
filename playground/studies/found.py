"""Found: what a search looked at in one step, as plain data: the beam tree, the candidates, the layers of DoLa.

Knows nothing about how it was found, nor about drawing.
"""

from __future__ import annotations

import math
from typing import Literal, TypedDict

from playground.engine import BeamStep, ContrastiveStep, Progress, Step
from playground.models import Vocabulary


class NodeView(TypedDict):
    """One node of the beam tree."""

    token_id: int
    label: str
    parent: int
    """The place of its parent among the nodes that the step before kept, in order; 0 at the first step."""
    p: float
    """Of this token."""
    log_prob: float
    """Of the whole text, nats."""
    fate: Literal["kept", "ended", "dropped"]


class TriedView(TypedDict):
    """One candidate of contrastive search."""

    token_id: int
    label: str
    p: float
    penalty: float
    score: float


class FoundView(TypedDict, total=False):
    """One step of a search. ``index`` counts the written tokens; the other fields depend on ``kind``."""

    kind: Literal["beam", "contrastive", "layers"]
    index: int
    nodes: list[NodeView]
    """Beam search: best first."""
    best: list[int]
    """Beam search: the tokens of the text that would win now."""
    tried: list[TriedView]
    """Contrastive search: most probable first."""
    chosen: int
    """Contrastive search: the winner's place."""
    layers: list[int]
    """DoLa: the layers that were compared."""
    bits: list[float]
    """DoLa: how far each one's answer lies from the last layer's."""
    layer: int
    """DoLa: the one that was taken away."""


def found_view(item: Progress | Step, vocabulary: Vocabulary) -> FoundView | None:
    """The view of one step; None for a step that was drawn and compares no layers."""
    if isinstance(item, BeamStep):
        nodes = [
            NodeView(
                token_id=one.token_id,
                label=vocabulary.label(one.token_id),
                parent=one.parent,
                p=math.exp(one.step_log_prob),
                log_prob=one.log_prob,
                fate=one.fate,
            )
            for one in item.candidates
        ]
        return FoundView(kind="beam", index=item.index, nodes=nodes, best=list(item.best_ids))
    if isinstance(item, ContrastiveStep):
        tried = [
            TriedView(
                token_id=one.token_id,
                label=vocabulary.label(one.token_id),
                p=one.prob,
                penalty=one.penalty,
                score=one.score,
            )
            for one in item.tried
        ]
        return FoundView(kind="contrastive", index=item.index, tried=tried, chosen=item.chosen)
    if not item.layers:
        return None
    choice = item.layers[0]
    bits = [min(value, 1e9) for value in choice.divergence_bits]  # JSON has no infinity
    return FoundView(kind="layers", index=item.index, layers=list(choice.layers), bits=bits, layer=choice.layer)
