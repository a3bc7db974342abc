"""Replay: under other knobs, which is the first token of a text that the same darts would no longer draw?

Knows nothing about pages. Rows come from the store; those that have left it are read again, a window at a time.
"""

from __future__ import annotations

from functools import partial
from typing import TypedDict

import torch

from playground.engine import Reading, Span
from playground.sampling import cfg, draw, guide
from playground.studies.generate import Generation
from playground.studies.inspect import Inspector, run
from playground.studies.rows import Knobs

WINDOWS = (8, 24, 64, 64, 64)
"""Steps per pass: a small first one, because most changes show early; 224 tokens at the most."""


class ReplayView(TypedDict):
    """``index`` None: every checked token would be drawn again."""

    generation: str
    index: int | None
    text: str
    """What the dart hits at ``index`` instead."""
    num_checked: int


async def replay(inspector: Inspector, generation: Generation, knobs: Knobs, session: str) -> ReplayView:
    """The first divergence under ``knobs``, by teacher forcing along the text as it stands."""
    answer = ReplayView(generation=generation.id, index=None, text="", num_checked=len(generation.steps))
    request = generation.request
    if knobs.strip.chain == request.chain and cfg(knobs.scale) == request.guidance:
        return answer
    start, steps = 0, len(generation.steps)
    for window in WINDOWS:
        end = min(start + window, steps)
        if start == end:
            break
        await _restore(inspector, generation, start, end, knobs.scale != 1.0, session)
        drawn = await inspector.on_worker(partial(_drawn, inspector, generation, start, end, knobs))
        for index, token in enumerate(drawn, start):
            if token != generation.steps[index].token_id:
                return {**answer, "index": index, "text": inspector.vocabulary.label(token), "num_checked": index + 1}
        start = end
    return {**answer, "num_checked": start}


async def _restore(
    inspector: Inspector, generation: Generation, start: int, end: int, negative: bool, session: str
) -> None:
    """Read the rows of steps [start, end) again where any of them has left the store."""
    engine, places = inspector.host.engine, [generation.place(index) for index in range(start, end)]
    ids = tuple(step.token_id for step in generation.steps[: end - 1])
    spans = []
    branches = [(generation.request.prompt_ids, tuple(place.row_key for place in places))]
    if negative:
        branches.append((generation.encoded.negative_ids, tuple(place.negative_key for place in places)))
    for prompt_ids, keys in branches:
        if any(engine.store.get(key) is None for key in keys):
            spans.append(Span(prompt_ids + ids, len(prompt_ids) + start - 1, keys))
    if spans:
        await run(engine, Reading(tuple(spans), session=session))


def _drawn(inspector: Inspector, generation: Generation, start: int, end: int, knobs: Knobs) -> list[int]:
    """The tokens that the text's own darts hit under ``knobs`` at steps [start, end) (worker thread)."""
    store, places = inspector.host.engine.store, [generation.place(index) for index in range(start, end)]
    rows = [store.get(place.row_key) for place in places]
    others = [store.get(place.negative_key) for place in places] if knobs.scale != 1.0 else []
    kept = [row for row in rows if row is not None]
    if len(kept) < len(rows) or any(row is None for row in others):
        return []  # the store is too small for this window; nothing is claimed about it
    scores = torch.stack(kept)
    if others:
        scores = guide(scores, torch.stack([row for row in others if row is not None]), knobs.scale)
    histories = [torch.tensor(place.history) for place in places]
    final = knobs.strip.chain.apply(scores, histories, len(generation.request.prompt_ids))
    darts = torch.tensor([step.uniform for step in generation.steps[start:end]], dtype=torch.float64)
    return [int(token) for token in draw.draw(final, darts)]
