"""A tiny static server: the modules' folder at /, the repository's assets at /assets.

Knows nothing about the app; port 0 is any free one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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


@contextlib.contextmanager
def serve() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
