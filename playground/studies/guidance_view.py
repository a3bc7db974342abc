"""What guidance did to each token: prompt, negative and guided probability, most promoted and most suppressed.

Knows nothing about the stages behind guidance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from playground.models import Vocabulary
from playground.studies.views import GuidanceMark, GuidanceView

if TYPE_CHECKING:
    from playground.studies.rows import StepRows

NUM_MARKS = 7
PLAUSIBLE = 1e-3
"""A token is plausible from this share of the largest prompt probability on. The paper ranks the full vocabulary
(arXiv 2306.17806, table of re-ranked tokens), but on a small model those lists are junk."""


def guidance_view(
    rows: StepRows,
    scale: float,
    p_prompt: NDArray[np.float64],
    p_guided: NDArray[np.float64],
    shown: NDArray[np.int64],
    vocabulary: Vocabulary,
) -> GuidanceView | None:
    """The guidance card and its dumbbells; None where no negative row is known. ``shown``: ids on the rank axis."""
    if rows.negative is None:
        return None
    p_negative = torch.softmax(rows.negative.double(), -1).numpy()
    plausible = np.flatnonzero(p_prompt >= PLAUSIBLE * p_prompt.max())
    with np.errstate(divide="ignore"):
        promotion = np.log(p_prompt[plausible]) - np.log(p_negative[plausible])
    by_promotion = plausible[np.argsort(-promotion, kind="stable")]
    half = min(NUM_MARKS, len(by_promotion) // 2)

    def mark(token: int) -> GuidanceMark:
        return GuidanceMark(
            token_id=token,
            text=vocabulary.label(token),
            p_prompt=float(p_prompt[token]),
            p_negative=float(p_negative[token]),
            p_guided=float(p_guided[token]),
            ratio=float(p_guided[token] / p_prompt[token]) if p_prompt[token] > 0 else 0.0,
        )

    def curve(probabilities: NDArray[np.float64]) -> list[float]:
        return np.log10(np.maximum(probabilities[shown], 1e-12)).round(3).tolist()

    return GuidanceView(
        scale=scale,
        negative_text=rows.negative_label,
        negative_kind="text" if rows.negative_is_text else "last_token",
        promoted=[mark(int(token)) for token in by_promotion[:half]],
        suppressed=[mark(int(token)) for token in by_promotion[::-1][:half]],
        masked=True,
        curve_negative=curve(p_negative),
        curve_prompt=curve(p_prompt),
        curve_guided=curve(p_guided),
        cost_ms=rows.negative_cost_ms,
    )
