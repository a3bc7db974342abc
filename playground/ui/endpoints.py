"""The named Gradio endpoints for programs: ``next_token``, ``generate``, ``export_settings``, ``import_settings``.

Knows nothing about the page; a program's session lasts for one call.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from playground.errors import UNFORESEEN, PlaygroundError
from playground.ui.desk import Desk
from playground.ui.session import Session

log = logging.getLogger(__name__)


def add_endpoints(desk: Desk) -> None:
    """Register them in the Blocks context that is open."""

    async def next_token(
        prompt: str,
        negative_prompt: str = "",
        guidance_scale: float = 1.0,
        chain: list[dict[str, Any]] | None = None,
        chat: bool = False,
        system: str = "",
        seed: int = 0,
        guidance: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The next-token distribution after a prompt under a chain, as a view (see playground/studies/views.py).

        chain: [{"sampler": "min_p", "min_p": 0.1}, ...]; empty or missing: the model's own distribution.
        guidance: {"preset": "cad", "scale": 1.5} or branches of one's own, in place of guidance_scale.
        """
        with _call(desk) as session:
            body = _body(prompt, negative_prompt, guidance_scale, chain, chat, system, seed, guidance)
            return await desk.next(session, body)

    async def generate(
        prompt: str,
        negative_prompt: str = "",
        guidance_scale: float = 1.0,
        chain: list[dict[str, Any]] | None = None,
        max_tokens: int = 64,
        seed: int = 0,
        stop: list[str] | None = None,
        chat: bool = False,
        system: str = "",
        search: dict[str, Any] | str | None = None,
        guidance: dict[str, Any] | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Generate text; yields {"text": all so far, "done": false} and closes with "done": true and the "tokens".

        search: "greedy", {"search": "beam", "num_beams": 4, "length_penalty": 1}, {"search": "contrastive", "top_k": 4,
        "alpha": 0.6}; empty or missing: tokens are drawn. A beam search has no text before it is over.
        """
        with _call(desk) as session:
            body = _body(prompt, negative_prompt, guidance_scale, chain, chat, system, seed, guidance)
            body |= {"max_tokens": max_tokens, "stop": stop, "search": search}
            async for delta in desk.generate(session, body):
                generation = session.generation(delta["generation"])
                yield {
                    "text": "".join(token["text"] for token in generation.tokens),
                    "tokens": generation.tokens if delta["done"] else [],  # else the answer grows with its square
                    "done": delta["done"],
                    "error": delta["error"],
                }

    gr.api(next_token, api_name="next_token", concurrency_id="engine")
    gr.api(generate, api_name="generate", concurrency_id="engine")
    _add_settings(desk)


def _add_settings(desk: Desk) -> None:
    """The two about engines' own settings; neither asks the model."""

    async def export_settings(
        target: str,
        chain: list[dict[str, Any]] | None = None,
        guidance: dict[str, Any] | None = None,
        prompt: str = "",
        negative_prompt: str = "",
        max_tokens: int = 64,
        seed: int = 0,
    ) -> dict[str, Any]:
        """A chain as an engine's own settings: "text", and in words what the engine cannot say ("losses").

        target: transformers, vllm, openai, llama_server, llama_cli, ollama, koboldcpp, text_generation_webui, ...
        """
        with _call(desk) as session:
            body = _body(prompt, negative_prompt, 1.0, chain, False, "", seed, guidance)
            return await desk.take_away.export(session, {**body, "target": target, "max_tokens": max_tokens})

    async def import_settings(text: str, assume: bool = False) -> dict[str, Any]:
        """Settings of any of these engines as the page would take them: "state", "words", and what is "ignored".

        assume: with what the engine does where the text says nothing. Nothing in the text is ever run.
        """
        with _call(desk) as session:
            return await desk.take_away.read(session, {"text": text, "assume": assume})

    gr.api(export_settings, api_name="export_settings")
    gr.api(import_settings, api_name="import_settings")


@contextmanager
def _call(desk: Desk) -> Iterator[Session]:
    """A session for one call, gone with its rows when the call ends; no tab loses its place to it."""
    session = Session()
    try:
        yield session
    except PlaygroundError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception:
        log.exception("unforeseen error in an endpoint")
        raise gr.Error(UNFORESEEN, print_exception=False) from None
    finally:
        desk.forget(session)


def _body(
    prompt: Any, negative: Any, scale: Any, chain: Any, chat: Any, system: Any, seed: Any, guidance: Any
) -> dict[str, Any]:
    """The call as the desk's JSON. A guidance has a scale of its own; the other one would override a preset's."""
    said = {"scale": scale} if guidance is None else {"guidance": guidance}
    return {
        "prompt": prompt,
        "negative": negative,
        **said,
        "chain": chain,
        "chat": chat,
        "system": system,
        "seed": seed,
    }
