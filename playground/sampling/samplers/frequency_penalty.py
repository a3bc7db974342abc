"""Frequency penalty: a token loses a fixed amount for every time it already occurred.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number
from playground.sampling.context import Context
from playground.sampling.param import last_n, param, whose_tokens
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.seen import rescored


@dataclass(frozen=True)
class FrequencyPenalty(Sampler):
    """Grows with the count, so a word may be said twice and hardly ten times."""

    penalty: Number = param(
        0.5, -2, 2, 0.01, label="Penalty", unit="nats each time", help="0 is off.", hard_low=-100, hard_high=100
    )
    last_n: Number = last_n()
    flavour: str = whose_tokens()

    name = "frequency_penalty"
    title = "Frequency penalty"
    slot = 20
    kind = "penalty"
    keeps_argmax = False
    off = {"penalty": 0.0}
    summary = "Lowers the score of a token once for every time it is already in the text."
    formula = "ℓ′ = ℓ − count · α, counted in the last n tokens"
    source = "OpenAI API; llama.cpp"
    examples = (
        Example(
            "ln 4 lost twice: odds of 16 : 1 become 1 : 1.",
            {"penalty": 1.3862944},
            survivors=(0, 1),
            logits=(2.7725887, 0.0),
            token_ids=(0, 0),
            expected_probs=(0.5, 0.5),
        ),
        Example(
            "Without the prompt's two tokens one is left: odds of 16 : 1 become 4 : 1.",
            {"penalty": 1.3862944, "flavour": "vllm"},
            survivors=(0, 1),
            logits=(2.7725887, 0.0),
            token_ids=(0, 0, 0),
            prompt_length=2,
            expected_probs=(0.8, 0.2),
        ),
    )
    demo = Demo(
        "My favourite colours are blue, green, red, blue, green, red, blue, green,",
        "Blue and green were said three times and pay threefold, red twice; the list breaks out of its circle.",
        {"penalty": 1.0},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        def penalised(old: torch.Tensor, counts: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
            return old - counts * penalty

        return rescored(scores, context, self.last_n, self.penalty, 0.0, penalised, self.flavour == "vllm")
