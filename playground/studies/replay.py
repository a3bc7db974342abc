"""Replay: under other knobs, which is the first token of a text that the same darts would no longer draw?

Knows nothing about pages. Rows come from the store; those that have left it are read again, a window at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypedDict

import torch

from playground.engine import Branch, OtherBranch, Reading, Span
from playground.sampling import mix, stack
from playground.studies.generate import Generation
from playground.studies.inspect import Inspector, run
from playground.studies.recall import state_at
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
    knobs = await inspector.on_worker(partial(inspector.bound, knobs))
    others = () if knobs.recipe.is_off else await _others(inspector, generation, knobs)
    same_guidance = not others and request.guidance.is_off
    if others and knobs.recipe.guidance == request.guidance:
        same_guidance = tuple(other.branch for other in others) == request.other_branches
    if knobs.strip.chain == request.chain and same_guidance:
        return answer
    start, steps = 0, len(generation.steps)
    for window in WINDOWS:
        end = min(start + window, steps)
        if start == end:
            break
        await _restore(inspector, generation, start, end, others, session)
        drawn = await inspector.on_worker(partial(_drawn, inspector, generation, start, end, others, knobs))
        for index, token in enumerate(drawn, start):
            if token != generation.steps[index].token_id:
                return {**answer, "index": index, "text": inspector.vocabulary.label(token), "num_checked": index + 1}
        start = end
    return {**answer, "num_checked": start}


async def _others(inspector: Inspector, generation: Generation, knobs: Knobs) -> tuple[OtherBranch, ...]:
    """The other branches that the knobs ask for."""
    place = generation.place(0)
    return await inspector.on_worker(lambda: inspector.others(place, knobs.recipe))


async def _restore(
    inspector: Inspector, generation: Generation, start: int, end: int, others: Sequence[OtherBranch], session: str
) -> None:
    """Read the rows of steps [start, end) again where any of them has left the store."""
    engine, places = inspector.host.engine, [generation.place(index) for index in range(start, end)]
    ids = tuple(step.token_id for step in generation.steps[: end - 1])
    spans = []
    branches = [(Branch(generation.request.prompt_ids), tuple(place.row_key for place in places))]
    branches += [(other.branch, tuple(place.key_of(other) for place in places)) for other in others]
    for branch, keys in branches:
        if any(engine.store.get(key) is None for key in keys):
            text, first = branch.token_ids + ids, len(branch.token_ids) + start - 1
            spans.append(Span(text, first, keys, branch.model, branch.layers))
    if spans:
        await run(engine, Reading(tuple(spans), session=session))


def _drawn(
    inspector: Inspector, generation: Generation, start: int, end: int, others: Sequence[OtherBranch], knobs: Knobs
) -> list[int]:
    """The tokens that the text's own darts hit under ``knobs`` at steps [start, end) (worker thread)."""
    store, places = inspector.host.engine.store, [generation.place(index) for index in range(start, end)]
    rows = [store.get(place.row_key) for place in places]
    besides = [[store.get(place.key_of(other)) for other in others] for place in places]
    kept = [row for row in rows if row is not None]
    if len(kept) < len(rows) or any(row is None for one in besides for row in one):
        return []  # the store is too small for this window; nothing is claimed about it
    scores = torch.stack(kept)
    if others:
        stacked = [torch.stack([row for row in one if row is not None]) for one in besides]
        scores = mix([knobs.recipe.guidance] * len(rows), range(start, end), scores, stacked)
    histories = [torch.tensor(place.history) for place in places]
    chain, steps = knobs.strip.chain, generation.steps[start:end]
    darts = torch.tensor([step.uniform for step in steps], dtype=torch.float64)
    states = [state_at(place.recall, chain) for place in places]
    coins = [chain.coins(generation.request.seed, step.sample, step.index) for step in steps]
    plan = stack([chain] * len(steps))
    tokens, _ = plan.draw(scores, darts, histories, len(generation.request.prompt_ids), states, coins)
    return tokens.tolist()
