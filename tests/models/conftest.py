"""The default model for tests marked ``model``: from the cache, and fetched only where CI is set."""

from __future__ import annotations

import os

import pytest
import torch

from playground.models import Model, load_model
from playground.models.default_model import FOLDER_NAME
from playground.settings import Settings, variable_of


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Two torch threads lose more time to each other than they gain on models this small."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def default_model() -> Model:
    cache = os.environ.get(variable_of("cache_dir"), Settings().cache_dir)
    settings = Settings(cache_dir=cache)
    if not (settings.cache_path / FOLDER_NAME).is_dir() and not os.environ.get("CI"):
        pytest.skip("the default model is not in the cache: start the program once, or set CI to fetch it here")
    return load_model("default", cache_dir=settings.cache_path, device="cpu")
