"""The guard around every route: body sizes, headers, other sites' pages, routes that nobody needs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from playground.serve.guard import HEADERS, MAX_BODY_BYTES, is_foreign
from tests.serve.hostile import check_message
from tests.serve.live import Live

LARGE = b'{"prompt": "' + b"a" * MAX_BODY_BYTES + b'"}'
JUST_FITS = b'{"prompt": "' + b"a" * (MAX_BODY_BYTES - 14) + b'"}'
ROUTES = [
    "/pg/v1/next",
    "/pg/v1/trace",
    "/pg/v1/session",
    "/gradio_api/queue/join",
    "/gradio_api/call/next_token",
    "/gradio_api/run/next_token",
    "/gradio_api/upload",
    "/login",
    "/nothing",
]


def chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_over_1_mb_is_413_everywhere(live: Live, neighbour: None, route: str, chunked: bool) -> None:
    content = chunks(LARGE) if chunked else LARGE
    try:
        answer = live.http.post(route, content=content, headers={"Content-Type": "application/json"})
    except httpx.WriteError:  # the server has answered and closed while we were still sending
        answer = _answer_while_sending(live, route)
    if route == "/gradio_api/upload" and chunked:
        assert answer.status_code in (404, 413)
        return
    assert answer.status_code == 413
    check_message(answer.json()["error"])


def _answer_while_sending(live: Live, route: str) -> httpx.Response:
    """The same answer to a client that declares the size and then waits instead of writing on."""
    connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=10)
    connection.putrequest("POST", route)
    connection.putheader("Content-Length", str(len(LARGE)))
    connection.endheaders()
    reply = connection.getresponse()
    return httpx.Response(reply.status, content=reply.read())


def test_a_body_of_1_mb_is_read(live: Live, tab: str) -> None:
    for content in (JUST_FITS, chunks(JUST_FITS)):
        answer = live.post("next", content=content, session=tab)
        assert answer.status_code == 400 and "characters" in answer.json()["error"]


def test_a_chunked_body_is_handed_on_whole(live: Live, tab: str) -> None:
    answer = live.post("next", content=chunks(json.dumps({"prompt": "The old sailor"}).encode()), session=tab)
    assert answer.status_code == 200


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999999999"])
def test_lengths_that_are_no_number(live: Live, neighbour: None, length: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(live.url).netloc, timeout=10)
    connection.putrequest("POST", "/pg/v1/next")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status in (400, 413)


@pytest.mark.parametrize(
    "route",
    [
        "/",
        "/healthz",
        "/pg/v1/status",
        "/pg/v1/nothing",
        "/pg/assets/js/main.js",
        "/gradio_api/info",
        "/gradio_api/upload",
        "/config",
        "/theme.css",
        "/nothing",
    ],
)
def test_every_answer_carries_the_security_headers(live: Live, route: str) -> None:
    answer = live.http.get(route)
    for name, value in HEADERS.items():
        assert answer.headers.get_list(name) == [value]
    assert "x-frame-options" not in answer.headers, "it would keep the page out of a Space's frame"
    assert "frame-ancestors 'self' https://huggingface.co" in answer.headers["content-security-policy"]


CLOSED = [
    ("POST", "upload"),
    ("GET", "upload_progress?upload_id=1"),
    ("GET", "deep_link?session_hash=a"),
    ("GET", "file=/etc/passwd"),
    ("GET", "file/etc/passwd"),
    ("GET", "proxy=http://127.0.0.1"),
    ("POST", "component_server"),
    ("POST", "process_recording"),
    ("POST", "stream/1"),
    ("GET", "dev/reload"),
    ("POST", "vibe-edit"),
    ("GET", "vibe-code"),
    ("POST", "run-history/connect"),
    ("GET", "user"),
    ("GET", "token"),
    ("GET", "custom_component/a/client/b/c.js"),
    ("POST", "upload/"),
    ("POST", "%75pload"),
]


@pytest.mark.parametrize(("method", "route"), CLOSED)
def test_gradios_routes_that_this_app_does_not_need_are_closed(live: Live, method: str, route: str) -> None:
    answer = live.http.request(method, f"/gradio_api/{route}")
    assert answer.status_code == 404
    assert "no such route" in answer.json()["error"]


def test_no_file_of_a_stranger_reaches_the_disk(live: Live) -> None:
    assert live.http.post("/gradio_api/upload", files={"files": ("a.txt", b"small")}).status_code == 404


FOREIGN = {"Origin": "https://elsewhere.example"}


def test_pages_of_other_sites_may_not_use_the_pages_routes(live: Live, tab: str, neighbour: None) -> None:
    for headers in (
        FOREIGN,
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": live.url + ".elsewhere.example"},
        {**FOREIGN, "Sec-Fetch-Site": "cross-site"},
        {**FOREIGN, "Host": "play.example"},
        {**FOREIGN, "Sec-Fetch-Site": "cross-site", "X-Forwarded-Host": "elsewhere.example"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    ):
        for answer in (
            live.post("session", {}, headers=headers),
            live.post("next", {"prompt": "a"}, tab, headers=headers),
            live.get("status", tab, headers=headers),
        ):
            assert answer.status_code == 403, headers
            check_message(answer.json()["error"])
        preflight = live.http.options("/pg/v1/next", headers={**headers, "Access-Control-Request-Method": "POST"})
        assert preflight.headers.get("access-control-allow-origin") != "*"


def test_its_own_page_may_also_behind_a_proxy_or_in_a_frame(live: Live, tab: str) -> None:
    for headers in (
        {},
        {"Origin": live.url},
        {"Origin": live.url, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://x-y.hf.space", "Host": "x-y.hf.space", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://play.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://play.lan", "X-Forwarded-Host": "play.lan"},
    ):
        assert live.post("next", {"prompt": "a"}, tab, headers=headers).status_code == 200, headers


def test_foreign_is_decided_by_what_a_page_cannot_forge() -> None:
    assert is_foreign({b"origin": b"https://a.example", b"host": b"b.example"})
    assert not is_foreign({b"origin": b"https://b.example", b"host": b"b.example"})
    assert not is_foreign({b"host": b"b.example"}), "a program, not a browser"
    assert is_foreign({b"origin": b"http://b.example:81", b"host": b"b.example"})
