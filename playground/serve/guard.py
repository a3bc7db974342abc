"""The guard before every route: bodies stay small, and browsers are told what the page may load.

Knows nothing about the page's content. Pure ASGI, so that streams pass unbuffered.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1_000_000
CONTENT_SECURITY_POLICY = "; ".join((
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
))
HEADERS = {"content-security-policy": CONTENT_SECURITY_POLICY, "x-content-type-options": "nosniff",
           "referrer-policy": "no-referrer", "permissions-policy": "camera=(), microphone=(), geolocation=()"}


class Guard:
    """413 for a body over 1 MB, however it arrives; security headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
            await _too_large()(scope, receive, _with_headers(send))
            return
        body = await _read(receive) if b"transfer-encoding" in dict(scope["headers"]) else None
        if body is not None and body[1]:
            await _too_large()(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive if body is None else _replay(body[0], receive), _with_headers(send))


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
