"""Epsilon cutoff: a token survives if its probability is at least ε.

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
class EpsilonCutoff(Sampler):
    """One fixed threshold, whether the model is sure or not: the plainest cut there is."""

    epsilon: Number = param(
        0.0003, 0, 0.02, 0.0001, label="ε", unit="probability", help="What a token must reach; 0 is off.", hard_high=1
    )

    name = "epsilon_cutoff"
    title = "Epsilon cutoff"
    slot = 85
    kind = "truncate"
    keeps_argmax = True
    off = {"epsilon": 0.0}
    summary = "Keeps every token whose probability is at least ε; the likeliest one stays whatever it has."
    formula = "keep i where pᵢ ≥ ε"
    source = "Hewitt, Manning, Liang 2022, arXiv 2210.15191; transformers"
    examples = (
        Example("0.19 is below 0.2.", {"epsilon": 0.2}, survivors=(0, 1), probs=(0.5, 0.31, 0.19)),
        Example("Nobody has 0.6: the likeliest stays.", {"epsilon": 0.6}, survivors=(1,), probs=(0.3, 0.5, 0.2)),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "A fixed bar of 0.2 %: here, where nothing is likely, it takes half the probability away.",
        {"epsilon": 0.002},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        epsilon = column(self.epsilon, scores)
        if not bool((epsilon > 0).any()):
            return scores
        return at_least(scores, Masses.of(scores), epsilon.log())

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("probability", float(self.epsilon))
