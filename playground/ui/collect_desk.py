"""Collecting accepted texts, the questions: start, look, stop, take everything home. One collection a tab.

Knows nothing about HTTP or drawing: checked JSON in, plain data out, PlaygroundError where it cannot be done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playground.control.stopping import StoppingRule
from playground.errors import PlaygroundError
from playground.studies.collecting import Aim, Collection
from playground.studies.collecting_runs import CollectingRun
from playground.studies.collecting_views import Promise
from playground.studies.fresh_texts import FreshTexts
from playground.studies.pools import MAX_TEXTS, TOY
from playground.ui import asks
from playground.ui.control_desk import ControlDesk, ask_of
from playground.ui.session import Session

MAX_WANTED = 1_000


@dataclass
class CollectDesk:
    """One for the whole server, beside the control section's."""

    control: ControlDesk

    def questions(self) -> dict[str, Callable[[Session, Any], Awaitable[dict[str, Any]]]]:
        """Route -> what answers it."""
        return {
            "collect": self.collect,
            "collection": self.collection,
            "collect_stop": self.stop,
            "collect_export": self.export,
        }

    async def collect(self, session: Session, body: Any) -> dict[str, Any]:
        """Start, and answer at once; ``collection`` says how far it is."""
        body = asks.mapping(body)
        pool_id, rule = asks.text(body, "pool"), _rule(body)
        if pool_id == TOY:
            raise PlaygroundError("All texts of the toy are listed already; draw a pool to collect texts of a model.")
        _refuse_while_running(session)
        record = session.pools.get(pool_id)
        reading = await self.control.read(session, [pool_id], body)

        def made() -> Promise:
            analysis = reading.analysis(pool_id)
            assert analysis is not None  # everything is read
            return Promise.of(analysis, ask_of(body, len(analysis.features)))

        promise, features = await self.control.on_worker(made), reading.features
        _refuse_while_running(session)  # another one may have begun meanwhile
        engine = self.control.host.engine
        rule = StoppingRule(rule.num_accepted, rule.max_proposals, rule.precision, promise.rate)
        source = FreshTexts(engine, record.proposals, record.seed, rule.max_proposals, record.reserved, session.token)
        collection = Collection(Aim(features, promise.log_ratio, promise.log_beta, rule))
        run = CollectingRun(source, collection, promise, record.label, engine.model.name)
        run.start(self.control.worker_for(features))
        session.collecting = run
        return await self._seen(run, 0)

    async def collection(self, session: Session, body: Any) -> dict[str, Any]:
        """Figures, and the accepted texts from number ``since`` on."""
        return await self._seen(_run(session), _since(body))

    async def stop(self, session: Session, body: Any) -> dict[str, Any]:
        """End it now; what was accepted stays."""
        run, since = _run(session), _since(body)
        run.cancel()
        await run.ended()
        return await self._seen(run, since)

    async def export(self, session: Session, body: Any) -> dict[str, Any]:
        """All proposals, accepted and rejected, with what decided on each."""
        return await self.control.on_worker(_run(session).exporting())

    async def _seen(self, run: CollectingRun, since: int) -> dict[str, Any]:
        return await self.control.on_worker(run.viewing(since))


def _run(session: Session) -> CollectingRun:
    if session.collecting is None:
        raise PlaygroundError("Nothing is being collected here (any more); start again.", status=404)
    return session.collecting


def _refuse_while_running(session: Session) -> None:
    if session.collecting is not None and session.collecting.running:
        raise PlaygroundError("A collection is under way in this tab; wait for it, or stop it first.", status=409)


def _since(body: Any) -> int:
    return asks.whole(asks.mapping(body), "since", 0, 0, MAX_TEXTS)


def _rule(body: Mapping[str, Any]) -> StoppingRule:
    """When to stop; ``num_accepted`` null: as many as there are in so many proposals."""
    wanted = None if body.get("num_accepted", 20) is None else asks.whole(body, "num_accepted", 20, 1, MAX_WANTED)
    most = asks.whole(body, "max_proposals", 2_000, 1, MAX_TEXTS)
    precision = None if body.get("precision") is None else float(asks.number(body, "precision", 0.1, 0.01, 0.9))
    return StoppingRule(wanted, most, precision)
