"""The desk: everything a tab can ask for, as one object that the routes and the Gradio events share.

Knows nothing about HTTP or components: checked JSON in, plain data out, PlaygroundError where it cannot be done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from playground.charts import rank_plot, scale_plot, timeline
from playground.engine import EngineHost, Request, Step
from playground.errors import PlaygroundError
from playground.settings import Settings
from playground.studies import prompts
from playground.studies.classifiers import Classifiers
from playground.studies.engines import engines_view
from playground.studies.first_view import PROMPT
from playground.studies.generate import Generation, deltas, forced_step
from playground.studies.inspect import Inspector, Place, RowsMissing, prompt_tokens
from playground.studies.prompts import EncodedPrompt
from playground.studies.recall import handed_over
from playground.studies.replay import replay
from playground.studies.rows import Knobs
from playground.studies.scale import scale_view
from playground.studies.strip import Strip
from playground.ui import asks
from playground.ui.collect_desk import CollectDesk
from playground.ui.control_desk import ControlDesk
from playground.ui.decoders import decoders_json
from playground.ui.examples import EXAMPLES
from playground.ui.knobs import OPENING, guidance_json, registry_json
from playground.ui.presets import orders_json
from playground.ui.sections import sections_json
from playground.ui.session import Session, Sessions
from playground.ui.take_away_desk import TakeAwayDesk
from playground.ui.tuning_desk import TuningDesk


@dataclass
class Desk:
    """One for the whole server; sessions keep the tabs apart."""

    settings: Settings
    host: EngineHost
    inspector: Inspector
    sessions: Sessions
    classifiers: Classifiers = field(init=False)
    """Those that the host has named; the control section and tuning read with them."""
    tuning: TuningDesk = field(init=False)
    collect: CollectDesk = field(init=False)
    _opening_view: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.classifiers = Classifiers.of(self.settings.classifier_list, self.settings.device)
        self.tuning = TuningDesk.opened(self.settings, self.host, self.classifiers)
        self.collect = CollectDesk(self.control)

    async def open(self) -> dict[str, Any]:
        """A new session and all the page needs to start, the first picture included."""
        session = self.sessions.create()
        return {
            "session": session.token,
            "model": self.model_name,
            "registry": registry_json(),
            "opening": list(OPENING),
            "orders": orders_json(),
            "examples": EXAMPLES,
            "guidance": guidance_json(self.num_models),
            "sections": sections_json(),
            "decoders": decoders_json(),
            "first": await self._first(session),
            "prompt": PROMPT,
        }

    @property
    def num_models(self) -> int:
        """Models that branches of guidance may name, the main one counted: those loaded, or those that are coming."""
        if self.host.status.state == "ready":
            return len(self.host.engine.fleet.models)
        return 1 + sum(map(bool, (self.settings.second_model, self.settings.third_model)))

    @property
    def model_name(self) -> str:
        if self.host.status.state == "ready":
            return self.host.engine.model.name
        return "the model is loading"

    def status(self) -> dict[str, Any]:
        """How far the model is, and how many people generate."""
        status = self.host.status
        answer: dict[str, Any] = {"state": status.state, "fraction": status.fraction, "message": status.message}
        if status.state == "ready":
            model = self.host.engine.model
            answer |= {
                "model": model.name,
                "note": model.note,
                "chat": model.chat is not None,
                **self.host.engine.status(),
            }
        return answer

    async def next(self, session: Session, body: Any) -> dict[str, Any]:
        """Run the model on a prompt and draw the distribution after it."""
        body = asks.mapping(body)
        prompt, knobs, seed = asks.prompt(body, self.settings.max_prompt_chars), asks.knobs(body), asks.seed(body)
        engine = self.host.engine
        encoded = await self.inspector.on_worker(lambda: prompts.encode(prompt, engine.fleet.models, knobs.recipe))
        place = await self.inspector.next(encoded, session.token)
        session.add_place(place)
        view = await self._picture(place, knobs, seed, body)
        return {
            **view,
            "prompt_tokens": prompt_tokens(place, engine.model.backend.vocabulary),
            "rendered": encoded.rendered,
        }

    async def trace(self, session: Session, body: Any) -> dict[str, Any]:
        """Redraw a place under other knobs; ``{"missing": true}`` where rows must be refilled first (``refill``)."""
        body = asks.mapping(body)
        place, knobs, seed = session.place(asks.text(body, "key")), asks.knobs(body), asks.seed(body)
        try:
            return await self._picture(place, knobs, seed, body)
        except RowsMissing:
            if not asks.flag(body, "refill"):
                return {"missing": True, "key": place.key}
        await self.inspector.refill(place, knobs.recipe, session.token)
        return await self._picture(place, knobs, seed, body)

    async def engines(self, session: Session, body: Any) -> dict[str, Any]:
        """A place under the same knobs as each engine would run them; ``{"missing": true}`` as in ``trace``."""
        body = asks.mapping(body)
        place, knobs, seed = session.place(asks.text(body, "key")), asks.knobs(body), asks.seed(body)
        try:
            return dict(await self.inspector.study(place, knobs, seed, engines_view))
        except RowsMissing:
            if not asks.flag(body, "refill"):
                return {"missing": True, "key": place.key}
        await self.inspector.refill(place, knobs.recipe, session.token)
        return dict(await self.inspector.study(place, knobs, seed, engines_view))

    async def step(self, session: Session, key: str) -> dict[str, Any]:
        """A place as it stands: the model's own distribution, without any stage."""
        place = session.place(key)
        plain = Knobs(Strip.from_json([]))
        try:
            return dict(await self.inspector.view(place, plain, place.seed or 0))
        except RowsMissing:
            await self.inspector.refill(place, plain.recipe, session.token)
        return dict(await self.inspector.view(place, plain, place.seed or 0))

    async def scale_figure(self, session: Session, body: Any) -> dict[str, Any]:
        """p(token) against the guidance scale, as a figure."""
        body = asks.mapping(body)
        place, knobs, seed = session.place(asks.text(body, "key")), asks.knobs(body), asks.seed(body)
        inspector = self.inspector

        def figure() -> dict[str, Any]:
            # twice the published strength is off for no recipe, so every branch's row is asked for
            rows = inspector.rows(place, knobs.recipe.at(3.0), seed)
            view = scale_view(rows, knobs.recipe, inspector.vocabulary)
            return scale_plot.figure(view)

        try:
            return await inspector.on_worker(figure)
        except RowsMissing:
            await inspector.refill(place, knobs.recipe, session.token)
        return await inspector.on_worker(figure)

    def timeline_figure(self, session: Session, generation_id: str) -> dict[str, Any]:
        return timeline.figure(session.generation(generation_id).tokens)

    async def generate(self, session: Session, body: Any) -> AsyncIterator[dict[str, Any]]:
        """Generate under the page's knobs; yields deltas. Closing it cancels the request."""
        body = asks.mapping(body)
        knobs, seed = asks.knobs(body), asks.seed(body)
        length = asks.whole(body, "max_tokens", 64, 1, self.settings.max_tokens)
        stop, engine = asks.stops(body), self.host.engine
        kept: tuple[Step, ...] = ()
        knobs = await self.inspector.on_worker(lambda: self.inspector.bound(knobs))
        chain = knobs.strip.chain
        if body.get("continue") is not None:
            encoded, seed, kept = await self._continued(session, asks.mapping(body["continue"]), knobs, seed)
        else:
            prompt = asks.prompt(body, self.settings.max_prompt_chars)
            encoded = await self.inspector.on_worker(lambda: prompts.encode(prompt, engine.fleet.models, knobs.recipe))
        request = Request(
            encoded.prompt_ids,
            chain,
            length,
            seed,
            knobs.recipe.guidance,
            tuple(other.branch for other in encoded.others),
            stop=stop,
            session=session.token,
            continued_ids=tuple(step.token_id for step in kept),
            search=asks.search(body),
            memory=kept[-1].memory_after if kept else None,
        )
        for earlier in session.generations.values():
            if not earlier.done:
                engine.cancel(earlier.id)
        stream = engine.submit(request)
        generation = Generation(stream.id, request, encoded)
        for step in kept:
            generation.add(step, engine.model.backend.vocabulary)
        generation.base = min(len(kept), session.place_index(body["continue"]["key"])) if kept else 0
        session.add_generation(generation)
        async for delta in deltas(engine, generation, stream):
            yield delta

    async def replay(self, session: Session, body: Any) -> dict[str, Any]:
        """The first token of a text that its own darts would no longer draw under other knobs."""
        body = asks.mapping(body)
        generation = session.generation(asks.text(body, "generation"))
        return dict(await replay(self.inspector, generation, asks.knobs(body), session.token))

    async def _continued(
        self, session: Session, start: Any, knobs: Knobs, seed: int
    ) -> tuple[EncodedPrompt, int, tuple[Step, ...]]:
        """What stands before a place, and the token forced there where one is: where a text goes on from."""
        key = asks.text(start, "key")
        place, kept = session.place(key), session.steps_before(key)
        if place.texts is None:
            raise PlaygroundError("A text goes on only behind its prompt; to change the prompt, type it.")
        seed = seed if place.seed is None else place.seed
        if place.recall:
            kept = tuple(handed_over(step, place.recall.chain, knobs.strip.chain) for step in kept)
        if start.get("forced") is not None:
            token = asks.whole(start, "forced", 0, 0, self.inspector.vocabulary.size - 1)
            # Only a memory asks what guidance made of the row; else the prompt's own is enough.
            recipe = knobs.recipe if knobs.strip.chain.stateful else knobs.recipe.at(1.0)
            if self.inspector.missing(place) or not recipe.is_off:
                await self.inspector.refill(place, knobs.recipe, session.token)
            rows = await self.inspector.on_worker(lambda: self.inspector.rows(place, recipe, seed))
            kept = (*kept, forced_step(place, token, rows, replace(knobs, recipe=recipe)))
        others = await self.inspector.on_worker(lambda: self.inspector.others(place, knobs.recipe))
        return EncodedPrompt(place.texts, place.prompt_ids, others), seed, kept

    @cached_property
    def control(self) -> ControlDesk:
        """The control section's questions."""
        return ControlDesk(self.settings, self.host, self.inspector, self.tuning.runs, self.classifiers)

    @cached_property
    def take_away(self) -> TakeAwayDesk:
        """Settings out to an engine, and back in."""
        return TakeAwayDesk(self.settings, self.host, self.inspector)

    def forget(self, session: Session) -> None:
        """End a session's work and drop its rows."""
        session.leave()
        self.tuning.leave(session.token)
        if self.host.status.state == "ready":
            self.host.engine.cancel_session(session.token)

    def leave(self, gradio_hash: str | None) -> None:
        """A tab closed: end its work."""
        token = self.sessions.untie(gradio_hash)
        self.tuning.leave(token or "")
        if token and self.host.status.state == "ready":
            self.host.engine.cancel_session(token)

    async def _first(self, session: Session) -> dict[str, Any] | None:
        place = self.inspector.first_place()
        if place is None:
            return None
        session.add_place(place)
        if self._opening_view is None:  # the same for every tab but for its key
            opening = Strip.from_json([{"id": name, **stage} for name, stage in OPENING.items()])
            self._opening_view = dict(await self.inspector.view(place, Knobs(opening), 7))
        view = {**self._opening_view, "key": place.key}
        return {"view": view, "prompt_tokens": prompt_tokens(place, self.inspector.first)}

    async def _picture(self, place: Place, knobs: Knobs, seed: int, body: Any) -> dict[str, Any]:
        figures = asks.figures(body)
        view: dict[str, Any] = dict(await self.inspector.view(place, knobs, seed))
        if "rank" in figures:
            view["figures"] = {"rank": rank_plot.figure(view)}  # type: ignore[arg-type]
        return view
