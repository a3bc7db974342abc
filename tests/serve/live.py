"""A live server of the toy model in a process of its own, and the few calls that tests make of it.

Other folders' tests may use it: ``with running_server() as live: ...``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from playground.models.toy import END

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120.0


@dataclass(frozen=True)
class Live:
    """A running server. ``http`` is one connection pool without redirects or environment proxies."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client

    def open(self) -> str:
        """A new tab's session."""
        return self.post("session", {}).json()["session"]

    def post(self, route: str, body: Any = None, session: str | None = None, **more: Any) -> httpx.Response:
        """POST JSON (or raw ``content``) to one of the page's own routes."""
        content = more.pop("content", None)
        content = json.dumps(body).encode() if content is None else content
        headers = {"Content-Type": "application/json", **_session(session), **more.pop("headers", {})}
        return self.http.post(f"/pg/v1/{route}", content=content, headers=headers, **more)

    def get(self, route: str, session: str | None = None, **more: Any) -> httpx.Response:
        return self.http.get(f"/pg/v1/{route}", headers={**_session(session), **more.pop("headers", {})}, **more)

    def status(self) -> dict[str, Any]:
        return self.get("status").json()

    def wait_until(self, **wanted: Any) -> dict[str, Any]:
        """The status as soon as its figures are as wanted; fails after 10 s."""
        deadline = time.monotonic() + 10
        while True:
            status = self.status()
            if all(status[name] == value for name, value in wanted.items()):
                return status
            assert time.monotonic() < deadline, (wanted, status)
            time.sleep(0.05)

    def call(
        self, name: str, data: list[Any], raw: bytes | None = None, connection: str | None = None
    ) -> list[tuple[str, Any]]:
        """All events of a Gradio endpoint called by hand, private ones included: [("complete", [value]), ...].

        ``raw`` is a body of nothing but "data". Calls go under one connection name a thread, as a page's or a client's
        do: Gradio needs 30 ms to make what belongs to a new one, and a call itself 5.
        """
        connection = connection or f"thread-{threading.get_ident()}"
        content = json.dumps({"data": data}).encode() if raw is None else raw
        content = content[: content.rindex(b"}")] + f', "session_hash": "{connection}"}}'.encode()
        answer = self.http.post(
            f"/gradio_api/call/{name}", content=content, headers={"Content-Type": "application/json"}
        )
        if answer.status_code != 200:
            return [("refused", answer.status_code)]
        stream = self.http.get(f"/gradio_api/call/{name}/{answer.json()['event_id']}").text
        events = [part.split("\n") for part in stream.strip().split("\n\n")]
        return [(lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))) for lines in events]

    def write(self, session: str, **body: Any) -> list[dict[str, Any]]:
        """The deltas of a generation asked for as the page does, through the private event."""
        return [value[0] for kind, value in self.call("page_generate", [{"session": session, **body}]) if value]

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


def _session(session: str | None) -> dict[str, str]:
    return {} if session is None else {"X-PG-Session": session}


@contextmanager
def starting_server(log: Path, *flags: str) -> Iterator[Callable[[], Live]]:
    """Start ``app.py --backend toy`` on a free port and end it afterwards; the yielded call waits until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--backend", "toy", "--port", str(port), *flags],
            cwd=ROOT,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as http:

            def ready() -> Live:
                _wait(http, process, log)
                return Live(url, process, log, http)

            yield ready
    finally:
        process.kill()  # nothing of it is kept, and an orderly end takes seconds
        process.wait(10)


@contextmanager
def running_server(log: Path, *flags: str) -> Iterator[Live]:
    """A server that answers."""
    with starting_server(log, *flags) as ready:
        yield ready()


def _wait(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if http.get("/healthz").json()["state"] == "ready":
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text(errors='replace')[-3000:]}")


NEIGHBOURS_REQUEST: dict[str, Any] = {
    "prompt": "The old sailor",
    "max_tokens": 60,
    "seed": 11,
    "scale": 1.5,
    "strip": [
        {"id": "logit_bias", "bias": {str(END): -100}},
        {"id": "temperature", "temperature": 1.3},
        {"id": "min_p", "min_p": 0.02},
    ],
}
"""Without the toy's end token, so that it is a long one."""


class Neighbour:
    """Somebody else who generates all the while, and whose text must stay what it is when nothing else happens."""

    def __init__(self, live: Live) -> None:
        self._live, self._session = live, live.open()
        self.expected = self._text()
        self.texts: list[str] = []

    def _text(self) -> str:
        last = self._live.write(self._session, **NEIGHBOURS_REQUEST)[-1]
        assert last["done"] and not last["error"], last
        whole = self._live.get(f"generations/{last['generation']}?from=0", self._session).json()
        return "".join(token["text"] for token in whole["tokens"])

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Generates in a thread until the block ends; then every text must have been the undisturbed one."""
        ending, self.texts, failures = threading.Event(), [], list[BaseException]()

        def work() -> None:
            try:
                while True:
                    self.texts.append(self._text())
                    if ending.wait(0.2):
                        return
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join(60)
        assert not failures, failures
        assert self.texts and set(self.texts) == {self.expected}
