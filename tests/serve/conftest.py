"""One live server for all tests of this folder, and a neighbour whose text nobody may disturb."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.live import Live, Neighbour, running_server


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running_server(tmp_path_factory.mktemp("server") / "server.log") as server:
        yield server


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
