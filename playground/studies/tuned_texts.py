"""Texts written by a tuned model, under any chain, labelled as what they are.

Knows nothing about pages. The engine it opens serves a snapshot of the adapter and ends with the texts.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from playground.engine import Engine, Request, Step
from playground.engine.writing import expect_good
from playground.sampling import Chain
from playground.studies.tuning import Tuning


class WrittenText(TypedDict):
    text: str
    allowed: bool
    """Whether the target gives it any probability."""


class WrittenView(TypedDict):
    """What was written, and the honest name of what drew it."""

    label: str
    texts: list[WrittenText]
    num_allowed: int


def written(tuning: Tuning, chain: Chain, num_texts: int, seed: int, prompt: int = 0) -> WrittenView:
    """Texts after the goal's prompt of that number. Blocks until they are there."""
    goal = tuning.goal
    ids: list[list[int]] = [[] for _ in range(num_texts)]
    request = Request(
        goal.prompts[prompt], chain, tuning.settings.max_tokens, seed, num_samples=num_texts, keep_rows=False
    )
    with Engine(tuning.tuner.snapshot(), num_threads=1, max_lanes=num_texts + 1) as engine:
        for item in engine.submit(request):
            if isinstance(item, Step):
                ids[item.sample].append(item.token_id)
            else:
                expect_good(item)
        decode = engine.vocabulary.decode
    texts = [tuple(one) for one in ids]
    log_base = tuning.tuner.log_base([(goal.prompts[prompt], one) for one in texts])
    allowed = np.isfinite(goal.log_potential(goal.describe(texts, log_base)))
    shown = [WrittenText(text=decode(one), allowed=bool(good)) for one, good in zip(texts, allowed, strict=True)]
    return WrittenView(label=label(chain), texts=shown, num_allowed=int(allowed.sum()))


def label(chain: Chain) -> str:
    """What texts under this chain are samples of."""
    if not chain.samplers:
        return "From the tuned model itself: as close to the target as the curves say."
    stages = ", ".join(type(stage).title for stage in chain.samplers)
    return f"From the tuned model under {stages}: a further change of it, no longer its distribution nor the target."
