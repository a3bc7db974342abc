"""Temperature: divide every score by one number, so that the distribution flattens or sharpens.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number
from playground.sampling.context import Context
from playground.sampling.divide import divided
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler


@dataclass(frozen=True)
class Temperature(Sampler):
    """T = 1 changes nothing, T = 0 is greedy: the first maximum alone survives."""

    temperature: Number = param(
        1.0, 0, 5, 0.01, label="Temperature", help="0 is greedy, 1 is the model itself.", hard_high=1e6
    )

    name = "temperature"
    title = "Temperature"
    slot = 40
    kind = "shape"
    keeps_argmax = True
    off = {"temperature": 1.0}
    summary = "Divides all scores by T: below 1 the likely tokens gain, above 1 the unlikely ones do."
    formula = "ℓ′ = ℓ / T"
    source = "Ackley, Hinton, Sejnowski 1985"
    examples = (
        Example(
            "T = 2 takes the square root of each probability, here 4 : 2 : 1 from 16 : 4 : 1.",
            {"temperature": 2.0},
            survivors=(0, 1, 2),
            probs=(16 / 21, 4 / 21, 1 / 21),
            expected_probs=(4 / 7, 2 / 7, 1 / 7),
        ),
        Example("T = 0: the first of two equals.", {"temperature": 0.0}, survivors=(1,), logits=(1.0, 3.0, 3.0)),
    )
    demo = Demo(
        "Once upon a time, there was a",
        "The story opens in some 280 plausible ways. At 0.5 it is 15: small, town, woman; drag it beyond 1 "
        "and the beginning could be anything.",
        {"temperature": 0.5},
    )

    @property
    def may_forbid(self) -> bool:
        return bool(self.temperature == 0)

    @property
    def divisor(self) -> Number:
        return self.temperature

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        return divided(scores, self.temperature)
