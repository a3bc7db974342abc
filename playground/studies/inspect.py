"""Inspect: a place in a text, the rows stored for it, and how to get them back when they have left the store.

Knows nothing about pages or HTTP. A place is a value: with the model it is enough to recompute everything.
"""

from __future__ import annotations

import asyncio
import codecs
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch

from playground.engine import Engine, EngineHost, OtherBranch, Reading, Span, Texts, branch_key, other_branches
from playground.errors import PlaygroundError
from playground.models import Vocabulary
from playground.sampling import Recipe
from playground.studies.first_view import PROMPT, FirstView
from playground.studies.pipeline import pipeline_view
from playground.studies.prompts import EncodedPrompt
from playground.studies.recall import Recall
from playground.studies.rows import BaseRow, BranchRow, Knobs, StepRows
from playground.studies.views import PipelineView, TokenView

T = TypeVar("T")
NUM_TITLE_TOKENS = 6
NUM_BASES = 64
FIRST_PROMPT = "first-prompt"


@dataclass(frozen=True)
class Place:
    """Where a distribution stands: after ``prompt_ids`` and the tokens generated so far."""

    key: str
    prompt_ids: tuple[int, ...]
    row_key: str
    texts: Texts | None = None
    """What the branches of guidance are made from; None: this place has none but the prompt."""
    generated: tuple[int, ...] = ()
    seed: int | None = None
    """None: the page's own seed (nothing was generated here yet)."""
    chosen: int | None = None
    at_end: bool = True
    recall: Recall | None = None
    """What the stages of the chain that wrote this text remembered here."""
    dart: float | None = None
    """Of a searched text; None: the seed's own."""
    found_by: str = ""
    """The search that wrote the text here; empty: it was drawn."""

    @property
    def history(self) -> tuple[int, ...]:
        return self.prompt_ids + self.generated

    def key_of(self, other: OtherBranch) -> str:
        """Names another branch's row here, whichever recipe asks for it."""
        return branch_key(self.row_key, other.branch)


class RowsMissing(PlaygroundError):
    """The rows of a place are not stored (any more). People see its text only where a refill was lost at once."""

    def __init__(self) -> None:
        super().__init__("The stored numbers of this step have just made room for others; try again.", status=503)


