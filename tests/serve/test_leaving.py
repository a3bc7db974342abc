"""Who leaves frees the engine: a program that disconnects, a tab that closes; and strangers' sessions cost little."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.serve.live import Live

LONG = [{"sampler": "logit_bias", "bias": {"256": -100}}]
ENDLESS = 1900
"""Tokens: what fits the toy's context, and minutes of work here with the slowest of chains."""


def start(live: Live, name: str, data: list[object]) -> str:
    answer = live.http.post(f"/gradio_api/call/{name}", json={"data": data})
    return f"/gradio_api/call/{name}/{answer.json()['event_id']}"


def read_some(live: Live, route: str, num_events: int) -> None:
    """Read a few events of a stream, then hang up."""
    with httpx.Client(base_url=live.url, timeout=20, trust_env=False) as own, own.stream("GET", route) as stream:
        lines = (line for line in stream.iter_lines() if line.startswith("event: generating"))
        for _ in range(num_events):
            next(lines)


def test_a_program_that_disconnects_frees_its_lanes_and_rows(slow: Live) -> None:
    route = start(slow, "generate", ["The old sailor", "", 2.0, LONG, ENDLESS, 1, None, False, "", None, None])
    read_some(slow, route, 3)
    status = slow.wait_until(num_running=0, num_lanes_used=0, num_rows_kept=0)
    assert status["kv_bytes_used"] == 0


def test_a_call_that_ends_by_itself_leaves_no_rows_and_no_session(slow: Live) -> None:
    for number in range(25):  # more than the server has room for sessions
        slow.call("next_token", ["The", "", 2.0, None, False, "", 0], connection=f"program-{number}")
    tab = slow.open()
    slow.call("generate", ["The", "", 2.0, LONG, 5, 1, None, False, "", None, None])
    slow.wait_until(num_rows_kept=0, num_running=0, num_lanes_used=0)
    assert slow.post("next", {"prompt": "The"}, tab).status_code == 200


def test_the_protocol_of_a_tab_that_closes(slow: Live) -> None:
    """As a page: a heartbeat under the connection's name, a generation, and then the heartbeat breaks off."""
    tab, name, num_rows_before = slow.open(), "connection-of-a-tab", slow.status()["num_rows_kept"]
    body = {
        "session": tab,
        "prompt": "The old sailor",
        "max_tokens": ENDLESS,
        "strip": [{"id": "logit_bias", "bias": {"256": -100}}],
    }
    private = next(d["id"] for d in slow.http.get("/config").json()["dependencies"] if d["api_name"] == "page_generate")
    with (
        httpx.Client(base_url=slow.url, timeout=20, trust_env=False) as page,
        page.stream("GET", f"/gradio_api/heartbeat/{name}") as heartbeat,
    ):
        beats = heartbeat.iter_lines()  # kept, or its end would close the stream
        assert "ALIVE" in next(beats)
        page.post("/gradio_api/queue/join", json={"data": [body], "fn_index": private, "session_hash": name})
        slow.wait_until(num_running=1)
    slow.wait_until(num_running=0, num_lanes_used=0, num_rows_kept=num_rows_before)


def resident_mb(live: Live) -> float:
    return int(Path(f"/proc/{live.process.pid}/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_opening_600_sessions_costs_little_and_pushes_nobody_out(slow: Live) -> None:
    tab = slow.open()
    key = slow.post("next", {"prompt": "The old sailor"}, tab).json()["key"]
    for _ in range(100):  # warm: the server's own pools grow to their size
        slow.open()
    before = resident_mb(slow)
    for _ in range(500):
        slow.open()
    assert resident_mb(slow) - before < 5
    assert slow.get(f"steps/{key}", tab).status_code == 200, "a session in use outlives 600 that are not"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_gradios_own_sessions_are_bounded(slow: Live) -> None:
    """Every call under a new connection name makes a Gradio session of a quarter of a megabyte; 20 are kept here."""

    def call(number: int) -> None:
        body = json.dumps({"data": [{}], "session_hash": f"name-{number}"}).encode()
        answer = slow.http.post(
            "/gradio_api/call/page_generate", content=body, headers={"Content-Type": "application/json"}
        )
        slow.http.get(f"/gradio_api/call/page_generate/{answer.json()['event_id']}")

    for number in range(24):
        call(number)
    before = resident_mb(slow)
    for number in range(24, 54):
        call(number)
    assert resident_mb(slow) - before < 3, "7 MB where nothing bounds them"
