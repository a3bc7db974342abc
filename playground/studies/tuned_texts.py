"""Texts written by a tuned model, under any chain or search, labelled as what they are.

Knows nothing about pages. The engine it opens serves a snapshot of the adapter and ends with the texts.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from playground.engine import Done, Engine, Request, Step
from playground.engine.writing import expect_good
from playground.sampling import Chain
from playground.sampling.search import Search
from playground.studies.tuning import Tuning

NUM_LANES = 64
"""Room for sixteen texts, or for the widest beam."""


class WrittenText(TypedDict):
    text: str
    allowed: bool
    """Whether the target gives it any probability."""


class WrittenView(TypedDict):
    """What was written, and the honest name of what drew it."""

    label: str
    texts: list[WrittenText]
    num_allowed: int


def written(
    tuning: Tuning, chain: Chain, num_texts: int, seed: int, search: Search | None = None, prompt: int = 0
) -> WrittenView:
    """Texts after the goal's prompt of that number; a search finds one. Blocks until they are there."""
    goal = tuning.goal
    ids: list[list[int]] = [[] for _ in range(1 if search else num_texts)]
    request = Request(
        goal.prompts[prompt],
        chain,
        tuning.settings.max_tokens,
        seed,
        num_samples=len(ids),
        keep_rows=False,
        search=search,
    )
    with Engine(tuning.tuner.snapshot(), num_threads=1, max_lanes=NUM_LANES) as engine:
        for item in engine.submit(request):
            if isinstance(item, Step):
                ids[item.sample].append(item.token_id)
            elif isinstance(item, Done):
                expect_good(item)
        decode = engine.vocabulary.decode
    texts = [tuple(one) for one in ids]
    log_base = tuning.tuner.log_base([(goal.prompts[prompt], one) for one in texts])
    features = goal.describe(texts, log_base)
    allowed = np.isfinite(goal.log_potential(features, np.full(len(texts), prompt)))
    shown = [WrittenText(text=decode(one), allowed=bool(good)) for one, good in zip(texts, allowed, strict=True)]
    return WrittenView(label=label(chain, search), texts=shown, num_allowed=int(allowed.sum()))


def label(chain: Chain, search: Search | None) -> str:
    """What a text found in this way is a sample of."""
    stages = ", ".join(type(stage).title for stage in chain.samplers)
    if search is not None:
        under = f" under {stages}" if stages else ""
        return f"Found on the tuned model{under} by {search.title.lower()}: one text, a sample of nothing."
    if not stages:
        return "From the tuned model itself: as close to the target as the curves say."
    return f"From the tuned model under {stages}: a further change of it, no longer its distribution nor the target."
