"""The settings of a tuning run, each with its range, and the demonstration of forgetting.

Knows nothing about models or texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playground.control.losses import find
from playground.errors import PlaygroundError


@dataclass(frozen=True)
class TuningSettings:
    """One run; whole numbers and rates are checked."""

    loss: str = "forward_kl"
    num_epochs: int = 2
    """Offline passes over the texts that stand for the target."""
    num_steps: int = 8
    """Online gradient steps."""
    texts_per_step: int = 64
    texts_per_offline_step: int = 16
    max_tokens: int = 16
    """Of a text: the pool's."""
    learning_rate: float = 3e-4
    baseline: bool = True
    self_normalised: bool = False
    max_log_ratio: float = 6.0
    hold_out: float = 0.2
    patience: int = 2
    """Looks without a better held-out KL after which the run goes back to its best weights and stops; 0: never."""
    seed: int = 0

    def __post_init__(self) -> None:
        find(self.loss)
        for name, (low, high, kind) in RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
                whole = "whole " if kind is int else ""
                said = f"{name} must be a {whole}number from {low:g} to {high:g}; got {str(value)[:40]}."
                raise PlaygroundError(said)


RANGES: dict[str, tuple[float, float, Any]] = {
    "num_epochs": (0, 64, int),
    "num_steps": (0, 10_000, int),
    "texts_per_step": (2, 4096, int),
    "texts_per_offline_step": (1, 4096, int),
    "max_tokens": (1, 1024, int),
    "learning_rate": (1e-7, 1.0, (int, float)),
    "max_log_ratio": (0.1, 30.0, (int, float)),
    "hold_out": (0.01, 0.9, (int, float)),
    "patience": (0, 1000, int),
    "seed": (0, 2**63 - 1, int),
}
"""What each setting may be: from, to, kind."""

FORGETTING = TuningSettings(num_epochs=8, num_steps=0, texts_per_offline_step=4, learning_rate=1e-3, patience=0)
"""The demonstration: hits rise to most of the texts while the policy leaves the target behind."""
