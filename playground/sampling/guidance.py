"""Guidance as a value: how several branches of one text are weighed, masked, gated and scheduled.

Knows nothing about logits, prompts or models: ``mixing`` does the arithmetic, ``recipe`` says what a branch reads.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar, TypeVar

from playground.errors import PlaygroundError
from playground.sampling.param import Param, flavour, param, shortened

K = TypeVar("K", bound="_Kinds")
MAX_BRANCHES = 4
"""The prompt and three others: base, expert, anti-expert and one to spare."""
MAX_WEIGHT = 1000.0
SCALE: Param = param(
    1.0, -1, 7, 0.05, label="CFG scale", help="1 is off, more stresses the prompt.", hard_low=-1000, hard_high=1000
).metadata["param"]
WEIGHT: Param = param(
    1.0, -4, 4, 0.05, label="weight", help="Of one branch's log-probabilities.", hard_low=-1000, hard_high=1000
).metadata["param"]
BRANCH_TEMPERATURE: Param = param(
    1.0, 0.1, 2, 0.05, label="Branch T", help="Divides a branch's logits first.", hard_low=0.01, hard_high=100
).metadata["param"]


@dataclass(frozen=True)
class _Kinds:
    """A value with a ``kind`` and the numbers which that kind has; the others stand at their defaults, so that equal
    settings are equal values."""

    WHERE: ClassVar[str]
    USES: ClassVar[dict[str, tuple[str, ...]]]

    def __post_init__(self) -> None:
        facts = self.params()
        kind = facts["kind"].check(f"{self.WHERE}.kind", getattr(self, "kind"))  # noqa: B009
        for name, fact in facts.items():
            if name != "kind":
                used = name in self.USES[kind]
                value = fact.check(f"{self.WHERE}.{name}", getattr(self, name)) if used else fact.default
                object.__setattr__(self, name, value)

    @classmethod
    @cache
    def params(cls) -> dict[str, Param]:
        """Its parameters by name, as a sampler declares them."""
        return {one.name: one.metadata["param"] for one in dataclasses.fields(cls)}

    def to_json(self) -> dict[str, Any]:
        kind = getattr(self, "kind")  # noqa: B009
        return {"kind": kind, **{name: getattr(self, name) for name in self.USES[kind]}}

    @classmethod
    def from_json(cls: type[K], value: object) -> K:
        """``{"kind": "entropy", "bits": 2}``; PlaygroundError names what does not belong there."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise PlaygroundError(f'{cls.WHERE} must be an object like {{"kind": "{next(iter(cls.USES))}"}}.')
        kind = cls.params()["kind"].check(f"{cls.WHERE}.kind", value.get("kind", next(iter(cls.USES))))
        _refuse_unknown(value, ("kind", *cls.USES[kind]), f"{cls.WHERE} of kind {kind}")
        return cls(**{str(name): given for name, given in value.items()})


@dataclass(frozen=True)
class Gate(_Kinds):
    """At which steps guidance acts at all; where it is closed the step is the prompt's own, bit for bit."""

    kind: str = flavour(
        {
            "always": "at every step",
            "entropy": "only where the prompt branch wavers: its entropy exceeds τ bits",
            "first": "at the first N tokens of the text",
        },
        help="Where guidance acts.",
    )
    bits: float = param(
        2.0, 0, 12, 0.05, label="τ", unit="bits", help="Guides only where the entropy exceeds it.", hard_high=64
    )
    tokens: int = param(
        16, 1, 256, 1, label="First tokens", unit="tokens", help="Guides so many tokens.", integer=True, hard_high=10**7
    )
    WHERE: ClassVar[str] = "guidance.gate"
    USES: ClassVar[dict[str, tuple[str, ...]]] = {"always": (), "entropy": ("bits",), "first": ("tokens",)}


@dataclass(frozen=True)
class Schedule(_Kinds):
    """How strongly guidance acts at each step: the factor s on what the weights differ by from the prompt alone."""

    kind: str = flavour(
        {
            "constant": "s = 1",
            "linear": "s goes from a to b over N tokens and stays there",
            "divergence": "s is the Jensen-Shannon divergence of the first two branches, in bits (AdaCAD)",
            "decay": "s = exp(−λ·t): guidance fades along the text",
            "growth": "s = exp(λ·t) − 1, up to a limit: the further from the prompt, the stronger (M3ID)",
        },
        help="How its strength goes along the text.",
    )
    start: float = param(0.0, 0, 2, 0.05, label="s at the start", help="a", hard_low=-100, hard_high=100)
    end: float = param(1.0, 0, 2, 0.05, label="s at the end", help="b", hard_low=-100, hard_high=100)
    tokens: int = param(
        32, 1, 256, 1, label="Over", unit="tokens", help="N: b is reached here.", integer=True, hard_high=10**7
    )
    floor: float = param(0.0, 0, 1, 0.01, label="Floor of s", help="s is at least this.")
    rate: float = param(0.02, 0, 0.5, 0.005, label="λ", unit="a token", help="How fast.", hard_high=10)
    limit: float = param(2.0, 0, 8, 0.1, label="Limit of s", help="s is at most this.", hard_high=100)
    WHERE: ClassVar[str] = "guidance.schedule"
    USES: ClassVar[dict[str, tuple[str, ...]]] = {
        "constant": (),
        "linear": ("start", "end", "tokens"),
        "divergence": ("floor",),
        "decay": ("rate",),
        "growth": ("rate", "limit"),
    }

    def strength(self, index: int, divergence_bits: Callable[[], float]) -> float:
        """s at the token of this index (0: the first of the text). The divergence is computed only where it counts."""
        if self.kind == "linear":
            return self.start + (self.end - self.start) * min(1.0, index / self.tokens)
        if self.kind == "divergence":
            return max(self.floor, divergence_bits())
        if self.kind == "decay":
            return math.exp(-self.rate * index)
        if self.kind == "growth":
            return math.expm1(self.rate * index) if self.rate * index < math.log1p(self.limit) else self.limit
        return 1.0


