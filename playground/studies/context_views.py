"""Several prompts as the page shows them: what each of them is, is to be and becomes, as plain data.

Knows nothing about sessions or drawing.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from playground.control.context_fit import ContextFit
from playground.control.contexts import fit_per_context
from playground.control.fit import Fit
from playground.studies.analysis import Analysis
from playground.studies.control_asks import Ask
from playground.studies.control_json import finite


class CellView(TypedDict):
    """One prompt's share of one feature."""

    base: float
    fitted: float | str | None
    exponent: float | str | None
    error: float | str | None


class PromptView(TypedDict):
    """One prompt of a pool of several."""

    prompt: str
    num_texts: int
    share: float | None
    """Of the target; None where there is no target."""
    cells: list[CellView]
    refusal: str
    """Why this prompt cannot meet the target by itself, where it has to."""


def prompt_views(analysis: Analysis, base: Fit, target: Fit | None, ask: Ask) -> list[PromptView]:
    """One for each prompt; none where the pool follows one alone. ``base``: the pool as it is."""
    if not isinstance(base, ContextFit):
        return []
    parts = target.parts if isinstance(target, ContextFit) else (None,) * len(base.parts)
    refusals: dict[str, str] = {}
    if target is None and ask.own is not None:
        found = fit_per_context(analysis.context_rows, np.array(ask.own), analysis.names)
        refusals = {label: one for label, one in found.items() if isinstance(one, str)}
    views = []
    for bare, part in zip(base.parts, parts, strict=True):
        cells = [
            CellView(
                base=float(bare.base_moments[j]),
                fitted=None if part is None else finite(part.moments[j]),
                exponent=None if part is None else finite(part.exponents[j]),
                error=None if part is None else finite(part.standard_errors[j]),
            )
            for j in range(len(analysis.features))
        ]
        views.append(
            PromptView(
                prompt=bare.label,
                num_texts=bare.num_rows,
                share=None if part is None else part.share,
                cells=cells,
                refusal=refusals.get(bare.label, ""),
            )
        )
    return views
