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
from playground.studies.proposals import OTHER_DARTS, numbered
from playground.studies.tuning import Tuning
from playground.studies.tuning_views import finite

NUM_LANES = 64
"""Room for sixteen texts, or for the widest beam."""


class WrittenText(TypedDict):
    text: str
    prompt: str
    """Where the goal has several; else empty."""
    allowed: bool
    """Whether the target gives it any probability."""
    marks: list[list[int]]
    values: list[float | None]


class WrittenView(TypedDict):
    """What was written, and the honest name of what drew it."""

    label: str
    texts: list[WrittenText]
    num_allowed: int
    features: list[str]


def written(tuning: Tuning, chain: Chain, num_texts: int, seed: int, search: Search | None = None) -> WrittenView:
    """Texts after the goal's prompts in turn; a search finds one a prompt. Blocks until they are there."""
    goal = tuning.goal
    wanted = len(goal.prompts) if search else num_texts
    numbers = np.arange(wanted) % len(goal.prompts)
    texts: list[tuple[int, ...]] = [()] * wanted
    with Engine(tuning.tuner.snapshot(), num_threads=1, max_lanes=NUM_LANES) as engine:
        decode = engine.vocabulary.decode
        for number in np.unique(numbers):
            ids: list[list[int]] = [[] for _ in range(int((numbers == number).sum()))]
            first = numbered(int(number))
            request = Request(
                goal.prompts[number],
                chain,
                tuning.settings.max_tokens,
                seed ^ OTHER_DARTS,
                num_samples=len(ids),
                first_sample=first,
                keep_rows=False,
                search=search,
            )
            for item in engine.submit(request):
                if isinstance(item, Step):
                    ids[item.sample - first].append(item.token_id)
                elif isinstance(item, Done):
                    expect_good(item)
            for place, one in zip(np.flatnonzero(numbers == number), ids, strict=True):
                texts[place] = tuple(one)
    log_base = tuning.tuner.log_base([(goal.prompts[number], one) for number, one in zip(numbers, texts, strict=True)])
    features = goal.describe(texts, log_base)
    allowed = np.isfinite(goal.log_potential(features, numbers))
    shown = [
        WrittenText(
            text=text,
            prompt=goal.label_of(int(number)),
            allowed=bool(good),
            marks=goal.marks(text),
            values=[finite(value) for value in values],
        )
        for text, number, good, values in zip(map(decode, texts), numbers, allowed, features, strict=True)
    ]
    num_allowed = int(allowed.sum())
    return WrittenView(label=label(chain, search), texts=shown, num_allowed=num_allowed, features=list(goal.names))


def label(chain: Chain, search: Search | None) -> str:
    """What a text found in this way is a sample of."""
    stages = ", ".join(type(stage).title for stage in chain.samplers)
    if search is not None:
        under = f" under {stages}" if stages else ""
        return f"Found on the tuned model{under} by {search.title.lower()}: one text, a sample of nothing."
    if not stages:
        return "From the tuned model itself: as close to the target as the curves say."
    return f"From the tuned model under {stages}: a further change of it, no longer its distribution nor the target."
