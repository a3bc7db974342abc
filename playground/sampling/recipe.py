"""A recipe of guidance: what each other branch reads, and how the branches are mixed at which scale.

Knows nothing about tokens, models or logits: contexts are named here and read elsewhere; presets are data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from playground.errors import PlaygroundError
from playground.sampling.guidance import (
    BRANCH_TEMPERATURE,
    MASK,
    MAX_BRANCHES,
    SCALE,
    WEIGHT,
    Gate,
    Guidance,
    Schedule,
)
from playground.sampling.param import Param, param, shortened

CONTEXTS = {
    "other": "the other text; where there is none, the prompt's last k tokens",
    "last": "the prompt's last k tokens",
    "before": "the other text, then the prompt",
    "after": "the prompt, then the other text",
    "no_system": "the conversation without its system text",
    "bos": "the token that begins a text, alone",
    "none": "no context: in a chat an empty conversation, else the token that ends a text",
    "prompt": "the whole prompt",
}
"""What a branch may read before the text that is being written."""
TEXT_CONTEXTS = frozenset({"other", "before", "after"})
MAX_TEXT_CHARS = 40_000
NUM_LAST: Param = param(
    1, 1, 32, 1, label="Last k", unit="tokens", help="How much of the prompt's end it reads.", integer=True
).metadata["param"]
LAYERS = ("", "low", "high")


@dataclass(frozen=True)
class Context:
    """What one other branch reads, and which model reads it."""

    kind: str = "other"
    k: int = 1
    """Of ``last``, and of ``other`` without a text."""
    text: str = ""
    """Of ``other``, ``before`` and ``after``; empty: the text that the page or the call gives."""
    model: int = 0
    """0: the main model."""
    layers: str = ""
    """Early exits of the same pass, for a branch that contrasts layers (DoLa); empty: the last layer."""

    def __post_init__(self) -> None:
        if self.kind not in CONTEXTS:
            raise PlaygroundError(f"A branch's context is one of {', '.join(CONTEXTS)}; got {shortened(self.kind)}.")
        object.__setattr__(self, "k", NUM_LAST.check("guidance.k", self.k))
        if not isinstance(self.text, str) or len(self.text) > MAX_TEXT_CHARS:
            raise PlaygroundError(f"A branch's text must be a text of at most {MAX_TEXT_CHARS:,} characters.")
        if any("\ud800" <= char <= "\udfff" for char in self.text):
            raise PlaygroundError("A branch's text holds half of a character (an unpaired surrogate); retype it.")
        if type(self.model) is not int or not 0 <= self.model < MAX_BRANCHES:
            raise PlaygroundError(f"A branch's model is a number from 0 (the main one) to {MAX_BRANCHES - 1}.")
        if self.layers not in LAYERS:
            raise PlaygroundError('A branch\'s layers are "low", "high" or left out.')

    @property
    def words(self) -> str:
        """What it reads, in words."""
        if self.kind == "last":
            return "the prompt's last token" if self.k == 1 else f"the prompt's last {self.k} tokens"
        return CONTEXTS[self.kind]


@dataclass(frozen=True)
class Recipe:
    """Branches and their weights under one scale: 1 is off, 2 gives every branch the weight written here.

    Between and beyond them weights go in a straight line: weight(scale) = off + (scale − 1)·(weight − off). For
    weights (2, −1) the scale is the γ of classifier-free guidance.
    """

    name: str = "cfg"
    contexts: tuple[Context, ...] = (Context(),)
    weights: tuple[float, ...] = (2.0, -1.0)
    temperatures: tuple[float, ...] = ()
    mask: float = 0.0
    gate: Gate = field(default_factory=Gate)
    schedule: Schedule = field(default_factory=Schedule)
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", SCALE.check("guidance.scale", self.scale))
        if not 1 <= len(self.contexts) < MAX_BRANCHES or len(self.weights) != len(self.contexts) + 1:
            raise PlaygroundError(
                f"guidance has 1 to {MAX_BRANCHES - 1} branches besides the prompt, and a weight for each of them."
            )
        _ = self.guidance  # refuses what Guidance refuses

    @cached_property
    def guidance(self) -> Guidance:
        """The numbers alone, at the recipe's scale."""
        return Guidance(weights_at(self.weights, self.scale), self.temperatures, self.mask, self.gate, self.schedule)

    @property
    def is_off(self) -> bool:
        return self.guidance.is_off

    @property
    def num_models(self) -> int:
        """Models it needs loaded."""
        return 1 + max(context.model for context in self.contexts)

    def at(self, scale: float) -> Recipe:
        """The same recipe at another scale."""
        return replace(self, scale=scale)


def weights_at(weights: tuple[float, ...], scale: float) -> tuple[float, ...]:
    """From off at 1 to ``weights`` at 2, and on. Written so that (2, −1) gives (γ, 1 − γ) to the last bit."""
    first, *others = weights
    step = scale - 1.0
    return (scale if first == 2.0 else 1.0 + step * (first - 1.0), *(step * weight for weight in others))


def branches_from_json(value: object) -> tuple[tuple[Context, ...], tuple[float, ...], tuple[float, ...]]:
    """``[{"context": "last", "k": 10, "weight": -0.5, "temperature": 1, "model": 0}, ...]``: the branches besides the
    prompt, their weights and their temperatures."""
    if not isinstance(value, list) or not 1 <= len(value) < MAX_BRANCHES:
        raise PlaygroundError(f"guidance.branches is a list of 1 to {MAX_BRANCHES - 1} branches besides the prompt.")
    known = ("context", "k", "text", "model", "layers", "weight", "temperature")
    contexts, weights, temperatures = [], [], []
    for one in value:
        if not isinstance(one, Mapping):
            raise PlaygroundError('Each of guidance.branches is an object like {"context": "last", "weight": -1}.')
        unknown = [str(name) for name in one if name not in known]
        if unknown:
            raise PlaygroundError(f"A branch has no {shortened(unknown[0])}; it has {', '.join(known)}.")
        facts: dict[str, Any] = {name: one[name] for name in ("k", "text", "model", "layers") if name in one}
        contexts.append(Context(_name(one.get("context", "other")), **facts))
        weights.append(WEIGHT.check("guidance.branches.weight", one.get("weight", -1.0)))
        temperatures.append(BRANCH_TEMPERATURE.check("guidance.branches.temperature", one.get("temperature", 1.0)))
    return tuple(contexts), tuple(weights), tuple(temperatures)


def mask_from_json(value: object) -> float:
    return float(MASK.check("guidance.mask", value))


def _name(value: object) -> str:
    return value if isinstance(value, str) else shortened(value)
