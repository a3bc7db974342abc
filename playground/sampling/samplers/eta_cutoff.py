"""Eta cutoff: the epsilon cutoff with a threshold that sinks where the model is unsure.

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
class EtaCutoff(Sampler):
    """At high entropy √ε·e^(−H) is the smaller of the two: a fixed ε would cut a flat distribution to pieces there."""

    epsilon: Number = param(
        0.0006, 0, 0.02, 0.0001, label="ε", unit="probability", help="The highest threshold; 0 is off.", hard_high=1
    )

    name = "eta_cutoff"
    title = "Eta cutoff"
    slot = 87
    kind = "truncate"
    keeps_argmax = True
    off = {"epsilon": 0.0}
    summary = "Keeps every token whose probability is at least ε, or less than ε where the entropy is high."
    formula = "keep i where pᵢ ≥ η with η = min(ε, √ε · e^(−H))"
    source = "Hewitt, Manning, Liang 2022, arXiv 2210.15191; transformers (its code: its docstring misplaces the root)"
    examples = (
        Example(
            "H = 1.69 nats, so η = 0.4 · e^(−1.69) = 0.074, less than ε: 0.08 stays, 0.06 goes.",
            {"epsilon": 0.16},
            survivors=(0, 1, 2, 3, 4),
            probs=(0.22, 0.22, 0.22, 0.2, 0.08, 0.06),
        ),
        Example(
            "H = 0.39 nats: √0.05 · e^(−0.39) = 0.15 is more than ε, so ε = 0.05 it is.",
            {"epsilon": 0.05},
            survivors=(0, 1),
            probs=(0.9, 0.07, 0.03),
        ),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "The ε that takes half the probability as an epsilon cutoff: at this entropy the bar sinks far below "
        "it (dashed), and over a thousand tokens stay.",
        {"epsilon": 0.002},
    )

    def log_threshold(self, masses: Masses, epsilon: torch.Tensor) -> torch.Tensor:
        """ε as float64[B,1] -> float64[B,1]: ln η."""
        return torch.minimum(epsilon.log(), epsilon.log() / 2 - masses.entropy_nats)

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        epsilon = column(self.epsilon, scores)
        if not bool((epsilon > 0).any()):
            return scores
        masses = Masses.of(scores)
        return at_least(scores, masses, self.log_threshold(masses, epsilon))

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        epsilon = float(self.epsilon)
        eta = float(self.log_threshold(Masses.of(probs[None].log()), column(epsilon, probs)).exp())
        return Cut("probability", eta, marks=(epsilon,) if eta < epsilon else ())
