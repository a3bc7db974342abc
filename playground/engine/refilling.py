"""From a Request and its Steps to the Reading that puts rows back which have left the store.

Knows nothing about the store or the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.records import Branch, Reading, Request, Span, Step

NUM_AROUND = 2
"""Steps on each side that are read along: whoever looks at one step often looks at the next."""


def around(request: Request, steps: Sequence[Step], place: int, every_branch: bool = False) -> Reading:
    """Rows of ``steps[place]`` and a few beside it. ``steps``: one sample's, from its first on.

    ``every_branch``: also where the steps have no other rows yet, because they were written without guidance.
    """
    first, last = max(0, place - NUM_AROUND), min(len(steps), place + NUM_AROUND + 1)
    chosen = steps[first:last]
    written = tuple(step.token_id for step in steps[: last - 1])
    prompt = request.prompt_ids + request.continued_ids
    spans = [Span(prompt + written, len(prompt) - 1 + first, tuple(step.row_key for step in chosen))]
    if every_branch or chosen[0].other_keys:
        for branch in request.other_branches:
            start = branch.token_ids + request.continued_ids
            keys = tuple(branch_key(step.row_key, branch) for step in chosen)
            spans.append(Span(start + written, len(start) - 1 + first, keys, branch.model, branch.layers))
    return Reading(tuple(spans), request.priority, request.session)


def branch_key(row_key: str, branch: Branch) -> str:
    """The name of another branch's row beside a prompt branch's: the same whoever asks for that branch."""
    return f"{row_key}-{branch.name}"
