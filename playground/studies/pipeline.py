"""One step's stored rows under the strip's settings, as the view of the strip, the rows, the ruler and the sentence.

Knows nothing about engines, sessions or drawing: rows go in, plain data comes out. No model call, ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from playground.models import Vocabulary
from playground.sampling import guide
from playground.studies.guidance_view import guidance_view
from playground.studies.rows import BaseRow, Knobs, StepRows
from playground.studies.scene import Scene
from playground.studies.sentence import sentence
from playground.studies.views import VIEW_VERSION, OthersView, PipelineView, RowView


def pipeline_view(rows: StepRows, knobs: Knobs, vocabulary: Vocabulary) -> PipelineView:
    """The whole view of one step. ``knobs.scale`` other than 1 needs ``rows.negative``."""
    started = time.perf_counter()
    guided = guided_scores(rows, knobs)
    trace = knobs.strip.chain.trace(guided, rows.token_ids, rows.prompt_length)
    base = rows.base or BaseRow.of(rows.prompt)
    p_raw, p_guided = base.probs, base.probs if guided is rows.prompt else np.asarray(trace.base_probs)
    scene = Scene(rows, knobs, vocabulary, trace, base, p_raw, p_guided, np.asarray(trace.probs))
    stages = scene.stages()
    dart = scene.dart()
    view = PipelineView(
        version=VIEW_VERSION,
        key=rows.key,
        title=rows.title,
        at_end=rows.at_end,
        recomputed=rows.recomputed,
        vocabulary_size=len(p_raw),
        ranks=scene.ranks.tolist(),
        base=base.view,
        guided=scene.guided_view,
        final=scene.final_view(),
        kept_mass=float(p_raw[scene.alive].sum()),
        stages=stages,
        rows=scene.rows_shown(dart["token_id"]),
        others=OthersView(count=0, p_raw=0.0, p_final=0.0),
        dart=dart,
        guidance=guidance_view(rows, knobs.scale, p_raw, scene.p_guided, scene.shown, vocabulary),
        sentence=[],
        cost_ms=0.0,
    )
    view["others"] = _others(view["rows"], p_raw, scene.p_final)
    view["sentence"] = sentence(view)
    view["cost_ms"] = round((time.perf_counter() - started) * 1000, 2)
    return view


def guided_scores(rows: StepRows, knobs: Knobs) -> torch.Tensor:
    """float32[V], nats: what enters the chain; ``rows.prompt`` itself where guidance is off."""
    if knobs.scale == 1.0 or rows.negative is None:
        return rows.prompt
    return guide(rows.prompt[None], rows.negative[None], knobs.scale)[0]


def _others(rows: Sequence[RowView], p_raw: NDArray[np.float64], p_final: NDArray[np.float64]) -> OthersView:
    """What the rows do not show: 1 minus what they do, over the full vocabulary."""
    return OthersView(
        count=len(p_raw) - len(rows),
        p_raw=max(0.0, 1.0 - sum(row["p_raw"] for row in rows)),
        p_final=max(0.0, 1.0 - sum(row["p_final"] for row in rows)),
    )