@dataclass(frozen=True)
class Guidance:
    """Weights of the branches' log-probabilities, the prompt first; (1, 0, ...) is the prompt alone, which is *off*.

    score = z₀ + (w₀ − 1)·log p₀ + Σ wᵢ·log pᵢ with log pᵢ = log_softmax(zᵢ / Tᵢ): the published Σ wᵢ·log pᵢ, kept on
    the scale of the prompt's raw logits. At a step whose strength is s the weights go from off (0) to themselves (1).
    """

    weights: tuple[float, ...] = (1.0,)
    temperatures: tuple[float, ...] = ()
    """Of the branches after the prompt; empty: 1 each."""
    mask: float = param(
        0.0, 0, 1, 0.005, label="Mask m", unit="of the top p", help="Keeps tokens with p₀ ≥ m·max p₀; 0 is none."
    )
    gate: Gate = field(default_factory=Gate)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        weights, others = _numbers("guidance.weights", self.weights, WEIGHT), len(self.weights) - 1
        if not 1 <= len(weights) <= MAX_BRANCHES:
            raise PlaygroundError(f"guidance.weights holds 1 to {MAX_BRANCHES} numbers, the prompt's first.")
        temperatures = _numbers("guidance.temperatures", self.temperatures, BRANCH_TEMPERATURE) or (1.0,) * others
        if len(temperatures) != others:
            raise PlaygroundError(
                f"guidance.temperatures holds one number for each branch after the prompt ({others}), or is left out."
            )
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "temperatures", temperatures)
        object.__setattr__(self, "mask", MASK.check("guidance.mask", self.mask))
        object.__setattr__(self, "gate", Gate.from_json(self.gate))
        object.__setattr__(self, "schedule", Schedule.from_json(self.schedule))

    @property
    def is_off(self) -> bool:
        """Whether no other branch is needed, at any step."""
        return self.weights[0] == 1.0 and not any(self.weights[1:])

    @property
    def sum_of_weights(self) -> float:
        """1: neutral where the branches agree. Any other sum also acts as a temperature of 1 / sum."""
        return math.fsum(self.weights)

    def weights_at(self, strength: float) -> tuple[float, ...]:
        """The weights under a strength: off at 0, themselves at 1."""
        if strength == 1.0:
            return self.weights
        first, *others = self.weights
        limited = (1.0 + strength * (first - 1.0), *(strength * weight for weight in others))
        return tuple(max(-MAX_WEIGHT, min(MAX_WEIGHT, weight)) for weight in limited)

    def scaled(self, strength: float) -> Guidance:
        """The same guidance, so many times as strong."""
        return replace(self, weights=self.weights_at(strength))

    def to_json(self) -> dict[str, Any]:
        """Everything, in the form ``from_json`` takes."""
        return {
            "weights": list(self.weights),
            "temperatures": list(self.temperatures),
            "mask": self.mask,
            "gate": self.gate.to_json(),
            "schedule": self.schedule.to_json(),
        }

    @classmethod
    def from_json(cls, value: object) -> Guidance:
        """The reverse of ``to_json``; what is left out takes its default, PlaygroundError says what is wrong."""
        if not isinstance(value, Mapping):
            raise PlaygroundError('guidance must be an object like {"weights": [1.5, -0.5]}.')
        _refuse_unknown(value, tuple(one.name for one in dataclasses.fields(cls)), "guidance")
        return cls(**{str(name): given for name, given in value.items()})


MASK: Param = next(one for one in dataclasses.fields(Guidance) if one.name == "mask").metadata["param"]


def cfg(scale: float) -> Guidance:
    """Classifier-free guidance: the prompt with weight ``scale``, one other branch with 1 − ``scale``; 1 is off."""
    scale = SCALE.check("guidance.scale", scale)
    return Guidance((scale, 1.0 - scale))


def _numbers(where: str, values: object, fact: Param) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) > 100:
        raise PlaygroundError(f"{where} must be a list of numbers; got {shortened(values)}.")
    return tuple(fact.check(where, value) for value in values)


def _refuse_unknown(value: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    unknown = [str(name) for name in value if name not in known]
    if unknown:
        raise PlaygroundError(f"{where} has no {shortened(unknown[0])}; it has {', '.join(known)}.")