@dataclass
class Inspector:
    """Reads places: rows from the store, views from rows. One worker thread does all chart maths."""

    host: EngineHost
    first: FirstView | None
    worker: Executor
    _bases: OrderedDict[str, BaseRow] = field(default_factory=OrderedDict)
    _others: OrderedDict[Any, tuple[OtherBranch, ...]] = field(default_factory=OrderedDict)

    @property
    def vocabulary(self) -> Vocabulary | FirstView:
        """The model's, or before it is there the first view's labels."""
        if self.host.status.state == "ready" or self.first is None:
            return self.host.engine.model.backend.vocabulary
        return self.first

    async def next(self, encoded: EncodedPrompt, session: str) -> Place:
        """Run the model once on every branch of a prompt; the place after its last token."""
        key = secrets.token_hex(16)
        place = Place(key, encoded.prompt_ids, f"{key}:prompt", encoded.texts)
        await self._read(place, encoded.others, session)
        return place

    def first_place(self) -> Place | None:
        """The precomputed first view as a place of its own, under a key nobody else has."""
        if self.first is None:
            return None
        ids = self.first.prompt_ids
        return Place(secrets.token_hex(16), ids, FIRST_PROMPT, Texts(PROMPT))

    def others(self, place: Place, recipe: Recipe) -> tuple[OtherBranch, ...]:
        """The branches after the prompt that a recipe has at a place (worker thread: texts become tokens here)."""
        if place.texts is None:
            return ()
        key = (place.texts, place.prompt_ids, recipe.contexts, recipe.name)
        if key not in self._others:
            self._others[key] = self._told(place.texts, place.prompt_ids, recipe)
            while len(self._others) > NUM_BASES:
                self._others.popitem(last=False)
        self._others.move_to_end(key)
        return self._others[key]

    def _told(self, texts: Texts, prompt_ids: tuple[int, ...], recipe: Recipe) -> tuple[OtherBranch, ...]:
        is_first = self.first is not None and (texts, recipe.contexts) == (Texts(PROMPT), Recipe().contexts)
        if self.first is not None and is_first and self.host.status.state != "ready":
            return (self.first.other,)
        return other_branches(self.host.engine.fleet.models, texts, prompt_ids, recipe)

    async def refill(self, place: Place, recipe: Recipe, session: str) -> None:
        """One teacher-forced pass that stores the rows of a place that are not there."""
        await self._read(place, await self.on_worker(lambda: self.others(place, recipe)), session)

    async def _read(self, place: Place, others: Sequence[OtherBranch], session: str) -> None:
        spans = [Span(place.history, len(place.history) - 1, (place.row_key,))] if self.missing(place) else []
        for other in others:
            if self._row(place.key_of(other)) is None:
                text = other.branch.token_ids + place.generated
                spans.append(Span(text, len(text) - 1, (place.key_of(other),), other.branch.model, other.branch.layers))
        if spans:
            await run(self.host.engine, Reading(tuple(spans), session=session))

    async def view(self, place: Place, knobs: Knobs, seed: int) -> PipelineView:
        """The picture of a place under some knobs. Raises RowsMissing; never calls the model."""
        return await self.study(place, knobs, seed, pipeline_view)

    async def study(self, place: Place, knobs: Knobs, seed: int, make: Callable[[StepRows, Knobs, Any], T]) -> T:
        """What ``make(rows, knobs, vocabulary)`` finds in a place's stored rows. Raises RowsMissing; no model call."""
        return await self.on_worker(lambda: self._study(place, knobs, seed, make))

    async def on_worker(self, work: Callable[[], T]) -> T:
        """Run chart maths on the one thread that does it."""
        return await asyncio.get_running_loop().run_in_executor(self.worker, work)

    def rows(self, place: Place, recipe: Recipe, seed: int) -> StepRows:
        """The stored rows of a place (worker thread). A recipe that is not off needs those of every branch."""
        prompt = self._row(place.row_key)
        found = [(other, self._row(place.key_of(other))) for other in self._wanted(place, recipe)]
        others = tuple(BranchRow(row, other) for other, row in found if row is not None)
        if prompt is None or (len(others) < len(found) and not recipe.is_off):
            raise RowsMissing()
        vocabulary = self.vocabulary
        title = "".join(vocabulary.label(token) for token in place.history[-NUM_TITLE_TOKENS:])
        if len(place.history) > NUM_TITLE_TOKENS:
            title = "…" + title
        engine = self.host.engine if self.host.status.state == "ready" else None
        return StepRows(
            place.key,
            prompt,
            others if len(others) == len(found) else (),
            torch.tensor(place.history),
            len(place.prompt_ids),
            len(place.generated),
            title.replace("␣", " "),
            seed if place.seed is None else place.seed,
            place.at_end,
            bool(engine and place.generated and engine.store.is_recomputed(place.row_key)),
            place.chosen,
            engine.guidance_cost_ms if engine else None,
            place.recall,
            self._base(place.row_key, prompt),
            place.dart,
            place.found_by,
        )

    def missing(self, place: Place) -> bool:
        """Whether the prompt's row of a place has left the store."""
        return self._row(place.row_key) is None

    def _study(self, place: Place, knobs: Knobs, seed: int, make: Callable[[StepRows, Knobs, Any], T]) -> T:
        if place.texts is None:
            knobs = replace(knobs, recipe=knobs.recipe.at(1.0))
        return make(self.rows(place, knobs.recipe, seed), self.bound(knobs), self.vocabulary)

    def bound(self, knobs: Knobs) -> Knobs:
        """The same knobs with the chain's texts resolved to the model's tokens (worker thread; quick but once)."""
        chain = knobs.strip.chain.bind(self.vocabulary)
        return knobs if chain is knobs.strip.chain else replace(knobs, strip=replace(knobs.strip, chain=chain))

    def _wanted(self, place: Place, recipe: Recipe) -> tuple[OtherBranch, ...]:
        """The recipe's branches; where it is off and a branch cannot be had, the picture stands without them."""
        try:
            return self.others(place, recipe)
        except PlaygroundError:
            if recipe.is_off:
                return ()
            raise

    def _row(self, key: str) -> torch.Tensor | None:
        if self.first is not None and key.startswith(FIRST_PROMPT):
            if key == FIRST_PROMPT:
                return self.first.prompt
            if key == branch_key(FIRST_PROMPT, self.first.other.branch):
                return self.first.negative
        return self.host.engine.store.get(key)

    def _base(self, key: str, row: torch.Tensor) -> BaseRow:
        """What a row decides by itself, its rank order included: once a step, not once a drag."""
        if key not in self._bases:
            self._bases[key] = BaseRow.of(row)
            while len(self._bases) > NUM_BASES:
                self._bases.popitem(last=False)
        self._bases.move_to_end(key)
        return self._bases[key]


async def run(engine: Engine, work: Any) -> None:
    """Submit a reading and wait for its end; its failure becomes a PlaygroundError."""
    stream = engine.submit(work)
    try:
        async for _ in stream:
            pass
    finally:
        stream.cancel()
    done = stream.done
    if done is not None and done.reason == "error":
        raise PlaygroundError(done.message, status=503)


def prompt_tokens(place: Place, vocabulary: Any) -> list[TokenView]:
    """The prompt's tokens as the text panel shows them; each opens the distribution it was chosen from."""
    texts = token_texts([vocabulary.piece(token) for token in place.prompt_ids])
    return [
        TokenView(
            index=index,
            token_id=token,
            text=text,
            label=vocabulary.label(token),
            prompt=True,
            special=not vocabulary.piece(token),
            key=f"{place.key}@{index}" if index else "",
            surprisal_bits=None,
            entropy_bits=None,
            p_raw=None,
            p_final=None,
        )
        for index, (token, text) in enumerate(zip(place.prompt_ids, texts, strict=True))
    ]


def token_texts(pieces: list[bytes]) -> list[str]:
    """The text each token adds; a character split over several tokens goes to the one that completes it.

    Joined they are the whole, decoded at once: bytes that are no character become U+FFFD, as in the engine's text.
    """
    decoder = text_decoder()
    texts = [decoder.decode(piece) for piece in pieces]
    if texts:
        texts[-1] += decoder.decode(b"", True)
    return texts


def text_decoder() -> codecs.IncrementalDecoder:
    """Bytes in, whatever is certain out; what may still become a character waits for the next piece."""
    return codecs.getincrementaldecoder("utf-8")(errors="replace")
