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
from playground.sampling import Moment, mix, moment
from playground.studies.darts import dart_view
from playground.studies.guidance_view import guidance_view
from playground.studies.recall import state_at
from playground.studies.rows import BaseRow, Knobs, StepRows
from playground.studies.scene import Scene
from playground.studies.sentence import sentence
from playground.studies.views import VIEW_VERSION, OthersView, PipelineView, RowView


def pipeline_view(rows: StepRows, knobs: Knobs, vocabulary: Vocabulary) -> PipelineView:
    """The whole view of one step. Guidance acts where ``rows.others`` are there."""
    started = time.perf_counter()
    now = guidance_here(rows, knobs)
    guided = guided_scores(rows, knobs, now)
    chain = knobs.strip.chain
    trace = chain.trace(guided, rows.token_ids, rows.prompt_length, state_at(rows.recall, chain))
    base = rows.base or BaseRow.of(rows.prompt)
    p_raw, p_guided = base.probs, base.probs if guided is rows.prompt else np.asarray(trace.base_probs)
    scene = Scene(rows, knobs, vocabulary, trace, base, p_raw, p_guided, np.asarray(trace.probs), now)
    stages = scene.stages()
    dart = dart_view(scene)
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
        guidance=None if now is None else guidance_view(scene, now),
        sentence=[],
        cost_ms=0.0,
    )
    view["others"] = _others(view["rows"], p_raw, scene.p_final)
    view["sentence"] = sentence(view)
    view["cost_ms"] = round((time.perf_counter() - started) * 1000, 2)
    return view


def guided_scores(rows: StepRows, knobs: Knobs, now: Moment | None = None) -> torch.Tensor:
    """float32[V], nats: what enters the chain; ``rows.prompt`` itself where guidance is off."""
    if not rows.others or knobs.recipe.is_off:
        return rows.prompt
    scores = rows.prompt[None]
    mixed = mix([knobs.recipe.guidance], [rows.step], scores, [_stacked(rows)], [now] if now else None)
    return rows.prompt if mixed is scores else mixed[0]


def guidance_here(rows: StepRows, knobs: Knobs) -> Moment | None:
    """What the gate and the schedule make of the guidance at this step; None where no other branch is known."""
    return moment(knobs.recipe.guidance, rows.step, rows.prompt, _stacked(rows)) if rows.others else None


def _stacked(rows: StepRows) -> torch.Tensor:
    return torch.stack([other.logits for other in rows.others])


def _others(rows: Sequence[RowView], p_raw: NDArray[np.float64], p_final: NDArray[np.float64]) -> OthersView:
    """What the rows do not show: 1 minus what they do, over the full vocabulary."""
    return OthersView(
        count=len(p_raw) - len(rows),
        p_raw=max(0.0, 1.0 - sum(row["p_raw"] for row in rows)),
        p_final=max(0.0, 1.0 - sum(row["p_final"] for row in rows)),
    )
