"""Errors that nobody foresaw, and an engine that is not there: neutral JSON, the details in the log only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground.engine import EngineHost, one_thread_worker
from playground.errors import UNFORESEEN, PlaygroundError
from playground.serve.guard import HEADERS, Guard
from playground.serve.routes import routes
from playground.settings import Settings
from playground.studies.inspect import Inspector
from playground.ui.desk import Desk
from playground.ui.session import Session, Sessions
from tests.serve.hostile import check_message

SECRET = "/somewhere/on/this/machine and other internals"


class BrokenDesk(Desk):
    """Fails in the middle of every question."""

    async def next(self, session: Session, body: Any) -> dict[str, Any]:
        raise RuntimeError(SECRET)

    async def trace(self, session: Session, body: Any) -> dict[str, Any]:
        raise PlaygroundError("The queue is full. Try again in a moment.", status=503)

    async def step(self, session: Session, key: str) -> dict[str, Any]:
        return {"what json cannot say": object()}


def desk(kind: type[Desk]) -> Desk:
    def load(progress: Any) -> Any:
        raise PlaygroundError("No such model. Give --model a folder.")

    host = EngineHost(load)
    return kind(Settings(), host, Inspector(host, None, one_thread_worker("test-charts")), Sessions(5))


async def broken(request: Request) -> Any:
    """As one of Gradio's own routes would fail: outside our routes, inside the guard."""
    raise KeyError(SECRET)


async def broken_stream(request: Request) -> StreamingResponse:
    async def parts() -> Any:
        yield b"one"
        raise KeyError(SECRET)

    return StreamingResponse(parts())


def client_of(asked: Desk) -> TestClient:
    own = [*routes(asked), Route("/broken", broken), Route("/broken-stream", broken_stream)]
    return TestClient(Starlette(routes=own, middleware=[Middleware(Guard)]), raise_server_exceptions=False)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with client_of(desk(BrokenDesk)) as ready:
        ready.headers["X-PG-Session"] = ready.post("/pg/v1/session").json()["session"]
        yield ready


@pytest.mark.parametrize(("method", "route"), [("POST", "/pg/v1/next"), ("GET", "/pg/v1/steps/k"), ("GET", "/broken")])
def test_an_error_of_ours_is_neutral_json_and_logged(
    client: TestClient, caplog: pytest.LogCaptureFixture, method: str, route: str
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.request(method, route, json={} if method == "POST" else None)
    assert answer.status_code == 500 and answer.json() == {"error": UNFORESEEN}
    check_message(UNFORESEEN)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert [record for record in caplog.records if record.exc_info], "the log has the traceback"


def test_a_stream_that_breaks_off_in_the_middle_is_logged_and_tells_nothing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken-stream")
    assert answer.content == b"one"
    assert [record for record in caplog.records if record.exc_info]


def test_our_own_refusals_keep_their_words_and_status(client: TestClient) -> None:
    answer = client.post("/pg/v1/trace", json={})
    assert answer.status_code == 503 and answer.json() == {"error": "The queue is full. Try again in a moment."}


def test_while_there_is_no_engine_the_routes_say_why() -> None:
    asked = desk(Desk)
    with client_of(asked) as client:
        client.headers["X-PG-Session"] = client.post("/pg/v1/session").json()["session"]
        answer = client.post("/pg/v1/next", json={"prompt": "a"})
        assert answer.status_code == 503 and "loading" in answer.json()["error"]
        assert client.get("/healthz").json() == {"state": "loading"}
        asked.host.start()
        with pytest.raises(PlaygroundError):
            asked.host.wait(10)
        answer = client.post("/pg/v1/next", json={"prompt": "a"})
        assert answer.status_code == 503 and answer.json()["error"].startswith("No such model.")
        assert client.get("/healthz").json() == {"state": "failed"}
        assert client.get("/pg/v1/status").json()["message"].startswith("No such model.")
