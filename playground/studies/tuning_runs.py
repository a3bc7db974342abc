"""Tuning runs of the whole server: one trains at a time, each belongs to a session, and all give way to people.

Knows nothing about HTTP or JSON bodies. Training happens on the worker it is handed, between pieces everybody else goes
first; a run that nobody asks about any more ends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from playground.control.arrays import Floats
from playground.control.evaluation import Evaluator
from playground.control.texts import Text as ReadText
from playground.engine import Engine
from playground.errors import PlaygroundError
from playground.models import Model
from playground.models.adapters import AdapterShelf, Shape
from playground.models.tuner import Tuner
from playground.sampling import Chain
from playground.sampling.search import Search
from playground.studies.analysis import Analysis
from playground.studies.control_texts import marks_in
from playground.studies.giving_way import Worker, in_pieces, serving
from playground.studies.goal import Goal, Ids
from playground.studies.proposals import Proposal, tuned
from playground.studies.tuned_texts import WrittenView, written
from playground.studies.tuning import Tuning
from playground.studies.tuning_settings import TuningSettings
from playground.studies.tuning_views import TuningView

log = logging.getLogger(__name__)
T = TypeVar("T")
State = Literal["preparing", "running", "done", "cancelled", "failed"]
ABANDONED_S = 120.0
"""After so long without a question a run is nobody's."""
LONGEST_S = 2 * 3600.0
"""One run at a time: after so long it ends, so that others can begin."""
MAX_KEPT = 4
"""Finished runs whose adapters stay in memory; the oldest goes."""
MAX_SAVES = 4
"""Of one run. The shelf is everybody's and its oldest adapter makes room."""


def goal_of(
    analysis: Analysis,
    log_factor: Callable[[Floats, Sequence[str]], Floats],
    prompts: dict[str, Ids],
    evaluator: Evaluator,
    model: Model,
) -> Goal:
    """The goal that a pool and a target define; ``prompts``: token ids by the pool's context names. ``log_factor`` is a
    fit's ``log_tilt``, or any (float64[N,F], prompts of the rows) -> float64[N] that says log P/a."""
    pool, names = analysis.pool, list(prompts)
    decode = model.backend.vocabulary.decode

    def describe(written: Any, log_base: Floats) -> Floats:
        bits = (-log_base / np.log(2)).tolist()
        read = [ReadText(decode(ids), len(ids), bit) for ids, bit in zip(written, bits, strict=True)]
        return evaluator.table(analysis.features, read).values

    return Goal(
        tuple(analysis.names),
        tuple(prompts.values()),
        np.array([names.index(context) for context in pool.contexts], dtype=np.int64),
        pool.token_ids,
        pool.log_base,
        pool.log_proposal,
        analysis.values,
        lambda features, prompt_of: log_factor(features, [names[number] for number in prompt_of]),
        describe,
        tuple(names),
        lambda text: marks_in(text, analysis.features),
    )


class RunOver(PlaygroundError):
    """A run has to end; says why."""


@dataclass
class Run:
    """One tab's tuning: how far it is, and the adapter."""

    session: str
    state: State = "preparing"
    message: str = "Preparing"
    drawn: float = 0.0
    """Share of the pool that is drawn."""
    view: TuningView | None = None
    tuning: Tuning | None = None
    saved: str = ""
    num_saved: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    """What the page asked for, to be saved beside the adapter."""
    asked_s: float = field(default_factory=time.monotonic)
    started_s: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None

    @property
    def is_active(self) -> bool:
        return self.task is not None and not self.task.done()

    def check(self) -> None:
        """RunOver where nobody has asked about it for long, or it has trained for as long as one may."""
        now_s = time.monotonic()
        if now_s - self.asked_s > ABANDONED_S:
            raise RunOver("Stopped: nobody had asked about it for two minutes.")
        if self.state == "running" and now_s - self.started_s > LONGEST_S:
            raise RunOver("Stopped after two hours, so that others can begin. The adapter stays.")


MakeGoal = Callable[[Run], Awaitable[Goal]]
"""Draws or takes the pool (telling the run how far it is, and checking it meanwhile) and answers the goal."""


