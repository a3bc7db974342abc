"""The Gradio app: the page's components and the few events that must go through Gradio's queue.

Knows nothing about models: every event asks the desk. A drag never comes here; it takes the page's own routes.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from playground.errors import UNFORESEEN, PlaygroundError
from playground.ui.desk import Desk
from playground.ui.endpoints import add_endpoints
from playground.ui.page import build_page
from playground.ui.session import SessionEnded

log = logging.getLogger(__name__)
TITLE = "Decoding Playground"


def build_app(desk: Desk) -> gr.Blocks:
    """The whole page, wired."""

    async def generate(body: dict[str, Any], request: gr.Request) -> AsyncIterator[dict[str, Any]]:
        try:
            session = desk.sessions.get(body.get("session") if isinstance(body, dict) else None)
            desk.sessions.tie(request.session_hash, session)
            with session.at_work():
                async for delta in desk.generate(session, body):
                    yield delta
        except SessionEnded as error:
            yield {**_failed(str(error)), "session_ended": True}
        except PlaygroundError as error:
            yield _failed(str(error))
        except Exception:
            log.exception("unforeseen error while generating")
            yield _failed(UNFORESEEN)

    def leave(request: gr.Request) -> None:
        desk.leave(request.session_hash)

    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as demo:
        page = build_page(desk.settings.max_tokens)
        running = page.generate.click(
            generate,
            [page.request],
            [page.stream],
            js="() => [window.PG.request()]",
            show_progress="hidden",
            api_name="page_generate",
            api_visibility="private",
            concurrency_id="engine",
            concurrency_limit=desk.settings.max_queue,
            trigger_mode="multiple",  # a second press replaces the text that is being written
        )
        page.stop.click(
            None, None, None, cancels=[running], api_visibility="private", js="() => { window.PG.stopped(); }"
        )
        add_endpoints(desk)
        demo.unload(leave)
    demo.queue(max_size=desk.settings.max_queue, default_concurrency_limit=desk.settings.max_queue)
    return demo


def _failed(error: str) -> dict[str, Any]:
    """The only delta of a generation that never started."""
    return {"generation": "none", "at": 0, "tokens": [], "done": True, "status": "", "error": error}
