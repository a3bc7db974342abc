"""A tiny static server (this folder at /, the repository's assets at /assets) and a page with every module drawn.

Knows nothing about the app.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ASSETS = HERE.parents[2] / "assets"


class Files(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        plain = path.split("?")[0].split("#")[0].lstrip("/")
        root, rest = (ASSETS, plain.removeprefix("assets/")) if plain.startswith("assets/") else (HERE, plain)
        wanted = (root / rest).resolve()
        return str(wanted if wanted.is_relative_to(root) else root / "missing")

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def gallery(browser: Any, site: str) -> Iterator[Callable[..., Any]]:
    """gallery(view, width, **context options) -> a page; errors, dialogs and foreign requests fail the test."""
    contexts, problems = [], []

    def open_page(view: str = "dragon", width: int = 1400, query: str = "", **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith((site, "data:")) or problems.append(request.url))
        page.goto(f"{site}/harness.html?view={view}&{query}")
        page.wait_for_selector("body[data-drawn]", timeout=15_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def views() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (HERE / "views").glob("*.json")}
