"""The scene of one step: every array the parts of a view read, and the parts themselves (stages, rows).

Knows nothing about where rows come from or how views are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from playground.models import Vocabulary
from playground.sampling import ABSENT, ALIVE, SAMPLERS, Cut, Moment, StageTrace, Trace, metrics
from playground.studies.darts import note, side_views
from playground.studies.largest import largest
from playground.studies.rows import BaseRow, Knobs, StepRows
from playground.studies.views import BaseView, CutView, RowView, StageView

NUM_ROWS, NUM_REMOVED, NUM_RANKS, NUM_MARKED = 20, 5, 180, 40
LOWEST_LOG10 = -12.0
"""Curves are floored here: below it no chart can show a difference."""


def rank_axis(vocabulary_size: int) -> NDArray[np.int64]:
    """About 180 distinct ranks from 1 to V, evenly spaced in the logarithm."""
    return np.unique(np.geomspace(1, vocabulary_size, NUM_RANKS).round().astype(np.int64))


@dataclass
class Scene:
    """The arrays every part of the view reads; float64[V] unless said otherwise."""

    rows: StepRows
    knobs: Knobs
    vocabulary: Vocabulary
    trace: Trace
    base: BaseRow
    p_raw: NDArray[np.float64]
    p_guided: NDArray[np.float64]
    p_final: NDArray[np.float64]
    now: Moment | None = None
    """What guidance does at this step; None where no other branch is known."""

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
        self.coins = self.knobs.strip.chain.coins(self.rows.seed, 0, self.rows.step)
        self.taken = self.trace.taken(self.coins)  # what the dart flies at; without random stages the trace itself
        branch = next((one for one in self.trace.branches if one.trace is self.taken), None)
        self.outcomes = dict(branch.outcomes) if branch else {}  # random stages by number: which way the coin fell

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
            view = self._stage(stage.id, traced, arriving, leaving, alive, survivors, before, after)
            if traced:
                view["sides"], view["note"] = side_views(self, number), note(self, number, traced)
                number += 1
            views.append(view)
            self.leaving.append(leaving)
            before, arriving, alive = after, leaving, survivors
        return views

    def _guidance_stage(self, after: BaseView) -> StageView:
        """Guidance as a card: the prompt's distribution arrives, the guided one leaves."""
        everyone = np.ones(len(self.p_raw), bool)
        on = self.guided_here
        before = self.base.view if on else after
        arriving = self.curve(self.p_raw, everyone)
        self.leaving.append(self.p_guided)
        return StageView(
            id="guidance",
            name="guidance",
            title="Guidance",
            kind="guidance",
            on=on,
            params={"scale": self.knobs.recipe.scale},
            before=arriving,
            after=self.curve(self.p_guided, self.p_guided > 0) if on else arriving,
            cumulative=[],
            support_before=before["support"],
            support=after["support"],
            choices_before=before["choices"],
            choices=after["choices"],
            entropy_before_bits=before["entropy_bits"],
            entropy_bits=after["entropy_bits"],
            kept_mass=float(self.p_raw[self.p_guided > 0].sum()) if on else 1.0,
            kl_bits=self._guidance_kl() if on else 0.0,
            mass_alive=1.0,
            cut=_cut(self._guidance_cut(), []),
            note="",
            sides=[],
        )

    @property
    def guided_here(self) -> bool:
        """Whether guidance is on; at this step its gate may be closed all the same."""
        return self.now is not None and not self.knobs.recipe.is_off

    def _guidance_cut(self) -> Cut:
        """The plausibility mask, as a level on the prompt's own curve."""
        mask = self.knobs.recipe.guidance.mask
        if not mask or self.now is None or self.now.is_off:
            return Cut()
        return Cut("probability", mask * float(self.p_raw.max()))

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
        cut = traced.cut if traced else Cut()
        return StageView(
            id=stage_id,
            name=sampler.name,
            title=sampler.title,
            kind=sampler.kind,
            on=traced is not None,
            params=dict(traced.params) if traced else {},
            before=self.curve(arriving, alive_before),
            after=self.curve(leaving, alive),
            cumulative=self.staircase(cut, arriving),
            support_before=before["support"],
            support=after["support"],
            choices_before=before["choices"],
            choices=after["choices"],
            entropy_before_bits=before["entropy_bits"],
            entropy_bits=after["entropy_bits"],
            kept_mass=traced.kept_mass if traced else 1.0,
            kl_bits=traced.kl_bits if traced else 0.0,
            mass_alive=float(self.p_guided[alive].sum()),
            cut=_cut(cut, self._ranks_of(alive_before & ~alive, arriving) if cut.axis == "tokens" else []),
            note="",
            sides=[],
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

    def staircase(self, cut: Cut, probabilities: NDArray[np.float64]) -> list[float]:
        """Its height at each shared rank: the stage's own, or the mass so far in the order of the base row."""
        if cut.axis != "cumulative":
            return []
        if cut.staircase is None:
            return np.cumsum(probabilities[self.base.order])[self.ranks - 1].round(6).tolist()
        heights = np.asarray(cut.staircase)
        return heights[np.minimum(self.ranks, len(heights)) - 1].round(6).tolist()

    def _ranks_of(self, tokens: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> list[int]:
        """Ranks of the likeliest of a mask of tokens."""
        return sorted(int(self.base.rank_of[token]) for token in largest(probabilities, tokens, NUM_MARKED))

    def rows_shown(self, drawn: int) -> list[RowView]:
        """The largest final tokens, the largest removed, the drawn and the pinned ones."""
        pins = [token for token in self.knobs.pins if 0 <= token < len(self.p_raw)]
        chosen_here = [] if self.rows.chosen is None else [self.rows.chosen]
        chosen = list(
            dict.fromkeys(
                [
                    *largest(self.p_final, self.alive, NUM_ROWS),
                    drawn,
                    *chosen_here,
                    *largest(self.p_raw, ~self.alive, NUM_REMOVED),
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
        if number == ABSENT and self.guided_here and self.p_raw[token] > 0:
            return "guidance"  # its mask, or a branch that gives it nothing
        return self.on[number].id if number >= 0 else ""

    def _journey(self, token: int) -> list[float]:
        return [float(self.p_raw[token]), *(float(leaving[token]) for leaving in self.leaving)]


def _cut(cut: Cut, ranks: list[int]) -> CutView:
    return CutView(axis=cut.axis, value=cut.value, high=cut.high, marks=list(cut.marks), ranks=ranks)
