"""From texts to a Request and from a Stream back to text: prompts, negatives and chat templates.

Knows nothing about lanes, threads or logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from playground.engine.contexts import Texts, other_branches, read_prompt
from playground.engine.records import Done, Priority, Request, Step
from playground.engine.stream import Stream
from playground.errors import PlaygroundError
from playground.models.backend import Model
from playground.sampling import Chain, Guidance, Recipe, recipe_from_json
from playground.sampling.search import Search, search_from_json


def request_for(
    model: Model,
    prompt: str,
    *,
    chain: Chain | None = None,
    max_tokens: int = 64,
    seed: int = 0,
    guidance_scale: float = 1.0,
    guidance: Guidance | Recipe | Mapping[str, Any] | str | None = None,
    negative_prompt: str | None = None,
    chat: bool = False,
    system: str | None = None,
    negative_system: str | None = None,
    stop: Sequence[str] | str = (),
    ignore_eos: bool = False,
    priority: Priority = "interactive",
    session: str = "",
    other_models: Sequence[Model] = (),
    search: Search | Mapping[str, Any] | str | None = None,
) -> Request:
    """The request that writes on after ``prompt``, or answers it where ``chat`` is True.

    The negative branch starts from ``negative_prompt``; in a chat from the same conversation with the user text
    (``negative_prompt``) or the system text (``negative_system``) replaced. Neither given: the last prompt token.
    ``guidance`` in place of ``guidance_scale`` says more: a preset's name, its JSON (``presets.recipe_from_json``), a
    Recipe, or a Guidance whose second weight is the negative branch's.
    ``search``: ``"greedy"``, ``{"search": "beam", "num_beams": 4}`` or a Search; None draws with darts.
    """
    if guidance is not None and guidance_scale != 1.0:
        raise PlaygroundError("Give guidance or guidance_scale, not both.")
    texts = Texts(prompt, chat, system, negative_prompt, negative_system if chat else None)
    prompt_ids = read_prompt(model, texts).token_ids
    if isinstance(guidance, Guidance):
        numbers, recipe = guidance, Recipe()
    else:
        recipe = guidance if isinstance(guidance, Recipe) else _recipe(guidance, guidance_scale)
        numbers = recipe.guidance
    is_default = recipe.contexts == Recipe().contexts and negative_prompt is None and texts.negative_system is None
    others = () if is_default or not prompt_ids else other_branches((model, *other_models), texts, prompt_ids, recipe)
    return Request(
        prompt_ids=prompt_ids,
        chain=Chain() if chain is None else chain,
        max_tokens=max_tokens,
        seed=seed,
        guidance=numbers,
        others=tuple(other.branch for other in others),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        ignore_eos=ignore_eos,
        priority=priority,
        session=session,
        search=search if isinstance(search, Search) else search_from_json(search),
    )


def _recipe(guidance: Mapping[str, Any] | str | None, scale: float) -> Recipe:
    return Recipe(scale=scale) if guidance is None else recipe_from_json(guidance)


def text_ids(model: Model, text: str) -> tuple[int, ...]:
    """A plain text as the tokenizer's defaults give it."""
    return read_prompt(model, Texts(text)).token_ids


def chat_ids(model: Model, user: str, system: str | None = None) -> tuple[int, ...]:
    """One user message, after a system text if there is one, through the model's own template."""
    return read_prompt(model, Texts(user, chat=True, system=system)).token_ids


def steps(stream: Stream) -> Iterator[Step]:
    """The Steps alone; a stream that failed raises, one that nobody reads any more is cancelled."""
    try:
        for item in stream:
            if isinstance(item, Done):
                expect_good(item)
            elif isinstance(item, Step):
                yield item
    finally:
        stream.cancel()


def first_step(stream: Stream) -> Step:
    """The first Step, waited for."""
    return next(steps(stream))


def expect_good(done: Done) -> None:
    """Raise where the stream did not end well."""
    if done.reason == "error":
        raise PlaygroundError(done.message, status=500)
    if done.reason == "cancelled":
        raise PlaygroundError(done.message or "The request was cancelled.", status=409)
