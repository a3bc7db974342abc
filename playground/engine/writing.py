"""From texts to a Request and from a Stream back to text: prompts, negatives and chat templates.

Knows nothing about lanes, threads or logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from playground.engine.records import Branch, Done, Priority, Request, Step
from playground.engine.stream import Stream
from playground.errors import PlaygroundError
from playground.models.backend import Message, Model
from playground.sampling import Chain, Guidance, cfg


def request_for(
    model: Model,
    prompt: str,
    *,
    chain: Chain | None = None,
    max_tokens: int = 64,
    seed: int = 0,
    guidance_scale: float = 1.0,
    guidance: Guidance | None = None,
    negative_prompt: str | None = None,
    chat: bool = False,
    system: str | None = None,
    negative_system: str | None = None,
    stop: Sequence[str] | str = (),
    ignore_eos: bool = False,
    priority: Priority = "interactive",
    session: str = "",
) -> Request:
    """The request that writes on after ``prompt``, or answers it where ``chat`` is True.

    The negative branch starts from ``negative_prompt``; in a chat from the same conversation with the user text
    (``negative_prompt``) or the system text (``negative_system``) replaced. Neither given: the last prompt token.
    ``guidance`` in place of ``guidance_scale`` says more: a mask, a gate, a schedule.
    """
    if guidance is not None and guidance_scale != 1.0:
        raise PlaygroundError("Give guidance or guidance_scale, not both.")
    if chat:
        prompt_ids = chat_ids(model, prompt, system)
        negative_ids = _negative_chat_ids(model, prompt, system, negative_prompt, negative_system)
    else:
        prompt_ids = text_ids(model, prompt)
        negative_ids = None if negative_prompt is None else text_ids(model, negative_prompt)
    return Request(
        prompt_ids=prompt_ids,
        chain=Chain() if chain is None else chain,
        max_tokens=max_tokens,
        seed=seed,
        guidance=cfg(guidance_scale) if guidance is None else guidance,
        others=() if negative_ids is None else (Branch(negative_ids),),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        ignore_eos=ignore_eos,
        priority=priority,
        session=session,
    )


def text_ids(model: Model, text: str) -> tuple[int, ...]:
    """A plain text as the tokenizer's defaults give it."""
    return tuple(model.backend.vocabulary.encode(text))


def chat_ids(model: Model, user: str, system: str | None = None) -> tuple[int, ...]:
    """One user message, after a system text if there is one, through the model's own template."""
    if model.chat is None:
        raise PlaygroundError("This model has no chat template. Use completion mode, or a chat model.")
    turns = [] if system is None else [Message("system", system)]
    return tuple(model.chat.encode([*turns, Message("user", user)]))


def _negative_chat_ids(
    model: Model, user: str, system: str | None, negative_user: str | None, negative_system: str | None
) -> tuple[int, ...] | None:
    if negative_user is None and negative_system is None:
        return None
    return chat_ids(
        model,
        user if negative_user is None else negative_user,
        system if negative_system is None else negative_system,
    )


def steps(stream: Stream) -> Iterator[Step]:
    """The Steps alone; a stream that failed raises, one that nobody reads any more is cancelled."""
    try:
        for item in stream:
            if isinstance(item, Done):
                expect_good(item)
            else:
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
