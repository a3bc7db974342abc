"""One step's stored rows under the strip's settings, as the view of the strip, the rows, the ruler and the sentence.

Knows nothing about engines, sessions or drawing: rows go in, plain data comes out. No model call, ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from playground.models import Vocabulary
from playground.sampling import ALIVE, SAMPLERS, Cut, StageTrace, Trace, draw, guide, metrics
from playground.studies.guidance_view import guidance_view
from playground.studies.sentence import sentence
from playground.studies.strip import Strip
from playground.studies.views import (
    VIEW_VERSION,
    BaseView,
    CutView,
    DartView,
    OthersView,
    PipelineView,
    RowView,
    RulerSegment,
    StageView,
)

NUM_ROWS, NUM_REMOVED, NUM_SEGMENTS, NUM_RANKS = 20, 5, 60, 180
LOWEST_LOG10 = -12.0
"""Curves are floored here: below it no chart can show a difference."""


@dataclass(frozen=True)
class BaseRow:
    """What only the model's own row decides: computed once a step and shared by every later drag."""

    probs: NDArray[np.float64]
    """float64[V]: the model on the prompt."""
    order: NDArray[np.int64]
    """int64[V]: token ids by descending probability, ties by id; the order of every rank axis."""
    rank_of: NDArray[np.int32]
    """int32[V]: 1-based rank of each token."""
    view: BaseView

    @classmethod
    def of(cls, logits: torch.Tensor) -> BaseRow:
        """From float32[V] logits. The one full sort a step costs happens here."""
        order = np.argsort(-logits.numpy(), kind="stable")
        rank_of = np.empty(len(order), np.int32)
        rank_of[order] = np.arange(1, len(order) + 1)
        probs = torch.softmax(logits.double(), -1).numpy()
        return cls(probs, order, rank_of, _base(probs))


@dataclass(frozen=True)
class StepRows:
    """One step and its stored logits: enough to recompute everything that is drawn."""

    key: str
    prompt: torch.Tensor
    """float32[V]: the model on the prompt and what was generated so far."""
    negative: torch.Tensor | None
    """float32[V]: the model on the negative prompt and what was generated so far."""
    token_ids: torch.Tensor
    """int64[T]: the whole history, prompt first."""
    prompt_length: int
    step: int
    """0 for the first token after the prompt."""
    title: str
    seed: int = 0
    at_end: bool = True
    recomputed: bool = False
    chosen: int | None = None
    """The token the text has here, where it goes on."""
    negative_label: str = ""
    negative_is_text: bool = False
    negative_cost_ms: float | None = None
    base: BaseRow | None = None
    """Of ``prompt``; computed where the caller has none stored."""


@dataclass(frozen=True)
class Knobs:
    """What the page asks of a step: the strip, the scale, and which tokens to show besides the largest."""

    strip: Strip
    scale: float = 1.0
    pins: tuple[int, ...] = ()


def rank_axis(vocabulary_size: int) -> NDArray[np.int64]:
    """About 180 distinct ranks from 1 to V, evenly spaced in the logarithm."""
    return np.unique(np.geomspace(1, vocabulary_size, NUM_RANKS).round().astype(np.int64))


def pipeline_view(rows: StepRows, knobs: Knobs, vocabulary: Vocabulary) -> PipelineView:
    """The whole view of one step. ``knobs.scale`` other than 1 needs ``rows.negative``."""
    started = time.perf_counter()
    scores = rows.prompt[None]
    guided = scores
    if knobs.scale != 1.0 and rows.negative is not None:
        guided = guide(scores, rows.negative[None], knobs.scale)
    trace = knobs.strip.chain.trace(guided[0], rows.token_ids, rows.prompt_length)
    base = rows.base or BaseRow.of(rows.prompt)
    p_raw, p_guided = base.probs, base.probs if guided is scores else np.asarray(trace.base_probs)
    scene = _Scene(rows, knobs, vocabulary, trace, base, p_raw, p_guided, np.asarray(trace.probs))
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


