"""Generate: a stream of steps as a growing text, told to the page in batched deltas with sequence numbers.

Knows nothing about pages or HTTP. The record keeps token ids and scalars; rows stay in the engine's store.
"""

from __future__ import annotations

import asyncio
import codecs
import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from playground.engine import Done, Engine, Item, Progress, Request, Step, Stream
from playground.errors import PlaygroundError
from playground.models import Vocabulary
from playground.sampling import draw
from playground.studies.found import FoundView, found_view
from playground.studies.inspect import Place, text_decoder
from playground.studies.pipeline import guided_scores
from playground.studies.prompts import EncodedPrompt
from playground.studies.recall import Recall, state_at
from playground.studies.rows import Knobs, StepRows
from playground.studies.views import TokenView

INTERVAL_S, OVERLAP, FOUND_OVERLAP = 0.05, 8, 2
WAKE_S = 1.0
"""A waiting stream still says something this often: the place in the queue moves, and Gradio notices a closed tab only
when it is handed a value."""


@dataclass
class Generation:
    """One text being written: the request, its steps so far, and what the page shows of them."""

    id: str
    request: Request
    encoded: EncodedPrompt
    steps: list[Step] = field(default_factory=list)
    tokens: list[TokenView] = field(default_factory=list)
    done: bool = False
    base: int = 0
    """So many tokens were taken over from an earlier text; the page keeps them."""
    found: list[FoundView] = field(default_factory=list)
    """What a search looked at, step by step; a beam search is ahead of its text."""
    _decoder: codecs.IncrementalDecoder = field(default_factory=text_decoder)

    def look(self, item: Progress | Step, vocabulary: Vocabulary) -> None:
        """Note what a search looked at, where it says so."""
        view = found_view(item, vocabulary)
        if view is not None:
            self.found.append(view)

    def add(self, step: Step, vocabulary: Vocabulary) -> None:
        """Append one step; its text is what it completes, so that the pieces join to the text."""
        self.look(step, vocabulary)
        text = self._decoder.decode(vocabulary.piece(step.token_id))
        self.steps.append(step)
        self.tokens.append(
            TokenView(
                index=step.index,
                token_id=step.token_id,
                text=text,
                label=vocabulary.label(step.token_id),
                prompt=False,
                special=not vocabulary.piece(step.token_id),
                key=f"{self.id}.{step.index}",
                surprisal_bits=step.surprisal_bits,
                entropy_bits=step.entropy_bits,
                p_raw=2.0**-step.surprisal_bits,
                p_final=math.exp(step.logprob_final),
            )
        )

    def place(self, index: int) -> Place:
        """The place before token ``index``; ``len(steps)`` is the end. PlaygroundError (404) beyond it."""
        if not 0 <= index <= len(self.steps):
            raise PlaygroundError(f"This text has no step {index}.", status=404)
        chosen = self.steps[index].token_id if index < len(self.steps) else None
        row_key = self.steps[index].row_key if index < len(self.steps) else f"{self.id}-end-{index}"
        return Place(
            f"{self.id}.{index}",
            self.request.prompt_ids,
            row_key,
            self.encoded.texts,
            tuple(step.token_id for step in self.steps[:index]),
            self.request.seed,
            chosen,
            at_end=chosen is None,
            recall=Recall(self.request.chain, self._memory(index)),
            dart=self._dart(index),
            found_by=self.request.search.title if self.request.search else "",
        )

    def _dart(self, index: int) -> float | None:
        """Where the token of a searched text stands on its ruler; greedy's dart flies at 0 behind the end as well."""
        if self.request.search is None:
            return None
        if index < len(self.steps):
            return self.steps[index].uniform
        return None if self.request.looks_ahead else self.request.dart(0, index)

    def _memory(self, index: int) -> tuple[Any, ...]:
        """What the chain's stages remembered before token ``index``."""
        if index < len(self.steps):
            return self.steps[index].memory
        if self.steps:
            return self.steps[-1].memory_after
        return self.request.chain.start() if self.request.memory is None else self.request.memory

    def delta(self, start: int, status: str = "", error: str = "", found_from: int = 0) -> dict[str, Any]:
        """Tokens from ``start`` on, with their place, so that a lost message shows as a gap; likewise what was found,
        from ``found_from`` on."""
        return {
            "generation": self.id,
            "at": start,
            "tokens": self.tokens[start:],
            "done": self.done,
            "base": self.base,
            "status": status,
            "error": error,
            "search": self.request.search.name if self.request.search else "",
            "found": self.found[found_from:],
            "view_key": f"{self.id}.{len(self.steps)}" if self.done else "",
        }


