"""Two live servers for all tests of this folder, and a neighbour whose text nobody may disturb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.serve.live import Live, Neighbour, starting_server

ROOMY = ("--max-tokens", "2000", "--max-sessions", "20", "--num-threads", "1")
"""Texts long enough to be left in the middle, and few enough sessions to fill them all."""


WORKER = "PYTEST_XDIST_WORKER"
"""Set in the environment of each process that pytest-xdist starts."""

Servers = tuple[Callable[[], Live], Callable[[], Live]]
SERVERS, RUNNING = pytest.StashKey[Servers](), pytest.StashKey[ExitStack]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start this folder's servers before the first test of any folder: each needs seconds to import what it imports.

    One of several workers does not know yet whether this folder will be its own, and starts them when it is.
    """
    wanted = any({"live", "slow"} & set(getattr(item, "fixturenames", ())) for item in session.items)
    if wanted and not session.config.option.collectonly and WORKER not in os.environ:
        start_servers(session.config)


def start_servers(config: pytest.Config) -> Servers:
    running = config.stash[RUNNING] = ExitStack()
    folder = Path(running.enter_context(TemporaryDirectory()))
    plain = running.enter_context(starting_server(folder / "plain.log", "--num-threads", "1"))
    roomy = running.enter_context(starting_server(folder / "roomy.log", *ROOMY))
    config.stash[SERVERS] = (plain, roomy)
    return config.stash[SERVERS]


def pytest_unconfigure(config: pytest.Config) -> None:
    if RUNNING in config.stash:
        config.stash[RUNNING].close()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    return pytestconfig.stash[SERVERS] if SERVERS in pytestconfig.stash else start_servers(pytestconfig)


@pytest.fixture(scope="session")
def live(servers: Servers) -> Live:
    return servers[0]()


@pytest.fixture(scope="session")
def slow(servers: Servers) -> Live:
    """A server that nobody else uses: its lanes and rows are counted."""
    return servers[1]()


@pytest.fixture(scope="session")
def someone(live: Live) -> Neighbour:
    return Neighbour(live)


@pytest.fixture(scope="module")
def someone_at_work(someone: Neighbour) -> Iterator[None]:
    """While a module's tests run somebody else generates; in the end all their texts are the undisturbed one."""
    with someone.at_work():
        yield


@pytest.fixture
def neighbour(live: Live, someone_at_work: None) -> Iterator[None]:
    """Beside somebody else's work; afterwards the server is up and has logged nothing unforeseen."""
    already = len(live.log_text())
    yield
    assert live.process.poll() is None
    assert "Traceback" not in live.log_text()[already:], live.log_text()[already:][:3000]


@pytest.fixture
def tab(live: Live) -> str:
    """A fresh session."""
    return live.open()
