"""No outbound request: the program starts, serves its page and generates without asking for any other machine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.trees import ROOT

WATCH = '''
import ipaddress, os, runpy, socket, sys

def note(kind, address):
    host = address[0] if isinstance(address, tuple) else address
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost") or isinstance(address, (str, bytes)) and kind == "connect":
        return  # this machine by name, or a file that is a socket
    try:
        if ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified:
            return
    except ValueError:
        pass
    with open(os.environ["WATCHED"], "a") as file:
        file.write(f"{kind} {address}\\n")

def hook(event, args):
    if event in ("socket.connect", "socket.sendto"):
        note("connect", args[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        note("look-up", args[0])

sys.addaudithook(hook)
sys.argv = sys.argv[1:]
sys.path.insert(0, os.getcwd())
runpy.run_path(sys.argv[0], run_name="__main__")
'''
"""An audit hook sees every connection and look-up that Python code makes, whichever library makes it."""


@dataclass(frozen=True)
class Program:
    """The real program on the toy backend in a process of its own; ``watched`` is the file of what it reached for."""

    process: subprocess.Popen[bytes]
    address: str
    watched: Path


STARTED = pytest.StashKey[Program]()


def start(folder: Path) -> Program:
    watched, wrapper, port = folder / "reached", folder / "watch.py", _free_port()
    watched.touch()
    wrapper.write_text(WATCH)
    environment = {**os.environ, "WATCHED": str(watched)}
    command = [sys.executable, str(wrapper), "app.py", "--backend", "toy", "--num-threads", "1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return Program(process, f"http://127.0.0.1:{port}", watched)


def start_early(config: pytest.Config) -> None:
    """While other modules are tested: it needs seconds for its imports."""
    folder = TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    program = config.stash[STARTED] = start(Path(folder.name))
    config.add_cleanup(program.process.kill)  # where the session ends before this module


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The program's address, and the file of what it reached for."""
    program = pytestconfig.stash.get(STARTED, None) or start(tmp_path_factory.mktemp("watched"))
    process, address, watched = program.process, program.address, program.watched
    try:
        _wait_until_ready(address, process)
        yield address, watched
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
    assert process.returncode == 0, "SIGTERM ends the program in good order"


def test_the_hook_sees_what_it_should(tmp_path):
    (tmp_path / "watch.py").write_text(WATCH)
    (tmp_path / "calls.py").write_text(
        "import socket\n"
        "for host in ('127.0.0.1', '192.0.2.1'):\n"
        "    try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect((host, 9))\n"
        "    except OSError: pass\n"
        "try: socket.getaddrinfo('model-hub.invalid', 443)\n"
        "except OSError: pass\n")
    environment = {**os.environ, "WATCHED": str(tmp_path / "reached")}
    subprocess.run([sys.executable, "watch.py", "calls.py"], cwd=tmp_path, env=environment, check=True, timeout=60)
    reached = (tmp_path / "reached").read_text().splitlines()
    assert reached == ["connect ('192.0.2.1', 9)", "look-up model-hub.invalid"]


def test_nothing_is_reached_for(server):
    address, watched = server
    page = _get(f"{address}/")
    assert "pg/assets/js/main.js" in page
    for path in ("pg/assets/js/main.js", "pg/assets/css/page.css", "pg/vendor/plotly.min.js", "config", "pg/v1/status"):
        assert _get(f"{address}/{path}")
    common = ["Once upon a time", "", 1.0, []]
    assert "event: complete" in _call(address, "next_token", [*common, False, "", 0, None])
    assert '"done": true' in _call(address, "generate", [*common, 8, 0, [], False, "", None, None])
    assert not watched.read_text(), watched.read_text()


def test_the_page_names_no_other_machine(server):
    """Whatever the page loads by itself comes from this server: no foreign address in its tags or its styles."""
    page = _get(f"{server[0]}/")
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=\"(https?:)?//([^\"/]+)", page)
    foreign = [host for _, host in loaded if not host.startswith(("127.0.0.1", "localhost"))]
    assert not foreign
    for file in (ROOT / "assets").rglob("*.[cj]s*"):
        text = re.sub(r"https?://www\.w3\.org/", "", file.read_text(encoding="utf-8"))  # a name, never fetched
        assert not re.search(r"https?://|@import|//cdn", text), file


def test_health_says_ready(server):
    assert json.loads(_get(f"{server[0]}/healthz")) == {"state": "ready"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=20) as answer:
        return answer.read().decode("utf-8", errors="replace")


def _call(address: str, name: str, arguments: list[object]) -> str:
    """A named Gradio endpoint over plain HTTP: all its events."""
    body = json.dumps({"data": arguments}).encode()
    request = urllib.request.Request(f"{address}/gradio_api/call/{name}", body, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        event = json.load(answer)["event_id"]
    return _get(f"{address}/gradio_api/call/{name}/{event}")


def _wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended: {process.communicate()[0].decode()}")
        try:
            if json.loads(_get(f"{address}/healthz"))["state"] == "ready":
                return
        except OSError:
            pass
        time.sleep(0.2)
    process.kill()
    pytest.fail(f"the server is not ready after 90 s: {process.communicate()[0].decode()}")
