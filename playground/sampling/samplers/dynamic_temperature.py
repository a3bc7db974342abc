"""Dynamic temperature: cool where the model is sure, hot where it is not.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.divide import divided
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.thresholds import Masses


@dataclass(frozen=True)
class DynamicTemperature(Sampler):
    """The temperature follows the entropy: ``low`` at none of it, ``high`` where all tokens left are equally likely."""

    low: Number = param(0.5, 0, 5, 0.01, label="Sure", help="The temperature at no entropy at all.", hard_high=1e6)
    high: Number = param(
        1.5, 0, 5, 0.01, label="Unsure", help="The temperature at the highest entropy; 1 and 1 is off.", hard_high=1e6
    )
    exponent: Number = param(
        1.0, 0.1, 5, 0.01, label="Exponent", help="Above 1 heat comes late, below 1 early.", hard_low=0, hard_high=100
    )

    name = "dynamic_temperature"
    title = "Dynamic temperature"
    slot = 42
    kind = "shape"
    keeps_argmax = True
    off = {"low": 1.0, "high": 1.0}
    summary = "Divides all scores by a temperature that lies the nearer to its hot end the less sure the model is."
    formula = "ℓ′ = ℓ / T with T = low + (high − low) · (H / ln n)^exponent, n the number of tokens left"
    source = "KoboldCpp #464; llama.cpp #4972"
    examples = (
        Example(
            "H = 1.75 of 2 bits, so T = 0.25 + 2 · 7/8 = 2: roots of 4 : 2 : 1 : 1, that is 1 : 0.7071 : 0.5 : 0.5.",
            {"low": 0.25, "high": 2.25},
            survivors=(0, 1, 2, 3),
            probs=(0.5, 0.25, 0.125, 0.125),
            expected_probs=(0.3693980, 0.2612039, 0.1846990, 0.1846990),
        ),
        Example(
            "The exponent 0 makes every entropy the highest: T = 0.5 squares 2 : 1 to 4 : 1.",
            {"low": 3.0, "high": 0.5, "exponent": 0.0},
            survivors=(0, 1),
            probs=(2 / 3, 1 / 3),
            expected_probs=(0.8, 0.2),
        ),
    )
    demo = Demo(
        "The capital of France is",
        'Nearly sure, so it runs cold and Paris gets 99 %. Put "The dragon flew over Paris, France, and the" '
        "in its place and the same stage runs hot.",
        {"low": 0.3, "high": 1.8},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        low, high = column(self.low, scores), column(self.high, scores)
        if bool(((low == 1) & (high == 1)).all()):
            return scores
        num_left = (scores > -torch.inf).sum(-1, keepdim=True)
        highest = num_left.double().log()
        share = torch.where(num_left > 1, Masses.of(scores).entropy_nats / highest, 0.0).clamp(0.0, 1.0)
        temperature = low + (high - low) * share ** column(self.exponent, scores)
        # To float32's digits: the last ones of a power depend on how many rows are computed together.
        temperature = torch.where(num_left > 1, temperature.float().double(), 1.0)
        return divided(scores, temperature)
