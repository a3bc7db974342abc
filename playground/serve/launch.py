"""Launch: Gradio's server with the page's own routes, scripts and guard around it.

Knows nothing about models or sampling.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from playground.charts.base import library_path
from playground.serve.guard import Guard
from playground.serve.routes import routes
from playground.settings import Settings
from playground.ui.app import build_app
from playground.ui.desk import Desk
from playground.ui.theme import theme

ASSETS = Path(__file__).parents[2] / "assets"
HEAD = """
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="pg/assets/css/modules.css">
<link rel="stylesheet" href="pg/assets/css/page.css">
<link rel="stylesheet" href="pg/assets/css/search.css">
<link rel="stylesheet" href="pg/assets/css/take-away.css">
<link rel="stylesheet" href="pg/assets/css/control.css">
<link rel="stylesheet" href="pg/assets/css/tuning.css">
<script>document.documentElement.classList.add("pg-js")</script>
<script type="module" src="pg/assets/js/main.js"></script>
"""


def launch(desk: Desk, settings: Settings, close: Callable[[], None], block: bool = True) -> gr.Blocks:
    """Serve until interrupted (``block``), or return the running app. ``close`` runs at the end."""
    demo = build_app(desk)

    async def plotly(request: Request) -> FileResponse:
        return FileResponse(library_path(), media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    own: list[Any] = [
        *routes(desk),
        Route("/pg/vendor/plotly.min.js", plotly),
        Mount("/pg/assets", StaticFiles(directory=ASSETS)),
    ]
    if block:
        # The server runs in a thread of its own: a plain SIGTERM would end the process without closing the engine.
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        demo.launch(
            server_name=settings.host,
            server_port=settings.port or None,
            share=False,
            ssr_mode=False,
            quiet=True,
            show_error=False,
            run_history=False,
            enable_monitoring=False,
            max_file_size="1kb",
            pwa=False,
            state_session_capacity=settings.max_sessions,
            footer_links=["api"],
            theme=theme(),
            head=HEAD,
            favicon_path=ASSETS / "icons" / "favicon.svg",
            prevent_thread_lock=True,
            app_kwargs={"routes": own, "middleware": [Middleware(Guard)]},
        )
        print(f"Decoding Playground: {demo.local_url}", flush=True)
        if block:
            demo.block_thread()
    except KeyboardInterrupt:  # asked to end before Gradio has finished starting: as good an end as a later one
        if not block:
            raise
    finally:
        if block:
            close()
    return demo


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
