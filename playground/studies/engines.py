"""The same knobs, seven engines: one step's stored rows through the strip as each engine would run it.

Knows nothing about particular engines or stages, pages or drawing. No model call, ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from playground.models import Vocabulary
from playground.sampling import Chain, Recipe, Sampler, cfg, orders
from playground.sampling.orders import Note, Order, always, as_engine, called
from playground.studies.engine_views import (
    EngineDartView,
    EngineSegment,
    EngineStageView,
    EnginesView,
    EngineTokenView,
    EngineView,
    SetView,
    VariantView,
)
from playground.studies.outcome import Outcome, Runs, same, tvd
from playground.studies.parting import Comparison, unguided
from playground.studies.pipeline import guided_scores
from playground.studies.rows import Knobs, StepRows
from playground.studies.views import VIEW_VERSION

HERE = Order("here", "", (), "", "")
NUM_SEGMENTS, NUM_OWN, NUM_TOKENS, NUM_NAMED = 40, 8, 24, 6


def engines_view(rows: StepRows, knobs: Knobs, vocabulary: Vocabulary) -> EnginesView:
    """The whole view of one step."""
    started = time.perf_counter()
    study = _Study(rows, knobs, vocabulary)
    own = study.engine(HERE, study.chain, ())
    engines = [study.engine(order, *study.run_by(order)) for order in orders.ORDERS.values()]
    return EnginesView(
        version=VIEW_VERSION,
        key=rows.key,
        title=rows.title,
        vocabulary_size=len(rows.prompt),
        here=own,
        engines=engines,
        tokens=study.tokens(),
        cost_ms=round((time.perf_counter() - started) * 1000, 2),
    )


class _Study:
    """What every engine is compared with: our own run of the chain, and the dart."""

    def __init__(self, rows: StepRows, knobs: Knobs, vocabulary: Vocabulary) -> None:
        scores = guided_scores(rows, knobs)
        self.chain, self.vocabulary = knobs.strip.chain, vocabulary
        self.runs = self.plain = Runs(scores, rows.token_ids, rows.prompt_length, rows.recall)
        if scores is not rows.prompt:
            self.plain = Runs(rows.prompt, rows.token_ids, rows.prompt_length, rows.recall)
        self.is_cfg = _is_cfg(knobs.recipe)
        self.seed, self.step = rows.seed, rows.step
        self.u = rows.uniform
        self.here = self.runs(_on(self.chain))
        self._darts: dict[int, EngineDartView] = {}

    def theirs(self, order: Order) -> Runs:
        """On what enters an engine's chain: the prompt alone, where it cannot guide as we do."""
        return self.runs if order is HERE or (order.guides and self.is_cfg) else self.plain

    def run_by(self, order: Order) -> tuple[Chain, list[Note]]:
        """Our chain as an engine runs it, its own rules for texts resolved."""
        chain, notes = as_engine(self.chain, order.name)
        return chain.bind(self.vocabulary), notes

    def engine(self, order: Order, chain: Chain, notes: Sequence[Note]) -> EngineView:
        there = self.theirs(order)(_on(chain))
        return EngineView(
            name=order.name,
            version=order.version,
            says=order.says,
            parts=self._parts(order, chain, notes),
            same=same(there, self.here),
            support=there.support,
            choices=2.0**there.entropy_bits,
            entropy_bits=there.entropy_bits,
            tvd=tvd(there, self.here),
            dart=self._dart(chain, self.theirs(order)),
            gained=self._set(there, self.here),
            lost=self._set(self.here, there),
            path=self._path(chain, order),
            notes=[*self._guidance(order), *(note.says for note in notes)],
            quirks=list(order.quirks),
            movable=order.movable,
            variants=[self._variant(variant) for variant in order.variants],
        )

    def tokens(self) -> list[EngineTokenView]:
        """The largest tokens here, and those that lead in any engine, by their largest probability."""
        outcomes = [self.theirs(order)(_on(self.run_by(order)[0])) for order in orders.ORDERS.values()]
        wanted: dict[int, float] = {}
        for outcome in (self.here, *outcomes):
            for token in outcome.largest(NUM_OWN):
                wanted[token] = max(wanted.get(token, 0.0), outcome.p(token))
        leading = sorted(wanted, key=lambda token: (-self.here.p(token), -wanted[token], token))[:NUM_TOKENS]
        return [
            EngineTokenView(
                token_id=token,
                text=self.vocabulary.label(token),
                p_here=self.here.p(token),
                p=[outcome.p(token) for outcome in outcomes],
            )
            for token in leading
        ]

    def _guidance(self, order: Order) -> list[str]:
        return [] if self.theirs(order) is self.runs else [f"{unguided(order)}: it starts from the prompt alone."]

    def _dart(self, chain: Chain, runs: Runs) -> EngineDartView:
        """On the side that the coins of random stages take, as when a token is drawn. Most engines share an outcome,
        which ``runs`` keeps: its identity will do."""
        there = runs(_on(chain.decided(chain.coins(self.seed, 0, self.step))))
        if id(there) not in self._darts:
            hit = there.hit(self.u)
            self._darts[id(there)] = EngineDartView(
                u=self.u,
                token_id=hit,
                text=self.vocabulary.label(hit),
                p=there.p(hit),
                segments=self._segments(there),
            )
        return self._darts[id(there)]

    def _parts(self, order: Order, chain: Chain, notes: Sequence[Note]) -> str:
        if order is HERE:
            return ""
        theirs, label = self.theirs(order), self.vocabulary.label
        return Comparison(self.chain, order, chain, notes, self.runs, theirs, label).says()

    def _variant(self, order: Order) -> VariantView:
        chain, notes = self.run_by(order)
        there = self.theirs(order)(_on(chain))
        return VariantView(
            name=order.name,
            says=order.says,
            parts=self._parts(order, chain, notes),
            support=there.support,
            choices=2.0**there.entropy_bits,
            tvd=tvd(there, self.here),
        )

    def _segments(self, there: Outcome) -> list[EngineSegment]:
        largest = there.largest(NUM_SEGMENTS)
        starts = np.cumsum([0.0, *(there.p(token) for token in largest)])
        return [
            EngineSegment(
                token_id=token,
                text=self.vocabulary.label(token),
                start=float(start),
                p=there.p(token),
                p_here=self.here.p(token),
            )
            for token, start in zip(largest, starts, strict=False)
        ]

    def _set(self, keeps: Outcome, removes: Outcome) -> SetView:
        """What the one keeps and the other does not."""
        only = keeps.outside(removes)
        texts = [self.vocabulary.label(token) for token in only.largest(NUM_NAMED)]
        return SetView(count=only.support, mass=float(only.probs.sum()), texts=texts)

    def _path(self, chain: Chain, order: Order) -> list[EngineStageView]:
        """The stages that are on, in the engine's order, each with what is left after it."""
        on, runs, views = _on(chain), self.theirs(order), []
        for number, sampler in enumerate(on, 1):
            params = sampler.to_json()
            params.pop("sampler")
            title = f"its {called(sampler.name)}" if sampler in always(order) else called(sampler.name)
            left = runs(on[:number]).support
            views.append(EngineStageView(name=sampler.name, title=title, params=params, support=left))
        return views


def _on(chain: Chain) -> list[Sampler]:
    return [sampler for sampler in chain.samplers if not sampler.is_off]


def _is_cfg(recipe: Recipe) -> bool:
    """Whether guidance is what engines know: one other branch of the same model, weights of s and 1 − s, no more."""
    return recipe.num_models == 1 and recipe.guidance == cfg(recipe.guidance.weights[0])
