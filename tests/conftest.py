"""What all tests share: a quiet, offline process with one torch thread, and the default model.

The libraries read the environment when they are imported, so it is set before any test module is.
"""

from __future__ import annotations

import os

import pytest

from playground.settings import Settings, prepare_process, variable_of

prepare_process(Settings())

import torch  # noqa: E402

from playground.models import Model, load_model  # noqa: E402
from playground.models.default_model import FOLDER_NAME  # noqa: E402

torch.set_num_threads(1)  # tests run beside other work; two OpenMP teams on two cores slow everybody down


@pytest.fixture(scope="session")
def default_model() -> Model:
    """The default model from the cache, for tests marked ``model``; fetched only where CI is set."""
    settings = Settings(cache_dir=os.environ.get(variable_of("cache_dir"), Settings().cache_dir))
    if not (settings.cache_path / FOLDER_NAME).is_dir() and not os.environ.get("CI"):
        pytest.skip("the default model is not in the cache: start the program once, or set CI to fetch it here")
    return load_model("default", cache_dir=settings.cache_path, device="cpu")


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
