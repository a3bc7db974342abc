"""The tuning panel's questions: start, look, cancel, go on, keep, and write with the tuned model.

Knows nothing about HTTP or drawing: checked JSON in, plain data out, PlaygroundError where it cannot be done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from playground.charts import tuning_curves
from playground.control.arrays import Floats
from playground.control.evaluation import Evaluator
from playground.control.features import Feature, features
from playground.control.losses import LOSSES
from playground.control.pool import Pool
from playground.engine import Engine, EngineHost, one_thread_worker
from playground.errors import PlaygroundError
from playground.sampling.search import search_from_json
from playground.settings import Settings
from playground.studies import prompts
from playground.studies.classifiers import Classifiers
from playground.studies.control_asks import Ask, target_of
from playground.studies.drawings import Drawings
from playground.studies.giving_way import serving
from playground.studies.goal import Goal
from playground.studies.pools import PoolRecord
from playground.studies.proposals import Proposal
from playground.studies.reading import Reading
from playground.studies.text_tools import text_tools
from playground.studies.tuning_runs import Run, TuningRuns, goal_of
from playground.studies.tuning_settings import FORGETTING, RANGES, TuningSettings
from playground.ui import asks
from playground.ui.session import Session

MAX_POOL, MAX_TOKENS, MAX_WRITTEN, MAX_TEXTS_A_STEP, MAX_STEPS = 5_000, 128, 16, 512, 200
"""What a visitor may ask for: a script has no such limits."""
LOOK_S = 0.25
ABOUT = ("prompt", "more_prompts", "features", "targets", "exponents", "contexts")
"""What of a question is kept beside an adapter."""


@dataclass(frozen=True)
class Asked:
    """What the texts should be like, and the pool to learn it from: one that is there, or one to be drawn."""

    record: PoolRecord | None
    prompts: tuple[prompts.Prompt, ...]
    """To draw after, where there is no pool."""
    features: tuple[Feature, ...]
    targets: tuple[float, ...]
    """NaN: as it is under the model."""
    exponents: tuple[float, ...] | None
    """Set by hand instead of fitted to the targets."""
    contexts: str
    """How several prompts are meant."""
    num_texts: int
    max_tokens: int
    seed: int


@dataclass
class TuningDesk:
    """One for the whole server, beside the Desk."""

    settings: Settings
    host: EngineHost
    runs: TuningRuns
    classifiers: Classifiers = field(default_factory=Classifiers)
    _evaluator: Evaluator = field(default_factory=Evaluator)

    @classmethod
    def opened(cls, settings: Settings, host: EngineHost, classifiers: Classifiers) -> TuningDesk:
        """With a worker of its own, whose thread starts with the first run."""
        runs = TuningRuns(one_thread_worker("tuning"), settings.cache_path)
        return cls(settings, host, runs, classifiers)

    def questions(self) -> dict[str, Callable[[Session, Any], Awaitable[dict[str, Any]]]]:
        """Route -> what answers it."""
        return {
            "choices": self.choices,
            "start": self.start,
            "state": self.state,
            "cancel": self.cancel,
            "more": self.more,
            "save": self.save,
            "write": self.write,
        }

    def leave(self, token: str) -> None:
        """A tab closed: its run ends."""
        self.runs.cancel(token)

    async def choices(self, session: Session, body: Any) -> dict[str, Any]:
        """What the panel offers: losses, defaults, the demonstration; and the run that this tab has, or None."""
        losses = [{"name": one.name, "title": one.title, "summary": one.summary} for one in LOSSES.values()]
        defaults = asdict(TuningSettings())
        demo = {name: value for name, value in asdict(FORGETTING).items() if value != defaults[name]}
        run = self.runs.find(session.token)
        told = None if run is None else self._told(run)
        return {"losses": losses, "defaults": defaults, "forgetting": demo, "run": told}

    async def start(self, session: Session, body: Any) -> dict[str, Any]:
        """Draw a pool, fit, and tune; ``resume`` goes on from a saved adapter under the same target."""
        body = asks.mapping(body)
        resume = asks.text(body, "resume")
        self.runs.refuse_while_active()  # now: the worker would be busy with the run
        given = await self.runs.on_worker(lambda: self._features(body))  # thousands of words take seconds
        asked, wanted = self._asked(session, body, given), self._wanted(body)
        wanted = replace(wanted, max_tokens=asked.max_tokens, seed=asked.seed)
        engine = self.host.engine

        async def goal(run: Run) -> Goal:
            return await self._goal(run, asked, engine, session.token)

        about = {name: body[name] for name in ABOUT if name in body}
        return self._told(self.runs.start(session.token, engine, goal, wanted, about, resume))

    async def state(self, session: Session, body: Any) -> dict[str, Any]:
        """How far the session's run is; figures where there are more points than ``since``."""
        body = asks.mapping(body)
        return self._told(self.runs.of(session.token), asks.whole(body, "since", 0, 0, 10**9))

    async def cancel(self, session: Session, body: Any) -> dict[str, Any]:
        self.runs.cancel(session.token)
        return self._told(self.runs.of(session.token))

    async def more(self, session: Session, body: Any) -> dict[str, Any]:
        """More epochs or steps from where the adapter stands."""
        run = self.runs.of(session.token)
        wanted = self._wanted(asks.mapping(body))
        if run.tuning is not None:
            wanted = replace(wanted, max_tokens=run.tuning.settings.max_tokens)
        return self._told(self.runs.go_on(session.token, self.host.engine, wanted))

    async def save(self, session: Session, body: Any) -> dict[str, Any]:
        """The name under which the adapter is kept on the server."""
        return {"saved": await self.runs.save(session.token)}

    async def write(self, session: Session, body: Any) -> dict[str, Any]:
        """Texts by the tuned model, under a chain or by a search where one is given, labelled as such."""
        body = asks.mapping(body)
        num_texts = asks.whole(body, "num_texts", 8, 1, MAX_WRITTEN)
        chain, search = asks.knobs(body).strip.chain, search_from_json(body.get("search"))
        return dict(await self.runs.write(session.token, chain, num_texts, asks.seed(body), search))

    # Behind the questions

    def _features(self, body: Mapping[str, Any]) -> tuple[Feature, ...]:
        return features(body.get("features"), self.classifiers.tools(text_tools()))

    def _asked(self, session: Session, body: Mapping[str, Any], given: tuple[Feature, ...]) -> Asked:
        wanted, exponents = asks.targets(body, len(given)), asks.exponents(body, len(given))
        contexts = asks.contexts(body)
        if asks.text(body, "pool"):
            record = session.pools.get(asks.text(body, "pool"))
            if record.running:
                raise PlaygroundError("This pool is still being drawn; wait for it, or cancel the drawing first.")
            longest = record.proposals[0].max_tokens
            return Asked(record, (), given, wanted, exponents, contexts, 0, longest, record.seed)
        asked = asks.prompts(body, self.settings.max_prompt_chars)
        most = min(MAX_TOKENS, self.settings.max_tokens)
        return Asked(
            None,
            asked,
            given,
            wanted,
            exponents,
            contexts,
            asks.whole(body, "num_texts", 256, 16, MAX_POOL // len(asked)),
            asks.whole(body, "max_tokens", 16, 1, most),
            asks.seed(body),
        )

    def _wanted(self, body: Mapping[str, Any]) -> TuningSettings:
        """The run's settings; ``preset`` fills in what is not given."""
        if asks.text(body, "preset") not in ("", "forgetting"):
            raise PlaygroundError("preset is forgetting, or left out.")
        base = FORGETTING if asks.text(body, "preset") else TuningSettings()
        most = {"num_steps": MAX_STEPS, "texts_per_step": MAX_TEXTS_A_STEP}
        given: dict[str, Any] = {}
        for name, (low, high, kind) in RANGES.items():
            if name in body and name not in ("max_tokens", "seed"):
                top = min(high, most.get(name, high))
                value = getattr(base, name)
                if kind is int:
                    given[name] = asks.whole(body, name, value, int(low), int(top))
                else:
                    given[name] = asks.number(body, name, value, low, top)
        if "loss" in body:
            given["loss"] = asks.text(body, "loss")
        return replace(base, **given)

    async def _goal(self, run: Run, asked: Asked, engine: Engine, token: str) -> Goal:
        """The pool, as it is or drawn now; then features, fit and goal on the worker."""
        if asked.record is not None:
            pool, proposals = asked.record.pool, asked.record.proposals
        else:
            pool, proposals = await self._drawn(run, asked, engine, token)
        prompt_ids = {one.context: one.prompt_ids for one in proposals}
        reading = Reading.of(asked.features, [("", pool)])
        await self._read(run, reading, engine)

        def made() -> Goal:
            analysis = reading.analysis("")
            assert analysis is not None  # everything is read
            if asked.exponents is not None:  # of all prompts alike: conditional tuning keeps every prompt's share
                by_hand = partial(_tilt, np.array(asked.exponents))
                return goal_of(analysis, by_hand, prompt_ids, self._evaluator, engine.model)
            fitted = target_of(analysis, Ask(asked.targets, contexts=asked.contexts).filled(analysis))
            return goal_of(analysis, fitted.log_tilt, prompt_ids, self._evaluator, engine.model)

        return await self.runs.on_worker(made)

    async def _read(self, run: Run, reading: Reading, engine: Engine) -> None:
        """The pool under the features, in pieces between which people go first."""
        if not reading.num_texts:
            raise PlaygroundError("There are no texts yet: draw a pool first.")
        reading.start(self._evaluator, self.runs.worker, serving(engine))
        try:
            while (told := reading.view()) is not None and reading.is_usable:
                run.check()
                run.message = told["words"]
                reading.asked_s = time.monotonic()
                await asyncio.sleep(LOOK_S)
            await reading.wait()
        finally:
            reading.end()

    async def _drawn(self, run: Run, asked: Asked, engine: Engine, token: str) -> tuple[Pool, tuple[Proposal, ...]]:
        """A pool of the model itself through the engine, at bulk priority."""
        models = engine.fleet.models
        encoded = await self.runs.on_worker(lambda: [prompts.encode(one, models).prompt_ids for one in asked.prompts])
        pairs = zip(asked.prompts, encoded, strict=True)
        proposals = tuple(Proposal(one.text, ids, asked.max_tokens) for one, ids in pairs)
        drawing = Drawings.start(engine, proposals, asked.num_texts, asked.seed, 0, token)

        def told() -> bool:
            run.check()
            done = drawing.progress()
            run.drawn = done["num_done"] / done["num_wanted"]
            run.message = f"Drawing the pool: {done['num_done']:,} of {done['num_wanted']:,} texts"
            return True

        await drawing.read(told)
        if error := drawing.progress()["error"]:
            raise PlaygroundError(error, status=500)
        return drawing.pool, proposals

    def _told(self, run: Run, since: int = 0) -> dict[str, Any]:
        view = run.view
        fraction = view["fraction"] if view else run.drawn
        elapsed_s = time.monotonic() - run.started_s
        answer: dict[str, Any] = {
            "state": run.state,
            "message": run.message,
            "active": run.is_active,
            "fraction": fraction,
            "remaining_s": elapsed_s * (1 - fraction) / fraction if run.is_active and 0.02 < fraction < 1 else None,
            "saved": run.saved,
            "view": view,
        }
        if view and len(view["points"]) > since:
            answer["figures"] = tuning_curves.figures(view)
        return answer


def _tilt(exponents: Floats, values: Floats, contexts: Sequence[str]) -> Floats:
    """float64[N]: λ·φ, whatever the prompt."""
    tilted: Floats = values @ exponents
    return tilted