@dataclass
class TuningRuns:
    """All of them; one is active. ``cache_dir``: where kept adapters are."""

    worker: Worker
    cache_dir: Path
    _runs: OrderedDict[str, Run] = field(default_factory=OrderedDict)

    @property
    def shelf(self) -> AdapterShelf:
        return AdapterShelf(self.cache_dir)

    def of(self, session: str) -> Run:
        """The session's run; PlaygroundError (404) where it has none."""
        run = self.find(session)
        if run is None:
            raise PlaygroundError("Nothing is being tuned here (any more); start a run.", status=404)
        return run

    def find(self, session: str) -> Run | None:
        """The session's run, if it has one; asking keeps it alive."""
        run = self._runs.get(session)
        if run is not None:
            run.asked_s = time.monotonic()
        return run

    def start(
        self, session: str, engine: Engine, make_goal: MakeGoal, settings: TuningSettings, about: dict[str, Any],
        resume: str = "",
    ) -> Run:  # fmt: skip
        """Begin, in the background; ``resume`` names a saved adapter to go on from. One run at a time."""
        self.refuse_while_active()
        if resume:
            self.shelf.folder(resume)  # refused now, not minutes later
        self._runs.pop(session, None)
        run = self._runs[session] = Run(session, about=about)
        for old in list(self._runs)[:-MAX_KEPT]:
            del self._runs[old]

        async def begin() -> Tuning:
            goal = await make_goal(run)
            run.message = "Making an adapter"
            model = engine.model
            if resume:
                return await self.on_worker(lambda: Tuning.resumed(model, self.shelf, resume, goal, settings))
            return await self.on_worker(lambda: Tuning(Tuner(model, Shape(seed=settings.seed)), goal, settings))

        run.task = asyncio.create_task(self._drive(run, engine, begin))
        return run

    def go_on(self, session: str, engine: Engine, settings: TuningSettings) -> Run:
        """More steps of the session's own run."""
        run = self.of(session)
        self.refuse_while_active()
        tuning = _trained(run)
        tuning.go_on(settings)

        async def begin() -> Tuning:
            return tuning

        run.started_s = time.monotonic()
        run.task = asyncio.create_task(self._drive(run, engine, begin))
        return run

    def cancel(self, session: str) -> None:
        """Stop the session's run between two pieces; its adapter stays as far as it is. No run: no harm."""
        run = self._runs.get(session)
        if run is not None and run.task is not None and run.is_active:
            run.task.get_loop().call_soon_threadsafe(run.task.cancel)  # a closed tab is told from another thread

    async def save(self, session: str) -> str:
        """Keep the session's adapter; the name under which it can be loaded again."""
        run = self.of(session)
        tuning = _trained(run)
        if run.num_saved >= MAX_SAVES:
            raise PlaygroundError(f"This run has been kept {MAX_SAVES} times already; the last one was {run.saved}.")
        run.num_saved += 1
        run.saved = await self.on_worker(lambda: tuning.save(self.shelf, run.about))
        return run.saved

    async def write(
        self, session: str, chain: Chain, num_texts: int, seed: int, search: Search | None = None
    ) -> WrittenView:
        """Texts by the session's adapter as it stands, between two pieces of its training."""
        tuning = _trained(self.of(session))
        return await self.on_worker(lambda: written(tuning, chain, num_texts, seed, search))

    async def proposal(self, session: str, context: str, prompt_ids: Ids, max_tokens: int) -> tuple[Proposal, str]:
        """The session's tuned model as it stands, as what a pool is drawn from, and its name."""
        tuning = _trained(self.of(session))
        model = await self.on_worker(tuning.tuner.snapshot)
        return tuned(context, prompt_ids, model, max_tokens), f"tuned, step {tuning.step}"

    async def on_worker(self, work: Callable[[], T]) -> T:
        """Between two pieces of whatever trains."""
        made: T = await asyncio.wrap_future(self.worker.submit(work))
        return made

    def refuse_while_active(self) -> None:
        """PlaygroundError (503) while anybody's run goes on."""
        if any(run.is_active for run in self._runs.values()):
            raise PlaygroundError(
                "A tuning runs already, and two at a time would take twice as long. Try again when it has ended, or "
                "cancel it where it was started.",
                status=503,
            )

    async def _drive(self, run: Run, engine: Engine, begin: Callable[[], Awaitable[Tuning]]) -> None:
        try:
            run.state = "preparing"
            run.tuning = await begin()
            run.state, run.started_s = "running", time.monotonic()
            async with aclosing(in_pieces(run.tuning.run(), self.worker, serving(engine))) as views:
                async for view in views:
                    run.view, run.message = view, view["message"]
                    run.check()
            run.state = "done"
        except asyncio.CancelledError:
            run.state, run.message = "cancelled", "Cancelled. The adapter is as far as the last whole step."
        except RunOver as over:
            run.state, run.message = "cancelled", str(over)
        except PlaygroundError as error:
            run.state, run.message = "failed", str(error)
        except Exception as error:
            run.state = "failed"
            run.message = f"Tuning failed ({type(error).__name__}; the server's log says more)."
            log.exception("a tuning run failed")


def _trained(run: Run) -> Tuning:
    if run.tuning is None:
        raise PlaygroundError("There is no adapter yet: the run is still preparing, or it failed.", status=409)
    return run.tuning
