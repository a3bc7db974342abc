"""One forward for everyone, and what each gang gets of it: rows of logits, rows of earlier layers, hidden states.

Knows nothing about requests, chains or readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from playground.engine.fleet import Fleet
from playground.engine.gang import Gang, Lane
from playground.models.backend import Chunk
from playground.sampling.search.dola import LayerChoice, candidate_layers, choose


@dataclass
class Answer:
    """What one gang's chunks were answered with."""

    rows: Tensor
    """float32[n,V], of the wanted places in order; of a lane that reads an earlier layer, that layer's."""
    states: list[tuple[int, Tensor]] = field(default_factory=list)
    """Of lanes that keep them: the first token's place in its lane, and float32[m,D] from there on."""


Asked = tuple[Gang, Sequence[Chunk]]
"""What one gang pays, after it was noted as paid."""


def forward(fleet: Fleet, asked: Sequence[Asked]) -> list[Answer]:
    """An answer to each gang; the gangs note which earlier layers their newest rows come from."""
    lanes = [_lane(gang, chunk) for gang, chunks in asked for chunk in chunks]
    chunks = [chunk for _, chunks in asked for chunk in chunks]
    if not chunks:
        return []
    layers = _layers(fleet, lanes)
    logits, states = fleet.forward_states(chunks, layers)
    if logits.is_cuda:
        torch.cuda.synchronize(logits.device)  # or the clock would show the launch, not the work
    answers, at, place = [], 0, 0
    for gang, own in asked:
        num_rows = sum(len(chunk.rows) for chunk in own)
        answer = Answer(logits[at : at + num_rows])
        choices: list[LayerChoice] = []
        row = 0
        for chunk in own:
            lane, seen, place = lanes[place], states[place], place + 1
            if lane.layers and chunk.rows:
                assert seen is not None
                rows = answer.rows[row : row + len(chunk.rows)]
                choices.append(_exit_early(fleet, lane, rows, seen, layers[lane.model]))
            if lane.keeps_states and seen is not None:
                answer.states.append((lane.num_paid - len(chunk.token_ids), seen[-1]))
            row += len(chunk.rows)
        gang.layers = tuple(choices)
        answers.append(answer)
        at += num_rows
    return answers


def _lane(gang: Gang, chunk: Chunk) -> Lane:
    return next(lane for lane in gang.lanes if lane.id == chunk.lane)


def _candidates(fleet: Fleet, lane: Lane) -> tuple[int, ...]:
    """The layers one of which this lane's rows come from."""
    assert lane.layers
    states = fleet.states(lane.model)
    return candidate_layers(states.num_layers, lane.layers, states.ties_embeddings)


def _layers(fleet: Fleet, lanes: Sequence[Lane]) -> dict[int, tuple[int, ...]]:
    """For each model the layers that somebody asks for, ascending; a lane that keeps states asks for the last."""
    asked: dict[int, set[int]] = {}
    for lane in lanes:
        if lane.layers:
            asked.setdefault(lane.model, set()).update(_candidates(fleet, lane))
        if lane.keeps_states:
            asked.setdefault(lane.model, set()).add(fleet.states(lane.model).num_layers)
    return {model: tuple(sorted(layers)) for model, layers in asked.items()}


def _exit_early(fleet: Fleet, lane: Lane, rows: Tensor, states: Tensor, layers: Sequence[int]) -> LayerChoice:
    """Replace float32[m,V] ``rows`` by those of an earlier layer, each place choosing its own; the last choice.

    ``states`` float32[len(layers),m,D]. Place by place: all layers of a long text at once would not fit.
    """
    candidates = _candidates(fleet, lane)
    places = [layers.index(layer) for layer in candidates]
    for row in range(len(rows)):
        earlier = fleet.states(lane.model).unembed(states[places, row])
        choice = choose(candidates, rows[row], earlier)
        rows[row] = earlier[candidates.index(choice.layer)]
    return choice
