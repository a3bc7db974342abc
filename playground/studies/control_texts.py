"""The list of texts that the page shows: each one's chance beside its dart, and what the features found in it.

Knows nothing about fits or drawing: plain data, made anew at every drag.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.control.features import Feature
from playground.control.fit import Fit
from playground.control.sampling import chances, in_turn, resampled
from playground.studies.analysis import Analysis

NUM_LISTED = 80
MARKING_S = 0.3
"""How long an answer looks for what the features found: a stranger's patterns may take most of a second a text."""


class TextRow(TypedDict):
    text: str
    prompt: int | None
    """The number of its prompt where there are several."""
    keep: float
    """min(1, P/(βq))."""
    u: float
    accepted: bool
    values: list[float]
    marks: list[list[int]]
    """[start, end, number of the feature] in code points, none over another: what a feature found; where its value here
    is 0, it found a part of what it wants, or what it does not want."""
    p: list[float]
    """For an enumerated pool: its probability under model, target and what is accepted; else empty."""


def text_rows(
    analysis: Analysis, target: Fit, log_ratio: Floats, log_beta: float, taken: NDArray[np.bool_], only: str
) -> list[TextRow]:
    """The first texts of the pool, or of those that ``only`` names, prompts in turn; ``taken`` bool[N]: which are
    accepted."""
    keep = chances(log_ratio, log_beta)
    if only == "resampled":  # rows again and again, in proportion to their weight under the target
        wanted = resampled(target.probabilities, NUM_LISTED, seed=0)
    else:
        wanted = np.flatnonzero(taken if only == "accepted" else ~taken if only == "rejected" else taken | ~taken)
        if analysis.has_prompts:  # a pool is drawn prompt by prompt
            wanted = wanted[in_turn(analysis.context_rows.which[wanted])]
    three: list[list[float]] = [[] for _ in keep]
    if analysis.enumerated:
        base = np.exp(analysis.pool.log_base)
        three = np.stack([base, target.probabilities, base * keep / (base @ keep)], axis=1).tolist()
    until = time.monotonic() + MARKING_S
    return [
        TextRow(
            text=analysis.pool.texts[row].text,
            prompt=int(analysis.context_rows.which[row]) if analysis.has_prompts else None,
            keep=float(keep[row]),
            u=float(analysis.pool.uniforms[row]),
            accepted=bool(taken[row]),
            values=analysis.values[row].tolist(),
            marks=marks_in(analysis.pool.texts[row].text, analysis.features, until),
            p=three[row],
        )
        for row in wanted[:NUM_LISTED]
    ]


def marks_in(text: str, features: Sequence[Feature], until: float = math.inf) -> list[list[int]]:
    """What every feature found, cut so that none lies over another (the earlier start, then the earlier feature) and
    joined where one feature's touch. Nothing after ``until`` (``time.monotonic``): patterns remember what they found,
    so whoever asks again gets further."""
    if time.monotonic() > until:
        return []
    spans = sorted((start, j, end) for j, one in enumerate(features) for start, end in one.spans(text))
    marks: list[list[int]] = []
    for start, j, end in spans:
        free = max(start, marks[-1][1]) if marks else start
        if free < end and marks and marks[-1][1:] == [free, j]:
            marks[-1][1] = end
        elif free < end:
            marks.append([free, end, j])
    return marks
