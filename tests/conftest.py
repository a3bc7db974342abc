"""What all tests share: a quiet, offline process with one torch thread, and the default model.

The libraries read the environment when they are imported, so it is set before any test module is.
"""

from __future__ import annotations

import gc
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there; the reason is that of torch's one below

import pytest

from playground.settings import Settings, prepare_process, variable_of

prepare_process(Settings())
gc.disable()  # until everything is collected: nothing of it is garbage

import torch  # noqa: E402

from playground.models import Model, load_model  # noqa: E402
from playground.models.default_model import FOLDER_NAME  # noqa: E402
from playground.models.toy import ToyBackend  # noqa: E402

torch.set_num_threads(1)  # tests run beside other work; two OpenMP teams on two cores slow everybody down


def count_once() -> None:
    """The toy's tables are constants that nobody writes to; counting them takes 15 ms, and hundreds of tests make one.
    All else of a toy is made anew each time."""
    count, counted = ToyBackend._statistics, []

    def counted_before(toy: ToyBackend) -> tuple[torch.Tensor, torch.Tensor]:
        if not counted:
            counted.append(count(toy))
        return counted[0]

    ToyBackend._statistics = counted_before  # type: ignore[method-assign]


count_once()


@pytest.fixture(scope="session")
def default_model() -> Model:
    """The default model from the cache, for tests marked ``model``; fetched only where CI is set."""
    settings = Settings(cache_dir=os.environ.get(variable_of("cache_dir"), Settings().cache_dir))
    if not (settings.cache_path / FOLDER_NAME).is_dir() and not os.environ.get("CI"):
        pytest.skip("the default model is not in the cache: start the program once, or set CI to fetch it here")
    return load_model("default", cache_dir=settings.cache_path, device="cpu")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What the libraries and 4,000 collected tests have made stays until the end: no collection of garbage has to look
    through it again, which took a tenth of a second each time.

    A module that waits for a program of its own has ``start_early``, and the program starts while others are tested.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    if session.config.option.collectonly or "PYTEST_XDIST_WORKER" in os.environ:  # whose modules nobody knows yet
        return
    for module in {item.module for item in session.items if isinstance(item, pytest.Function)}:
        if hasattr(module, "start_early"):
            module.start_early(session.config)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests run last: the shared browser keeps an event loop running in this thread until the session ends,
    and neither ``asyncio.run`` nor a second browser can start beside it."""

    def place(item: pytest.Item) -> int:
        if "tests/browser/" in item.path.as_posix():
            return 2
        return int(item.get_closest_marker("browser") is not None)

    items.sort(key=place)
    for item in items:  # of several workers one runs a whole file, and one alone all that talks to the two servers
        folder, name = item.path.parent.as_posix(), item.path.as_posix()
        item.add_marker(pytest.mark.xdist_group(folder if folder.endswith("tests/serve") else name))
