"""Presence penalty: a token that already occurred loses a fixed amount, once.

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
class PresencePenalty(Sampler):
    """Asks only whether a token was used, not how often: it pushes towards new words."""

    penalty: Number = param(
        0.5, -2, 2, 0.01, label="Penalty", unit="nats", help="0 is off.", hard_low=-100, hard_high=100
    )
    last_n: Number = last_n()
    flavour: str = whose_tokens()

    name = "presence_penalty"
    title = "Presence penalty"
    slot = 30
    kind = "penalty"
    keeps_argmax = False
    off = {"penalty": 0.0}
    summary = "Lowers the score of every token already in the text by the same amount."
    formula = "ℓ′ = ℓ − α for tokens in the last n"
    source = "OpenAI API; llama.cpp"
    examples = (
        Example(
            "ln 4 lost once, though it occurred twice: odds of 16 : 1 become 4 : 1.",
            {"penalty": 1.3862944},
            survivors=(0, 1),
            logits=(2.7725887, 0.0),
            token_ids=(0, 0),
            expected_probs=(0.8, 0.2),
        ),
        Example(
            "Token 0 stands in the prompt alone, token 1 in the output: odds of 4 : 1 become 16 : 1.",
            {"penalty": 1.3862944, "flavour": "vllm"},
            survivors=(0, 1),
            logits=(1.3862944, 0.0),
            token_ids=(0, 0, 1),
            prompt_length=2,
            expected_probs=(16 / 17, 1 / 17),
        ),
    )
    demo = Demo(
        "My favourite colours are blue, green, red, blue, green, red, blue, green,",
        "All three colours pay the same once, however often they were said: red stays ahead of blue, and both "
        'fall behind "and".',
        {"penalty": 1.5},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        def penalised(old: torch.Tensor, counts: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
            return old - penalty

        return rescored(scores, context, self.last_n, self.penalty, 0.0, penalised, self.flavour == "vllm")
