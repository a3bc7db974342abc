"""EngineHost: loads the model in the background so that the page can open at once, and says how far it is.

Knows nothing about which model or engine it is: it is given a function that makes one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import torch

from playground.engine.engine import Engine
from playground.errors import PlaygroundError

log = logging.getLogger(__name__)
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class HostStatus:
    """How far loading is: a fraction (0..1) and a line for people; ``failed`` carries the reason."""

    state: Literal["loading", "ready", "failed"]
    fraction: float
    message: str


class EngineHost:
    """Owns the engine's life: ``start()`` returns at once, ``engine`` is there when ``status.state`` is ready."""

    def __init__(self, make: Callable[[Progress], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None
        self._status = HostStatus("loading", 0.0, "Starting ...")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._load, name="model-loader", daemon=True)

    @property
    def status(self) -> HostStatus:
        return self._status

    @property
    def engine(self) -> Engine:
        """The running engine; PlaygroundError (503) with the reason while there is none."""
        engine = self._engine
        if engine is not None:
            return engine
        if self._status.state == "failed":
            raise PlaygroundError(self._status.message, status=503)
        raise PlaygroundError(
            f"The model is still loading ({self._status.fraction:.0%}: {self._status.message}). "
            "The knobs already work on the picture you see.",
            status=503,
        )

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout_s: float | None = None) -> Engine:
        """Block until the model answers (scripts and tests)."""
        self._thread.join(timeout_s)
        return self.engine

    def close(self) -> None:
        """End every stream and stop; harmless where nothing ever started."""
        self._closed.set()
        if self._engine is not None:
            self._engine.close()

    def _load(self) -> None:
        try:
            engine = self._make(self._progress)
        except PlaygroundError as error:
            self._status = HostStatus("failed", 0.0, str(error))
            log.error("%s", error)
        except Exception as error:  # whatever a model's code raises must reach the page, not kill a thread silently
            self._status = HostStatus(
                "failed",
                0.0,
                f"The model could not be loaded ({type(error).__name__}). The server's console says more; "
                "start with another --model.",
            )
            raise
        else:
            self._engine = engine
            self._status = HostStatus("ready", 1.0, "")
            if self._closed.is_set():
                engine.close()

    def _progress(self, fraction: float, message: str) -> None:
        self._status = HostStatus("loading", max(0.0, min(1.0, fraction)), message)


def one_thread_worker(name: str) -> ThreadPoolExecutor:
    """One thread for all chart maths, with one torch thread of its own.

    Every Python thread that enters a torch parallel region gets its own OpenMP team; a second spinning team beside
    the engine's would halve both on two cores.
    """

    def prepare() -> Any:
        torch.set_num_threads(1)

    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name, initializer=prepare)
