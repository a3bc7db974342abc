"""The control section's part of the desk: draw pools, and answer every drag about them without asking a model.

Knows nothing about HTTP or components: checked JSON in, plain data out, PlaygroundError where it cannot be done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from playground.charts import control_curve
from playground.control.features import COMBINATIONS, Feature, features
from playground.engine import EngineHost, one_thread_worker
from playground.errors import PlaygroundError
from playground.settings import Settings
from playground.studies import bigrams
from playground.studies.analysis import Analysis
from playground.studies.classifiers import Classifiers
from playground.studies.control_asks import Ask, beta_of, target_of
from playground.studies.control_json import curve_json, fit_json
from playground.studies.control_views import MEASURES, control_view
from playground.studies.giving_way import Worker, serving
from playground.studies.inspect import Inspector
from playground.studies.pools import MAX_POOLS, MAX_TEXTS, TOY
from playground.studies.reading import Reading
from playground.studies.text_tools import text_tools
from playground.studies.tuning_runs import TuningRuns
from playground.ui import asks
from playground.ui.kinds import kinds_json
from playground.ui.proposal_asks import ProposalAsks
from playground.ui.session import Session

T = TypeVar("T")
SOON_S = 0.15
"""How long a ``partial`` view waits for texts to be read: enough where no model reads them."""
LISTS = ("", "accepted", "rejected", "resampled")


@dataclass
class ControlDesk:
    """One for the whole server."""

    settings: Settings
    host: EngineHost
    inspector: Inspector
    runs: TuningRuns
    """Where a tab's tuned model is."""
    classifiers: Classifiers = field(default_factory=Classifiers)
    worker: Worker = field(default_factory=lambda: one_thread_worker("control"))
    """Not the one that draws everybody's pictures: features read thousands of texts, which may take seconds."""
    _reader: Worker = field(default_factory=lambda: one_thread_worker("classifiers"))
    """And not the one that answers drags: a classifier is loaded and asked here, for minutes where it must."""

    @cached_property
    def proposals(self) -> ProposalAsks:
        """What a pool may be drawn from."""
        return ProposalAsks(self.settings, self.host, self.inspector, self.runs)

    def questions(self) -> dict[str, Callable[[Session, Any], Awaitable[dict[str, Any]]]]:
        """Route -> what answers it."""
        return {
            "start": self.start,
            "labels": self.labels,
            "draw": self.draw,
            "pools": self.pools,
            "cancel": self.cancel,
            "drop": self.drop,
            "view": self.view,
            "export": self.export,
        }

    async def start(self, session: Session, body: Any) -> dict[str, Any]:
        """What the section needs to draw itself: kinds of features, limits, the pools that are there."""
        return {
            "kinds": kinds_json(self.classifiers.names),
            "combinations": list(COMBINATIONS),
            "max_texts": MAX_TEXTS,
            "max_tokens": self.proposals.max_tokens,
            "max_prompts": asks.MAX_PROMPTS,
            "max_pools": MAX_POOLS,
            "toy": {"targets": list(bigrams.TARGETS)},
            **self._pools(session),
        }

    async def labels(self, session: Session, body: Any) -> dict[str, Any]:
        """The labels of one of the host's classifiers."""
        chosen = self.classifiers.get(asks.text(asks.mapping(body), "model"))
        return {"model": chosen.name, "labels": list(await asyncio.wrap_future(self._reader.submit(chosen.labels)))}

    async def draw(self, session: Session, body: Any) -> dict[str, Any]:
        """Start a pool (or, with ``pool``, add to one) and answer at once; ``pools`` says how far it is."""
        body, engine = asks.mapping(body), self.host.engine
        num_texts = asks.whole(body, "num_texts", 256, 1, MAX_TEXTS)
        if body.get("pool") is not None:
            record = session.pools.add(engine, asks.text(body, "pool"), num_texts, session.token)
        else:
            wanted = await self.proposals.wanted(session.token, body)
            record = session.pools.draw(
                engine, wanted.proposals, wanted.label, num_texts, asks.seed(body), session.token
            )
        return {"pool": record.id, **self._pools(session)}

    async def pools(self, session: Session, body: Any) -> dict[str, Any]:
        """How far every pool of the tab is."""
        return self._pools(session)

    async def cancel(self, session: Session, body: Any) -> dict[str, Any]:
        """End a drawing; the finished texts stay."""
        session.pools.cancel(asks.text(asks.mapping(body), "pool"))
        return self._pools(session)

    async def drop(self, session: Session, body: Any) -> dict[str, Any]:
        """Forget a pool."""
        session.pools.drop(asks.text(asks.mapping(body), "pool"))
        return self._pools(session)

    async def view(self, session: Session, body: Any) -> dict[str, Any]:
        """Gauges, curve and list for a pool, features, targets (or exponents) and β: milliseconds, no model.

        Features are read piece by piece, which takes long where a classifier is among them. With ``partial`` the answer
        comes at once, of the texts that are read, and ``reading`` says how far it is; else it waits for all of them.
        """
        body = asks.mapping(body)
        pool_id, others = asks.text(body, "pool"), _ids(body)
        labels = {one: session.pools.get(one).label for one in others}
        reading = None
        if pool_id != TOY:
            others = [one for one in session.pools.alike(pool_id, others) if len(session.pools.texts(one)) > 1]
            reading = await self.read(session, [pool_id, *others], body, SOON_S if asks.flag(body, "partial") else None)

        def made() -> dict[str, Any]:
            if reading is None:
                return self._view(body, bigrams.toy())
            told = {"pool": pool_id, "reading": reading.view()}  # before the rows are taken: the page asks once more
            analysis = reading.analysis(pool_id)
            overlaid = [(labels[one], reading.analysis(one)) for one in others]
            return told | ({} if analysis is None else self._view(body, analysis, overlaid))

        return {"pool": pool_id, "reading": None, **await self.on_worker(made)}

    def _view(
        self, body: Mapping[str, Any], analysis: Analysis, others: Sequence[tuple[str, Analysis | None]] = ()
    ) -> dict[str, Any]:
        known = [(label, other) for label, other in others if other is not None]
        view = control_view(analysis, ask_of(body, len(analysis.features)), known)
        if "lines" in view:
            view["figure"] = control_curve.figure(view)
        return view

    async def export(self, session: Session, body: Any) -> dict[str, Any]:
        """Everything about a pool and its target, for another program: pool, features, exponents, curve, seed."""
        body = asks.mapping(body)
        pool_id = asks.text(body, "pool")
        record = None if pool_id == TOY else session.pools.get(pool_id)
        reading = None if pool_id == TOY else await self.read(session, [pool_id], body)

        def made() -> dict[str, Any]:
            analysis = bigrams.toy() if reading is None else reading.analysis(pool_id)
            assert analysis is not None  # everything is read
            ask = ask_of(body, len(analysis.features)).filled(analysis)
            fitted = target_of(analysis, ask)
            curve = analysis.curve(analysis.log_ratio(fitted))
            return {
                "model": TOY if record is None else self.host.engine.model.name,
                "seed": 0 if record is None else record.seed,
                "proposal": "everything there is" if record is None else record.label,
                "features": [one.to_json() for one in analysis.features],
                "fit": fit_json(fitted),
                "curve": curve_json(curve),
                "log_beta": beta_of(curve, ask),
                "pool": analysis.pool.to_json(),
            }

        return await self.on_worker(made)

    async def read(
        self, session: Session, pool_ids: list[str], body: Mapping[str, Any], longest_s: float | None = None
    ) -> Reading:
        """Pools under the features of ``body``: all of it, or what is read after so long."""
        session.pools.get(pool_ids[0])  # a pool that is not there is said before a pattern that cannot be read
        asked = await self.on_worker(lambda: self.features_of(pool_ids[0], body))
        worker = self.worker_for(asked)
        is_busy = serving(self.host.engine) if worker is self._reader else lambda: False
        reading = session.pools.read(pool_ids, asked, worker, is_busy)
        await reading.wait(longest_s)
        return reading

    def worker_for(self, asked: Sequence[Feature]) -> Worker:
        """Where texts are read: what takes long holds up nobody's drags."""
        return self._reader if any(one.readers for one in asked) else self.worker

    async def on_worker(self, work: Callable[[], T]) -> T:
        made: T = await asyncio.wrap_future(self.worker.submit(work))
        return made

    def _pools(self, session: Session) -> dict[str, Any]:
        return {"pools": session.pools.views()}

    def features_of(self, pool_id: str, body: Mapping[str, Any]) -> tuple[Feature, ...]:
        """The toy has its own features; strangers choose no models to fetch but those that the host named."""
        if pool_id == TOY:
            return ()
        return features(body.get("features"), self.classifiers.tools(text_tools()))


def ask_of(body: Mapping[str, Any], num_features: int) -> Ask:
    measure, only = asks.text(body, "measure") or "tvd", asks.text(body, "only")
    if measure not in MEASURES or only not in LISTS:
        raise PlaygroundError(f"measure is one of {', '.join(MEASURES)}; only one of {', '.join(LISTS[1:])} or empty.")
    rate = asks.number(body, "acceptance_rate", 0.1, 1e-9, 1.0) if body.get("acceptance_rate") is not None else None
    log_beta = asks.number(body, "log_beta", 0.0, -1e4, 1e4) if body.get("log_beta") is not None else None
    return Ask(
        asks.targets(body, num_features),
        asks.exponents(body, num_features),
        log_beta,
        rate,
        measure,
        asks.flag(body, "bands"),
        only,
        asks.contexts(body),
    )


def _ids(body: Mapping[str, Any]) -> list[str]:
    given = body.get("others") or []
    if not isinstance(given, list) or len(given) > MAX_POOLS or not all(isinstance(one, str) for one in given):
        raise PlaygroundError("others must be a list of pools.")
    return given