@dataclass
class _Scene:
    """The arrays every part of the view reads; float64[V] unless said otherwise."""

    rows: StepRows
    knobs: Knobs
    vocabulary: Vocabulary
    trace: Trace
    base: BaseRow
    p_raw: NDArray[np.float64]
    p_guided: NDArray[np.float64]
    p_final: NDArray[np.float64]

    def __post_init__(self) -> None:
        self.ranks = rank_axis(len(self.p_raw))
        self.shown = self.base.order[self.ranks - 1]
        bits = self.trace.base_entropy_bits
        self.guided_view = (
            self.base.view
            if self.p_guided is self.p_raw
            else BaseView(support=int((self.p_guided > 0).sum()), choices=2.0**bits, entropy_bits=bits)
        )
        self.removed_by = np.asarray(self.trace.removed_by)
        self.alive = self.removed_by == ALIVE
        self.leaving: list[NDArray[np.float64]] = []  # what leaves each card, guidance first; filled by stages()
        self.on = [stage for stage in self.knobs.strip.stages if stage.on]

    def stages(self) -> list[StageView]:
        """One StageView a card, guidance first, then the strip's order; a card that is off passes its input through."""
        everyone = np.ones(len(self.p_guided), bool)
        before, arriving, alive, number = self.guided_view, self.p_guided, everyone, 0
        views = [self._guidance_stage(before)]
        for stage in self.knobs.strip.stages:
            traced, leaving, survivors, after = None, arriving, alive, before
            if stage.on:
                traced = self.trace.stages[number]
                leaving = np.asarray(traced.probs)
                survivors = alive & (self.removed_by != number)
                after = BaseView(
                    support=traced.support, choices=traced.effective_choices, entropy_bits=traced.entropy_bits
                )
                number += 1
            views.append(self._stage(stage.id, traced, arriving, leaving, alive, survivors, before, after))
            self.leaving.append(leaving)
            before, arriving, alive = after, leaving, survivors
        return views

    def _guidance_stage(self, after: BaseView) -> StageView:
        """Guidance as a card: the prompt's distribution arrives, the guided one leaves."""
        everyone = np.ones(len(self.p_raw), bool)
        on = self.knobs.scale != 1.0 and self.rows.negative is not None
        before = self.base.view if on else after
        arriving = self.curve(self.p_raw, everyone)
        self.leaving.append(self.p_guided)
        return StageView(
            id="guidance",
            name="guidance",
            title="Guidance",
            kind="guidance",
            on=on,
            params={"scale": self.knobs.scale},
            before=arriving,
            after=self.curve(self.p_guided, everyone) if on else arriving,
            cumulative=[],
            support_before=before["support"],
            support=after["support"],
            choices_before=before["choices"],
            choices=after["choices"],
            entropy_before_bits=before["entropy_bits"],
            entropy_bits=after["entropy_bits"],
            kept_mass=1.0,
            kl_bits=self._guidance_kl() if on else 0.0,
            mass_alive=1.0,
            cut=_cut(Cut()),
            note="",
        )

    def _guidance_kl(self) -> float:
        return float(metrics.kl_bits(torch.as_tensor(self.p_guided), torch.as_tensor(self.p_raw)))

    def _stage(
        self,
        stage_id: str,
        traced: StageTrace | None,
        arriving: NDArray[np.float64],
        leaving: NDArray[np.float64],
        alive_before: NDArray[np.bool_],
        alive: NDArray[np.bool_],
        before: BaseView,
        after: BaseView,
    ) -> StageView:
        sampler = SAMPLERS[stage_id.partition("--")[0]]
        axis = traced.cut.axis if traced else "none"
        return StageView(
            id=stage_id,
            name=sampler.name,
            title=sampler.title,
            kind=sampler.kind,
            on=traced is not None,
            params=dict(traced.params) if traced else {},
            before=self.curve(arriving, alive_before),
            after=self.curve(leaving, alive),
            cumulative=self.cumulative(arriving) if axis == "cumulative" else [],
            support_before=before["support"],
            support=after["support"],
            choices_before=before["choices"],
            choices=after["choices"],
            entropy_before_bits=before["entropy_bits"],
            entropy_bits=after["entropy_bits"],
            kept_mass=traced.kept_mass if traced else 1.0,
            kl_bits=traced.kl_bits if traced else 0.0,
            mass_alive=float(self.p_guided[alive].sum()),
            cut=_cut(traced.cut if traced else Cut()),
            note="",
        )

    def final_view(self) -> BaseView:
        if not self.trace.stages:
            return self.guided_view
        last = self.trace.stages[-1]
        return BaseView(support=last.support, choices=last.effective_choices, entropy_bits=last.entropy_bits)

    def curve(self, probabilities: NDArray[np.float64], alive: NDArray[np.bool_]) -> list[float | None]:
        """log10 p at the shared ranks; None where the token is gone."""
        values = np.log10(np.maximum(probabilities[self.shown], 10.0**LOWEST_LOG10)).round(3)
        return [value if lives else None for value, lives in zip(values.tolist(), alive[self.shown], strict=True)]

    def cumulative(self, probabilities: NDArray[np.float64]) -> list[float]:
        """Mass of the tokens up to each shared rank, in the order of the base row."""
        return np.cumsum(probabilities[self.base.order])[self.ranks - 1].round(6).tolist()

    def rows_shown(self, drawn: int) -> list[RowView]:
        """The largest final tokens, the largest removed, the drawn and the pinned ones."""
        pins = [token for token in self.knobs.pins if 0 <= token < len(self.p_raw)]
        chosen_here = [] if self.rows.chosen is None else [self.rows.chosen]
        chosen = list(
            dict.fromkeys(
                [
                    *_largest(self.p_final, self.alive, NUM_ROWS),
                    drawn,
                    *chosen_here,
                    *_largest(self.p_raw, ~self.alive, NUM_REMOVED),
                    *pins,
                ]
            )
        )
        return [
            RowView(
                token_id=token,
                text=self.vocabulary.label(token),
                rank=int(self.base.rank_of[token]),
                p_raw=float(self.p_raw[token]),
                p_final=float(self.p_final[token]),
                removed_by=self._remover(token),
                drawn=token == drawn,
                chosen=token == self.rows.chosen,
                pinned=token in pins,
                journey=self._journey(token),
            )
            for token in chosen
        ]

    def _remover(self, token: int) -> str:
        """The id of the stage that removed the token; empty where it lives (or was never there)."""
        number = int(self.removed_by[token])
        return self.on[number].id if number >= 0 else ""

    def _journey(self, token: int) -> list[float]:
        return [float(self.p_raw[token]), *(float(leaving[token]) for leaving in self.leaving)]

    def dart(self) -> DartView:
        """Where the step's uniform lands on the ruler of the final distribution: what this dart would hit now."""
        u = draw.uniform(self.rows.seed, 0, self.rows.step, draw.Purpose.DRAW)
        largest = _largest(self.p_final, self.alive, NUM_SEGMENTS)
        starts = np.concatenate([[0.0], np.cumsum(self.p_final[largest])])
        segments = [
            RulerSegment(
                token_id=token, text=self.vocabulary.label(token), start=float(start), p=float(self.p_final[token])
            )
            for token, start in zip(largest, starts, strict=False)
        ]
        hit = int(np.searchsorted(starts, u, side="right")) - 1
        token = (
            largest[hit]
            if hit < len(largest)
            else int(draw.draw(self.trace.scores[None], torch.tensor([u], dtype=torch.float64))[0])
        )
        return DartView(
            u=u,
            seed=self.rows.seed,
            step=self.rows.step,
            token_id=token,
            text=self.vocabulary.label(token),
            p=float(self.p_final[token]),
            segments=segments,
        )