def forced_step(place: Place, token_id: int, rows: StepRows, knobs: Knobs) -> Step:
    """A token that a person chose instead of the dart, as a step: its figures are the model's own, and the stages of
    the chain remember it as if it had been drawn."""
    assert rows.base is not None
    chain = knobs.strip.chain
    memory, coins = state_at(place.recall, chain), chain.coins(rows.seed, 0, rows.step)
    scores = guided_scores(rows, knobs)
    after = chain.observe(memory, scores, token_id, rows.token_ids, rows.prompt_length, coins)
    p = max(float(rows.base.probs[token_id]), 1e-300)
    entropy = rows.base.view["entropy_bits"]
    return Step(
        index=rows.step,
        sample=0,
        token_id=token_id,
        text="",
        logprob_base=math.log(p),
        logprob_final=-math.inf,
        entropy_bits=entropy,
        base_entropy_bits=entropy,
        surprisal_bits=-math.log2(p),
        uniform=draw.uniform(rows.seed, 0, rows.step, draw.Purpose.DRAW),
        row_key=place.row_key,
        memory=memory,
        memory_after=after,
        coins=coins,
    )


async def deltas(engine: Engine, generation: Generation, stream: Stream) -> AsyncIterator[dict[str, Any]]:
    """The stream as at most 20 deltas a second, each overlapping the last; closing it cancels the request."""
    vocabulary = engine.model.backend.vocabulary
    first = generation.base
    sent, looked, last_s, started_s = first, 0, 0.0, 0.0

    def delta(status: str, error: str = "") -> dict[str, Any]:
        """What is new, and a little of what was told before."""
        return generation.delta(max(first, sent - OVERLAP), status, error, max(0, looked - FOUND_OVERLAP))

    try:
        if stream.position:
            yield generation.delta(first, status=f"place {stream.position} in the queue")
        async for item in _items(stream):
            if item is None:
                yield delta(_waiting(generation, stream, started_s))
                continue
            if isinstance(item, Step):
                generation.add(item, vocabulary)
            elif not isinstance(item, Done):
                generation.look(item, vocabulary)
            started_s = started_s or time.perf_counter()
            if time.perf_counter() - last_s >= INTERVAL_S:
                last_s = time.perf_counter()
                yield delta(_pace(generation, started_s))
                sent, looked = len(generation.tokens), len(generation.found)
        generation.done = True
        done = stream.done
        error = done.message if done and done.reason == "error" else ""
        reason = {
            "eos": "ended by itself",
            "length": "length reached",
            "stop": "stop string",
            "cancelled": "stopped",
            "error": "failed",
        }.get(done.reason if done else "", "")
        yield delta(f"{_pace(generation, started_s)} · {reason}", error)
    finally:
        generation.done = True
        stream.cancel()


async def _items(stream: Stream) -> AsyncIterator[Item | None]:
    """The stream's items, and None after each WAKE_S without one."""
    items = aiter(stream)

    async def following() -> Item | None:
        return await anext(items, None)

    coming = asyncio.ensure_future(following())
    try:
        while True:
            await asyncio.wait({coming}, timeout=WAKE_S)
            if not coming.done():
                yield None
                continue
            item = coming.result()
            if item is None:
                return
            yield item
            coming = asyncio.ensure_future(following())
    finally:
        coming.cancel()


def _waiting(generation: Generation, stream: Stream, started_s: float) -> str:
    if stream.position:
        return f"place {stream.position} in the queue"
    return _pace(generation, started_s) if generation.tokens or generation.found else "reading the prompt"


def _pace(generation: Generation, started_s: float) -> str:
    elapsed = time.perf_counter() - started_s
    count = len(generation.tokens)
    if not count and generation.found:
        return (
            f"{len(generation.found)} steps of {generation.request.search.title.lower()}"
            if generation.request.search
            else ""
        )
    if not started_s or elapsed <= 0 or count < 2:
        return f"{count} token" + ("" if count == 1 else "s")
    return f"{count} tokens · {(count - 1) / elapsed:.0f} a second"
