"""Models of the engine's tests: the toy, and the default model on every device there is."""

from __future__ import annotations

import pytest
import torch

from playground.models import Model, load_model
from tests.engine.wrappers import Wrapper, toy

PLACES = ["cpu float32"] + (["cuda float32", "cuda bfloat16"] if torch.cuda.is_available() else [])


@pytest.fixture
def backend() -> Wrapper:
    return Wrapper()


@pytest.fixture
def model(backend: Wrapper) -> Model:
    return toy(backend)


@pytest.fixture(scope="session", params=PLACES)
def placed_model(request: pytest.FixtureRequest, default_model: Model) -> Model:
    """The default model, in each precision used on each device."""
    device, dtype = request.param.split()
    if device == "cpu":
        return default_model
    return load_model(default_model.name, device=device, dtype=dtype)
