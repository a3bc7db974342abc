"""Sampler: the shape of every stage of a chain, a frozen dataclass of its parameters with facts on its class.

Knows nothing about the particular samplers, their order, models or pages.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeVar

import torch

from playground.sampling.columns import Number, Rows
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.draw import Purpose
from playground.sampling.param import Param

Self = TypeVar("Self", bound="Sampler")


@dataclass(frozen=True)
class Example:
    """A worked example that a person can check on paper. Give ``logits`` or ``probs``, one row of either."""

    says: str
    params: dict[str, Any]
    survivors: tuple[int, ...]
    logits: tuple[float, ...] | None = None
    probs: tuple[float, ...] | None = None
    token_ids: tuple[int, ...] = ()
    prompt_length: int = 0  # of token_ids
    expected_probs: tuple[float, ...] | None = None  # of the survivors, in order of token id


@dataclass(frozen=True)
class Demo:
    """A "show me": a prompt on which the stage matters with the default model, and what to watch for."""

    prompt: str
    says: str
    params: dict[str, Any] = field(default_factory=dict)  # those that differ from the defaults
    before: tuple[dict[str, Any], ...] = ()  # stages that stand before it, as JSON; the stage itself comes last


@dataclass(frozen=True)
class Sampler:
    """One stage. Subclasses declare their fields with ``param`` and their facts as class attributes."""

    name: ClassVar[str]  # the name of its file
    title: ClassVar[str]  # for people
    slot: ClassVar[int]  # default place in the strip; smaller comes first
    kind: ClassVar[str]  # "penalty", "shape", "truncate" or "draw" (a draw must come last)
    keeps_argmax: ClassVar[bool]
    off: ClassVar[dict[str, Any] | None]  # the setting that equals absence; None: only its switch turns it off
    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    examples: ClassVar[tuple[Example, ...]]
    demo: ClassVar[Demo]
    shift_invariant: ClassVar[bool] = True  # adding a constant to all logits changes no probability
    shifting_flavours: ClassVar[tuple[str, ...]] = ()  # but in these it does, as in the engine they are named after
    stateful: ClassVar[bool] = False  # has memory: defines start and observe, and apply takes the states of its rows
    purpose: ClassVar[Purpose | None] = None  # of the coin of a random stage, one that defines branches
    branch_names: ClassVar[tuple[str, ...]] = ()  # for people, in the order of branches

    def __post_init__(self) -> None:
        for name, fact in self.params().items():
            checked = fact.check(f"{self.name}.{name}", getattr(self, name))
            object.__setattr__(self, name, checked)

    @classmethod
    @cache
    def params(cls) -> dict[str, Param]:
        """Its parameters by name, in the order of declaration; a field without a ``Param`` is what ``bind`` found."""
        return {one.name: one.metadata["param"] for one in dataclasses.fields(cls) if "param" in one.metadata}

    @property
    def variant(self) -> tuple[str, ...]:
        """Its choices (flavours): stages that differ in them follow different rules and never share a pass."""
        return tuple(getattr(self, name) for name, fact in self.params().items() if fact.kind == "choice")

    @property
    def is_off(self) -> bool:
        """Whether the parameters are those of its absence."""
        return self.off is not None and all(getattr(self, name) == value for name, value in self.off.items())

    @property
    def may_forbid(self) -> bool:
        """Whether with these parameters some token can end up without any chance, whatever its coin does."""
        return self.kind in ("truncate", "draw") and not self.is_off

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        """float[B,K], nats on the scale of the raw logits, removed = -inf -> the same shape; never in place.

        K is the vocabulary, or what is left of it: ``context`` says which tokens the columns are.
        """
        raise NotImplementedError

    def branches(self: Self) -> tuple[tuple[float, Self], ...]:
        """The outcomes of a random stage's coin: each one's probability, and the stage that it then is."""
        return ((1.0, self),)

    @property
    def divisor(self) -> Number | None:
        """The number by which it divides all scores, where that is all it does: see ``preselect``."""
        return 1.0 if self._is_plainly_off else None

    @property
    def _is_plainly_off(self) -> bool:
        settings = [getattr(self, name) for name in self.off or ()]
        return not any(isinstance(value, torch.Tensor | Rows) for value in settings) and self.is_off

    def reach(self, scores: torch.Tensor, best: torch.Tensor, scale: Number) -> Number | None:
        """How far below the best score a token may lie that it keeps, nats, had all scores been divided by ``scale``.

        Told of the scores before that division, float[B,K], and of their maxima float[B,1]; the answer is on their
        scale, a number or float[B,1]. For truncations whose choice does not depend on the tokens below; None: unknown.
        """
        return None

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        """The geometry of the cut, from float64[K] as it arrives and bool[K] as it leaves. One row.

        That of a stateful stage takes the row's memory as a third argument.
        """
        return Cut()

    def note(self, before: torch.Tensor, after: torch.Tensor, context: Context, state: Any) -> str:
        """What its figures do not say about one row, in words; float64[K] probabilities around the stage."""
        return ""

    def bind(self: Self, vocabulary: Any) -> Self:
        """The same stage with texts resolved to token ids; those without texts are themselves."""
        return self

    def start(self) -> Any:
        """The memory of a stateful stage before its first token: a small frozen value."""
        return None

    def observe(self, state: Any, before: torch.Tensor, after: torch.Tensor, column: int) -> Any:
        """The memory after the token of ``column`` was drawn; ``before`` and ``after`` are float[K] around this stage,
        in which that token is alive."""
        return state

    def to_json(self) -> dict[str, Any]:
        """The parameters under their names; a flavour only where it is not ours."""
        values = {
            name: fact.to_json(getattr(self, name))
            for name, fact in self.params().items()
            if fact.kind != "choice" or getattr(self, name) != fact.default
        }
        return {"sampler": self.name, **values}
