"""Top-a: a token survives if its probability is at least a times the square of the highest one.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.thresholds import Masses, at_least


@dataclass(frozen=True)
class TopA(Sampler):
    """Strict where the model is sure, lenient where it is not, more so than min-p: it falls with the square."""

    top_a: Number = param(0.2, 0, 1, 0.001, label="a", unit="of the top p²", help="0 is off.")

    name = "top_a"
    title = "Top-a"
    slot = 83
    kind = "truncate"
    keeps_argmax = True
    off = {"top_a": 0.0}
    summary = "Keeps every token at least as likely as a times the square of the highest probability."
    formula = "keep i where pᵢ ≥ a · p_max²"
    source = "BlinkDL's RWKV-LM, by way of KoboldAI"
    examples = (
        Example("0.5 · 0.6² = 0.18: 0.15 goes.", {"top_a": 0.5}, survivors=(0, 1), probs=(0.6, 0.25, 0.15)),
        Example(
            "Less sure, the same a: 0.5 · 0.4² = 0.08 lets 0.1 stay, and 0.07 goes.",
            {"top_a": 0.5},
            survivors=(0, 1, 2),
            probs=(0.43, 0.4, 0.1, 0.07),
        ),
    )
    demo = Demo(
        "The capital of France is",
        'The model is sure, so the bar is high: only Paris clears a fifth of its square. After "The dragon '
        'flew over Paris, France, and the" three hundred tokens do.',
        {"top_a": 0.2},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        share = column(self.top_a, scores)
        if not bool((share > 0).any()):
            return scores
        masses = Masses.of(scores)
        return at_least(scores, masses, share.log() - 2 * masses.whole.log())  # ln p_max = −ln Σ w

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("probability", float(self.top_a) * float(probs.max()) ** 2)
