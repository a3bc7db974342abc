"""Chain: an ordered tuple of samplers; apply() is the fast fold, trace() the fold that shows its work.

Knows nothing about particular samplers, models, users or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.sampling import chain_text
from playground.sampling.branches import Coins, mixed, outcomes, takes
from playground.sampling.candidates import Candidates, compacted
from playground.sampling.context import Context
from playground.sampling.draw import coin
from playground.sampling.fold import applied, fold
from playground.sampling.sampler import Sampler
from playground.sampling.softmax import usable_rows
from playground.sampling.trace import Trace, trace

MAX_STAGES = 64
MAX_BRANCHES = 16  # outcomes of all coins together: each is carried through the rest of the chain
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
                last = self.samplers[-1]
                also = f" {last.title} does so too: switch one of them off." if last.kind == "draw" else ""
                raise PlaygroundError(f"{sampler.title} draws the token itself, so it must be the last stage.{also}")
        num_branches = math.prod(len(sampler.branches()) for sampler in self.samplers)
        if num_branches > MAX_BRANCHES:
            raise PlaygroundError(
                f"The random stages of this chain have {num_branches:,} outcomes together, each to be computed; at "
                f"most {MAX_BRANCHES} fit. Take some of them out, or set their probability to 0 or 1."
            )

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
    def random(self) -> bool:
        """Whether a stage flips a coin of its own."""
        return any(len(sampler.branches()) > 1 for sampler in self.samplers)

    def coins(self, seed: int, sample: int, step: int) -> Coins:
        """The numbers of its random stages at one step, one a stage; () where no stage is random.

        A stage's second copy has numbers of its own; a change of other stages, or of a probability, changes none.
        """
        if not any(sampler.purpose is not None for sampler in self.samplers):
            return ()
        return tuple(
            None if sampler.purpose is None else coin(seed, sample, step, sampler.purpose, copy)
            for sampler, (_, copy) in zip(self.samplers, _names(self.samplers), strict=True)
        )

    def decided(self, coins: Coins) -> Chain:
        """The chain with every random stage as its coin decides it; without coins each stays its own mixture."""
        if not coins or not self.random:
            return self
        samplers = [
            next(resolved for _, pick, resolved in outcomes(place, sampler) if takes((pick,), coins))
            for place, sampler in enumerate(self.samplers)
        ]
        return Chain(tuple(samplers))

    @property
    def stateful(self) -> bool:
        return any(sampler.stateful for sampler in self.samplers)

    def start(self) -> tuple[Any, ...]:
        """The memory of every stage before the first token of a sequence."""
        return tuple(sampler.start() for sampler in self.samplers)

    def carried(self, other: Chain, state: tuple[Any, ...]) -> tuple[Any, ...]:
        """The memory ``state`` of another chain, where the same stages stand in this one; the rest starts afresh."""
        known = dict(zip(_names(other.samplers), state, strict=False))  # what was searched for recorded none
        return tuple(
            known.get(name, sampler.start()) for name, sampler in zip(_names(self.samplers), self.samplers, strict=True)
        )

    def observe(
        self,
        state: tuple[Any, ...],
        scores: torch.Tensor,
        token_id: int,
        token_ids: Sequence[int] | torch.Tensor | None = None,
        prompt_length: int = 0,
        coins: Coins = (),
    ) -> tuple[Any, ...]:
        """The memory after ``token_id`` was drawn from float[V] ``scores``; costs a fold where there is memory.

        ``coins`` as when it was drawn. A token that was removed on its way (somebody forced it) teaches nothing.
        """
        if not self.stateful:
            return state
        history = None if token_ids is None else [token_ids]
        now = Candidates(scores[None], Context.of(scores[None], history, prompt_length))
        memories = list(state)
        for place, sampler in enumerate(self.decided(coins).samplers):
            after = Candidates(applied(sampler, now, (state[place],)), now.context)
            column = now.columns(torch.tensor([token_id], device=scores.device))
            if int(now.token_ids(column)) != token_id or after.scores[0, column] == -torch.inf:
                return tuple(memories)
            if sampler.stateful:
                memories[place] = sampler.observe(state[place], now.scores[0], after.scores[0], int(column))
            now = compacted(after) if sampler.kind == "truncate" else after
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
        """``apply`` without spreading the survivors back over the vocabulary."""
        scores = checked(scores, 2)
        now = Candidates(scores, Context.of(scores, token_ids, prompt_length))
        return mixed(fold(self.samplers, now, [self.start()] * len(scores) if state is None else state, compact))

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


def _names(samplers: Sequence[Sampler]) -> list[tuple[str, int]]:
    """Each stage's name, and which of its copies it is."""
    names = [sampler.name for sampler in samplers]
    return [(name, names[:place].count(name)) for place, name in enumerate(names)]


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
