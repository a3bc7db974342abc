"""Two live servers for all tests of this folder, and a neighbour whose text nobody may disturb."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.serve.live import Live, Neighbour, starting_server

ROOMY = ("--max-tokens", "2000", "--max-sessions", "50", "--num-threads", "1")
"""Texts long enough to be left in the middle, and few enough sessions to fill them all."""


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Callable[[], Live], Callable[[], Live]]]:
    """Both servers of this folder, started side by side: each needs seconds to import what it imports."""
    folder = tmp_path_factory.mktemp("servers")
    with starting_server(folder / "plain.log") as plain, starting_server(folder / "roomy.log", *ROOMY) as roomy:
        yield plain, roomy


@pytest.fixture(scope="session")
def live(servers: tuple[Callable[[], Live], Callable[[], Live]]) -> Live:
    return servers[0]()


@pytest.fixture(scope="session")
def slow(servers: tuple[Callable[[], Live], Callable[[], Live]]) -> Live:
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
