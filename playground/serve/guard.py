"""The guard before every route: small bodies, own origin, no unused Gradio routes, and never a traceback in an answer.

Knows nothing about the page's content. Pure ASGI, so that streams pass unbuffered.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.errors import UNFORESEEN

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_000_000
GRADIO_ROUTES = frozenset(
    {
        "api",
        "app_id",
        "call",
        "cancel",
        "heartbeat",
        "info",
        "login_check",
        "openapi.json",
        "queue",
        "reset",
        "run",
        "startup-events",
        "theme.css",
    }
)
"""What page and clients use under /gradio_api/. The rest (uploads, deep links, the file proxy) would let strangers
write to this machine's disk or read from it, and this app has no use for it."""
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio's components are functions made from text
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """413 for a body over 1 MB, however it arrives; 403 for another site's page on our own routes; 404 for Gradio's
    routes that nobody needs; 500 as neutral JSON; security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, send = dict(scope["headers"]), _with_headers(send)
        refusal = _refusal(scope["path"], headers)
        if refusal is None and b"transfer-encoding" in headers:
            body, too_large = await _read(receive)
            refusal, receive = (_too_large() if too_large else None), _replay(body, receive)
        await (refusal or self._answer)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer; an exception nobody foresaw is logged here and told to nobody else."""
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            pass
        except Exception:
            log.exception("unforeseen error in %s %s", scope["method"], scope["path"])
            if not started:
                await unforeseen()(scope, receive, send)


def unforeseen() -> JSONResponse:
    """What anybody is told of an error that is ours; the log has the rest."""
    return JSONResponse({"error": UNFORESEEN}, 500)


def _refusal(path: str, headers: Mapping[bytes, bytes]) -> JSONResponse | None:
    """The answer to what is refused before its body is read, or None."""
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
        return _too_large()
    if "/pg/v1/" in path and is_foreign(headers):
        return JSONResponse(
            {
                "error": "Another site's page may not use this one's routes; programs use the API "
                "endpoints next_token and generate."
            },
            403,
        )
    gradio_route = path.partition("/gradio_api/")[2].partition("/")[0]
    if gradio_route and gradio_route not in GRADIO_ROUTES:
        return JSONResponse({"error": "This app has no such route; /gradio_api/info lists its endpoints."}, 404)
    return None


def is_foreign(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser sends this for a page of another site. Gradio itself lets every origin in.

    ``Sec-Fetch-Site`` comes first because no page can forge it and no proxy rewrites it, but browsers leave it out on
    plain http; there the page's origin must be the host that was asked, as this server or a proxy before it knows it.
    """
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
    if origin is None or site in (b"same-origin", b"none"):
        return False
    hosts = (headers.get(b"host"), None if site else headers.get(b"x-forwarded-host"))
    return origin.partition(b"://")[2] not in hosts


def _too_large() -> JSONResponse:
    return JSONResponse({"error": f"The request is larger than {MAX_BODY_BYTES:,} bytes. Shorten the text."}, 413)


async def _read(receive: Receive) -> tuple[bytes, bool]:
    """The body of a chunked request, which declares no length, and whether it grew too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            return b"", True
        if not message.get("more_body"):
            return b"".join(parts), False


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand a body that was read already to the application, then go on as before."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in HEADERS.items())]
        await send(message)

    return sending
