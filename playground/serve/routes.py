"""The page's own light routes: JSON in, views out, away from Gradio's queue.

Knows nothing about what is computed: every route asks the desk and turns its errors into statuses.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from playground.errors import PlaygroundError
from playground.serve.guard import unforeseen
from playground.ui.desk import Desk
from playground.ui.session import Session, SessionEnded

log = logging.getLogger(__name__)
SESSION_HEADER = "X-PG-Session"
Answer = Callable[[Request], Awaitable[Any]]
Ask = Callable[[Session, Any], Awaitable[Any]]


def routes(desk: Desk) -> list[BaseRoute]:
    """All routes under /pg/v1, and /healthz."""

    def session(request: Request) -> Session:
        return desk.sessions.get(request.headers.get(SESSION_HEADER))

    async def open_session(request: Request) -> Any:
        return await desk.open()

    async def status(request: Request) -> Any:
        return desk.status()

    def asked(ask: Ask) -> Answer:
        """One of the desk's questions: a session and a JSON body in, plain data out."""

        async def answer(request: Request) -> Any:
            with session(request).at_work() as tab:
                return await ask(tab, await body(request))

        return answer

    async def step(request: Request) -> Any:
        with session(request).at_work() as tab:
            return await desk.step(tab, request.path_params["key"])

    async def generation(request: Request) -> Any:
        start = request.query_params.get("from", "0")
        if not start.isdecimal() or len(start) > 8:
            raise PlaygroundError("from must be a whole number.")
        return session(request).generation(request.path_params["id"]).delta(int(start))

    async def timeline(request: Request) -> Any:
        return desk.timeline_figure(session(request), request.path_params["id"])

    async def health(request: Request) -> Any:
        return {"state": desk.host.status.state}

    async def nothing(request: Request) -> Any:
        raise PlaygroundError("There is no such route; playground/serve/routes.py lists them.", status=404)

    return [
        _route("/pg/v1/session", open_session, "POST"),
        _route("/pg/v1/status", status, "GET"),
        _route("/pg/v1/next", asked(desk.next), "POST"),
        _route("/pg/v1/trace", asked(desk.trace), "POST"),
        _route("/pg/v1/engines", asked(desk.engines), "POST"),
        _route("/pg/v1/scale", asked(desk.scale_figure), "POST"),
        _route("/pg/v1/replay", asked(desk.replay), "POST"),
        *(_route(f"/pg/v1/tuning/{name}", asked(ask), "POST") for name, ask in desk.tuning.questions().items()),
        *(_route(f"/pg/v1/control/{name}", asked(ask), "POST") for name, ask in desk.control.questions().items()),
        *(_route(f"/pg/v1/control/{name}", asked(ask), "POST") for name, ask in desk.collect.questions().items()),
        *(_route(f"/pg/v1/{name}", asked(ask), "POST") for name, ask in desk.take_away.questions().items()),
        _route("/pg/v1/steps/{key}", step, "GET"),
        _route("/pg/v1/generations/{id}", generation, "GET"),
        _route("/pg/v1/generations/{id}/timeline", timeline, "GET"),
        _route("/healthz", health, "GET"),
        _route("/pg/v1/{rest:path}", nothing, "GET", "POST"),
    ]


async def body(request: Request) -> Any:
    """The JSON body. orjson refuses NaN, infinities and unpaired surrogates by itself."""
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise PlaygroundError(f"The body is not valid JSON: {error}.") from None


def _route(path: str, answer: Answer, *methods: str) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return _json(await answer(request), 200)
        except PlaygroundError as error:
            ended = {"session_ended": True} if isinstance(error, SessionEnded) else {}
            return _json({"error": str(error), **ended}, error.status)
        except ClientDisconnect:
            raise
        except Exception:
            log.exception("unforeseen error in %s", path)
            return unforeseen()

    return Route(path, endpoint, methods=list(methods))


def _json(answer: Any, status: int) -> Response:
    content = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, media_type="application/json", headers={"Cache-Control": "no-store"})
