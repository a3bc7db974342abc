"""The Decoding Playground as a library: the public names, each imported from its home when it is first asked for.

Knows nothing about what stands behind a name: ``import playground`` alone loads no torch, and
``import playground.sampling`` neither transformers nor gradio nor plotly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground import control
    from playground.engine import Engine
    from playground.errors import PlaygroundError
    from playground.models import load_model
    from playground.sampling import SAMPLERS, Chain, guide
    from playground.studies.control import Study

__all__ = ["SAMPLERS", "Chain", "Engine", "PlaygroundError", "Study", "control", "guide", "load_model"]

_HOMES = {
    "SAMPLERS": "playground.sampling",
    "Chain": "playground.sampling",
    "Engine": "playground.engine",
    "PlaygroundError": "playground.errors",
    "Study": "playground.studies.control",
    "guide": "playground.sampling",
    "load_model": "playground.models",
}
_FOLDERS = {"control"}
"""Public names that are whole folders."""


def __getattr__(name: str) -> Any:
    if name in _FOLDERS:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
