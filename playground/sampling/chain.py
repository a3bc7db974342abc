"""Chain: an ordered tuple of samplers; apply() is the fast fold, trace() the fold that shows its work.

Knows nothing about particular samplers, models, users or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.sampling import chain_text
from playground.sampling.context import Context
from playground.sampling.fold import Candidates, fold
from playground.sampling.sampler import Sampler
from playground.sampling.softmax import usable_rows
from playground.sampling.trace import Trace, trace

MAX_STAGES = 64
History = torch.Tensor | Sequence[torch.Tensor | Sequence[int]] | None
States = Sequence[Sequence[Any]]  # one row each, one memory a stage


@dataclass(frozen=True)
class Chain:
    """Values only: hashable, comparable, the same sampler twice allowed."""

    samplers: tuple[Sampler, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "samplers", tuple(self.samplers))
        if len(self.samplers) > MAX_STAGES:
            raise PlaygroundError(f"A chain has at most {MAX_STAGES} stages; this one has {len(self.samplers)}.")
        for sampler in self.samplers[:-1]:
            if sampler.kind == "draw":
                raise PlaygroundError(f"{sampler.title} draws the token itself, so it must be the last stage.")

    @classmethod
    def from_json(cls, stages: list[dict[str, Any]] | str) -> Chain:
        """From a list of {"sampler": name, parameter: value, ...}, or its JSON text."""
        return cls(chain_text.from_json(stages, MAX_STAGES))

    def to_json(self) -> list[dict[str, Any]]:
        return [sampler.to_json() for sampler in self.samplers]

    @classmethod
    def from_url(cls, text: str) -> Chain:
        """From ``temperature:1.5,min_p:0.1``."""
        return cls(chain_text.from_url(text, MAX_STAGES))

    def to_url(self) -> str:
        """A text of [a-z0-9_.:,-] that ``from_url`` turns into an equal chain."""
        return chain_text.to_url(self.samplers)

    def bind(self, vocabulary: Any) -> Chain:
        """The same chain with texts resolved to token ids; itself where nothing needs them."""
        bound = tuple(sampler.bind(vocabulary) for sampler in self.samplers)
        return self if bound == self.samplers else replace(self, samplers=bound)

    @property
    def stateful(self) -> bool:
        return any(sampler.stateful for sampler in self.samplers)

    def start(self) -> tuple[Any, ...]:
        """The memory of every stage before the first token of a sequence."""
        return tuple(sampler.start() for sampler in self.samplers)

    def observe(
        self,
        state: tuple[Any, ...],
        scores: torch.Tensor,
        token_id: int,
        token_ids: Sequence[int] | torch.Tensor | None = None,
    ) -> tuple[Any, ...]:
        """The memory after ``token_id`` was drawn from float[V] ``scores``; costs a fold where there is memory."""
        if not self.stateful:
            return state
        now = Candidates(scores[None], Context.of(scores[None], None if token_ids is None else [token_ids]))
        memories = []
        for sampler, memory in zip(self.samplers, state, strict=True):
            after = fold((sampler,), now, [(memory,)], compact=False)
            memories.append(sampler.observe(memory, now.scores[0], after.scores[0], token_id))
            now = after
        return tuple(memories)

    def apply(
        self,
        scores: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
    ) -> torch.Tensor:
        """float[B,V] scores, nats -> float[B,V], removed = -inf.

        ``token_ids`` int64[B,T] (or B ragged rows) is the whole history, prompt first. ``state`` holds each row's
        memories; None starts every stage afresh.
        """
        return self.candidates(scores, token_ids, prompt_length, state).full()

    def candidates(
        self,
        scores: torch.Tensor,
        token_ids: History = None,
        prompt_length: int | Sequence[int] = 0,
        state: States | None = None,
        compact: bool = True,
    ) -> Candidates:
        """``apply`` without spreading the survivors back over the vocabulary: what a draw needs."""
        scores = checked(scores, 2)
        now = Candidates(scores, Context.of(scores, token_ids, prompt_length))
        return fold(self.samplers, now, [self.start()] * len(scores) if state is None else state, compact)

    def trace(
        self,
        scores_row: torch.Tensor,
        token_ids: torch.Tensor | Sequence[int] | None = None,
        prompt_length: int = 0,
        state: tuple[Any, ...] | None = None,
    ) -> Trace:
        """float[V] scores, nats, and the int64[T] history of that row -> what each stage does."""
        scores = checked(scores_row, 1)[None]
        context = Context.of(scores, None if token_ids is None else [token_ids], prompt_length)
        return trace(self.samplers, scores, context, self.start() if state is None else state)


def checked(scores: torch.Tensor, num_dimensions: int) -> torch.Tensor:
    """Scores as float32 or float64, or a PlaygroundError: every row needs a finite maximum and no NaN."""
    if scores.dim() != num_dimensions or scores.numel() == 0:
        raise PlaygroundError(
            f"scores needs {num_dimensions} dimension(s) and at least one token; its shape is {tuple(scores.shape)}."
        )
    scores = scores if scores.dtype == torch.float64 else scores.float()
    if not bool(usable_rows(scores).all()):
        raise PlaygroundError(
            "The scores contain NaN or +inf, or leave no token at all: the model cannot be sampled from."
        )
    return scores
