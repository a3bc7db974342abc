"""A server of the real program for the browser tests: started once on a free port, ended at the end.

Knows nothing about the page.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(*options: str, ready_s: float = 240.0) -> Iterator[str]:
    """``python app.py`` with options; yields its address once the model answers."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + ready_s
        while (state := (status(url) or {}).get("state")) != "ready":
            if server.poll() is not None or state == "failed" or time.monotonic() > end:
                server.terminate()
                raise RuntimeError(f"the server did not become ready: {server.communicate(timeout=20)[0][-2000:]}")
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def status(url: str) -> dict[str, Any] | None:
    """The status route, or None while nothing listens."""
    try:
        with urllib.request.urlopen(f"{url}/pg/v1/status", timeout=5) as answer:
            return json.load(answer)  # type: ignore[no-any-return]
    except OSError:
        return None