def _cut(cut: Cut) -> CutView:
    return CutView(axis=cut.axis, value=cut.value, high=cut.high)


def _base(probabilities: NDArray[np.float64]) -> BaseView:
    bits = float(metrics.entropy_bits(torch.as_tensor(probabilities)))
    return BaseView(support=int((probabilities > 0).sum()), choices=2.0**bits, entropy_bits=bits)


def _largest(probabilities: NDArray[np.float64], among: NDArray[np.bool_], count: int) -> list[int]:
    """Up to ``count`` token ids among a mask, by descending probability, ties by id; no full sort."""
    candidates = np.flatnonzero(among)
    values = probabilities[candidates]
    if len(candidates) > count:
        kept = np.flatnonzero(values >= torch.as_tensor(values).topk(count).values[-1].item())
        candidates, values = candidates[kept], values[kept]
    return candidates[np.argsort(-values, kind="stable")][:count].tolist()


def _others(rows: Sequence[RowView], p_raw: NDArray[np.float64], p_final: NDArray[np.float64]) -> OthersView:
    """What the rows do not show: 1 minus what they do, over the full vocabulary."""
    return OthersView(
        count=len(p_raw) - len(rows),
        p_raw=max(0.0, 1.0 - sum(row["p_raw"] for row in rows)),
        p_final=max(0.0, 1.0 - sum(row["p_final"] for row in rows)),
    )
