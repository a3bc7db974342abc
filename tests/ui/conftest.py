"""A desk over the toy model, in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from playground.engine import Engine, EngineHost, one_thread_worker
from playground.models import load_model
from playground.settings import Settings
from playground.studies.inspect import Inspector
from playground.ui.desk import Desk
from playground.ui.session import Sessions


@pytest.fixture(scope="session")
def desk() -> Iterator[Desk]:
    host = EngineHost(lambda progress: Engine(load_model(backend="toy"), num_threads=1))
    host.start()
    host.wait(30)
    worker = one_thread_worker("test-charts")
    yield Desk(Settings(backend="toy"), host, Inspector(host, None, worker), Sessions(20))
    worker.shutdown()
    host.close()
