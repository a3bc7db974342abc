"""The same knobs, seven engines: one step's stored rows through the strip as each engine would run it.

Knows nothing about particular engines or stages, pages or drawing. No model call, ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from playground.models import Vocabulary
from playground.sampling import Chain, draw, orders
from playground.sampling.orders import Note, Order, always, as_engine, called
from playground.studies.outcome import Outcome, Runs, same, tvd
from playground.studies.parting import Comparison
from playground.studies.pipeline import guided_scores
from playground.studies.rows import Knobs, StepRows
from playground.studies.views import VIEW_VERSION

NUM_SEGMENTS, NUM_OWN, NUM_TOKENS, NUM_NAMED = 40, 8, 24, 6


class EngineSegment(TypedDict):
    """One token on an engine's ruler, the largest first, laid end to end from 0."""

    token_id: int
    text: str
    start: float
    p: float
    p_here: float
    """0: our own pipeline removes it."""


class EngineDartView(TypedDict):
    """The engine's ruler, and what the step's dart hits on it."""

    u: float
    token_id: int
    text: str
    p: float
    segments: list[EngineSegment]


class SetView(TypedDict):
    """Tokens that one side keeps and the other removes."""

    count: int
    mass: float
    """Their share of the side that keeps them."""
    texts: list[str]
    """The largest of them."""


class EngineStageView(TypedDict):
    """One stage of an engine's path, as it leaves."""

    name: str
    title: str
    params: dict[str, object]
    support: int


class VariantView(TypedDict):
    """The same engine started another way."""

    name: str
    says: str
    parts: str
    support: int
    choices: float
    tvd: float


class EngineView(TypedDict):
    """One engine beside us; we ourselves are one of them, with the name ``here``."""

    name: str
    version: str
    says: str
    """What is its own about its order."""
    parts: str
    """The first difference against us, and its reason."""
    same: bool
    support: int
    choices: float
    entropy_bits: float
    tvd: float
    """Total variation distance to us: the largest difference in probability that any event can have."""
    dart: EngineDartView
    gained: SetView
    """Kept there, removed here."""
    lost: SetView
    """Kept here, removed there."""
    path: list[EngineStageView]
    notes: list[str]
    quirks: list[str]
    movable: bool
    """Whether a setting of the engine changes its order."""
    variants: list[VariantView]


class EngineTokenView(TypedDict):
    """One line of the table: a token's probability here and in every engine, in the order of ``engines``."""

    token_id: int
    text: str
    p_here: float
    p: list[float]


class EnginesView(TypedDict):
    """The same knobs in every engine, on one step."""

    version: int
    key: str
    title: str
    vocabulary_size: int
    here: EngineView
    engines: list[EngineView]
    tokens: list[EngineTokenView]
    cost_ms: float


def engines_view(rows: StepRows, knobs: Knobs, vocabulary: Vocabulary) -> EnginesView:
    """The whole view of one step."""
    started = time.perf_counter()
    scores = guided_scores(rows, knobs)
    study = _Study(rows, knobs.strip.chain, vocabulary, Runs(scores, rows.token_ids, rows.prompt_length))
    here = Order("here", "", (), "", "")
    own = study.engine(here, study.chain, ())
    engines = [study.engine(order, *as_engine(study.chain, name)) for name, order in orders.ORDERS.items()]
    return EnginesView(
        version=VIEW_VERSION,
        key=rows.key,
        title=rows.title,
        vocabulary_size=len(scores),
        here=own,
        engines=engines,
        tokens=study.tokens(),
        cost_ms=round((time.perf_counter() - started) * 1000, 2),
    )


class _Study:
    """What every engine is compared with: our own run of the chain, and the dart."""

    def __init__(self, rows: StepRows, chain: Chain, vocabulary: Vocabulary, runs: Runs) -> None:
        self.chain, self.vocabulary, self.runs = chain, vocabulary, runs
        self.u = draw.uniform(rows.seed, 0, rows.step, draw.Purpose.DRAW)
        self.here = self._outcome(chain)
        self._darts: dict[int, EngineDartView] = {}

    def engine(self, order: Order, chain: Chain, notes: Sequence[Note]) -> EngineView:
        there = self._outcome(chain)
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
            dart=self._dart(there),
            gained=self._set(there, self.here),
            lost=self._set(self.here, there),
            path=self._path(chain, order),
            notes=[note.says for note in notes],
            quirks=list(order.quirks),
            movable=order.movable,
            variants=[self._variant(variant) for variant in order.variants],
        )

    def tokens(self) -> list[EngineTokenView]:
        """The largest tokens here, and those that lead in any engine, by their largest probability."""
        outcomes = [self._outcome(as_engine(self.chain, name)[0]) for name in orders.ORDERS]
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

    def _outcome(self, chain: Chain) -> Outcome:
        return self.runs(sampler for sampler in chain.samplers if not sampler.is_off)

    def _dart(self, there: Outcome) -> EngineDartView:
        """Most engines share an outcome, which ``self.runs`` keeps: its identity will do."""
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
        if not order.stages:
            return ""
        return Comparison(self.chain, order, chain, notes, self.runs, self.vocabulary.label).says()

    def _variant(self, order: Order) -> VariantView:
        chain, notes = as_engine(self.chain, order.name)
        there = self._outcome(chain)
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
        places = keeps.outside(removes)
        probs = keeps.probs[places]
        named = keeps.token_ids[places[np.argsort(-probs, kind="stable")[:NUM_NAMED]]]
        texts = [self.vocabulary.label(token) for token in named.tolist()]
        return SetView(count=len(places), mass=float(probs.sum()), texts=texts)

    def _path(self, chain: Chain, order: Order) -> list[EngineStageView]:
        """The stages that are on, in the engine's order, each with what is left after it."""
        on = [sampler for sampler in chain.samplers if not sampler.is_off]
        views = []
        for number, sampler in enumerate(on, 1):
            params = sampler.to_json()
            params.pop("sampler")
            title = f"its {called(sampler.name)}" if sampler in always(order) else called(sampler.name)
            left = self.runs(on[:number]).support
            views.append(EngineStageView(name=sampler.name, title=title, params=params, support=left))
        return views
