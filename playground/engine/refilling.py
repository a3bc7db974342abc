"""From a Request and its Steps to the Reading that puts rows back which have left the store.

Knows nothing about the store or the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.records import Reading, Request, Span, Step

NUM_AROUND = 2
"""Steps on each side that are read along: whoever looks at one step often looks at the next."""


def around(request: Request, steps: Sequence[Step], place: int, negative: bool = False) -> Reading:
    """Rows of ``steps[place]`` and a few beside it. ``steps``: one sample's, from its first on.

    ``negative``: also where the steps have no negative row yet, because they were written at scale 1.
    """
    first, last = max(0, place - NUM_AROUND), min(len(steps), place + NUM_AROUND + 1)
    chosen = steps[first:last]
    written = tuple(step.token_id for step in steps[: last - 1])
    prompt = request.prompt_ids + request.continued_ids
    spans = [Span(prompt + written, len(prompt) - 1 + first, tuple(step.row_key for step in chosen))]
    if negative or chosen[0].negative_key is not None:
        start = request.negative_prompt_ids + request.continued_ids
        keys = tuple(step.negative_key or negative_key(step.row_key) for step in chosen)
        spans.append(Span(start + written, len(start) - 1 + first, keys))
    return Reading(tuple(spans), request.priority, request.session)


def negative_key(row_key: str) -> str:
    """The name of the negative branch's row beside a prompt branch's."""
    return f"{row_key}-negative"
