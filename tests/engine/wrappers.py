"""Backends around the toy that count, wait or fail, and the small tools the engine's tests share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from playground.engine import Done, Engine, Request, Step, Stream
from playground.models import Model
from playground.models.backend import Chunk
from playground.models.toy import ToyBackend, load_toy
from playground.sampling import SAMPLERS, Chain, Context, Sampler

WAIT_S = 20.0
"""How long a test waits for what should come at once."""


class Wrapper:
    """A toy backend that remembers what it was asked and runs ``before`` ahead of each forward."""

    def __init__(self, before: Callable[[Sequence[Chunk]], None] | None = None, max_context: int = 2048) -> None:
        self.inner = ToyBackend(max_context)
        self.vocabulary = self.inner.vocabulary
        self.max_context = max_context
        self.before = before
        self.calls: list[list[Chunk]] = []
        self.lanes: set[int] = set()
        self.num_forks = 0
        self.num_layers, self.ties_embeddings = self.inner.num_layers, False

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        return self.forward_states(chunks, ())[0]

    def forward_states(self, chunks: Sequence[Chunk], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        self.calls.append(list(chunks))
        self.lanes |= {chunk.lane for chunk in chunks}
        if self.before is not None:
            self.before(chunks)
        return self.inner.forward_states(chunks, layers)

    def unembed(self, states: Tensor) -> Tensor:
        return self.inner.unembed(states)

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        self.num_forks += 1
        self.lanes.add(dst)
        self.inner.fork(src, dst, length)

    def release(self, lane: int) -> None:
        self.lanes.discard(lane)
        self.inner.release(lane)

    @property
    def num_tokens(self) -> int:
        """Tokens forwarded so far."""
        return sum(len(chunk.token_ids) for call in self.calls for chunk in call)


class Gate:
    """Holds every forward until it is opened, so that a test decides what happens meanwhile."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()

    def __call__(self, chunks: Sequence[Chunk]) -> None:
        self.reached.set()
        assert self.open.wait(WAIT_S)


def toy(backend: Any = None) -> Model:
    """The toy model, over a wrapper where one is given."""
    return replace(load_toy(), backend=backend or ToyBackend())


@dataclass(frozen=True)
class Broken(Sampler):
    """A stage that raises as soon as a text is twelve tokens long."""

    name = "broken"
    title = "Broken"
    slot = 0
    kind = "shape"
    keeps_argmax = True
    off = None

    def apply(self, scores: Tensor, context: Context) -> Tensor:
        assert context.token_ids is not None
        if any(len(tokens) >= 12 for tokens in context.token_ids):
            raise ValueError("this stage breaks")
        return scores


def chain(**stages: float) -> Chain:
    """``chain(temperature=0.7, min_p=0.1)``: each stage with its first parameter."""
    return Chain(tuple(SAMPLERS[name](**{next(iter(SAMPLERS[name].params())): v}) for name, v in stages.items()))


GREEDY = chain(temperature=0)


def ids(model: Model, text: str) -> tuple[int, ...]:
    return tuple(model.backend.vocabulary.encode(text))


def finished(stream: Stream) -> tuple[list[Step], Done]:
    """All Steps of a stream and its one Done; fails where there is not exactly one, at the end."""
    stream.result(WAIT_S)
    items = list(stream)
    ends = [item for item in items if isinstance(item, Done)]
    assert len(ends) == 1 and items[-1] is ends[0]
    return [item for item in items if isinstance(item, Step)], ends[0]


def run(engine: Engine, request: Request) -> tuple[list[Step], Done]:
    return finished(engine.submit(request))


def until(condition: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "it never became true"
        time.sleep(0.002)


def out_of_memory(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
