"""Logit bias: a number added to the scores of chosen tokens.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.sampling.columns import per_row
from playground.sampling.context import Context
from playground.sampling.param import biases
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.seen import within_range

FORBIDDING = 50.0
"""Nats: from here on a token, or with a positive one all others, is as good as gone: no dart is as fine as e^-50."""


@dataclass(frozen=True)
class LogitBias(Sampler):
    """A hand on the scale; a token that is already removed stays removed."""

    bias: Any = biases(label="Biases", unit="nats", help='What to add to which token, {"token id": number}; 0 is off.')

    name = "logit_bias"
    title = "Logit bias"
    slot = 5
    kind = "penalty"
    keeps_argmax = False
    off = {"bias": ()}
    summary = "Adds a chosen number to the scores of chosen tokens: −100 all but forbids, +100 all but forces."
    formula = "ℓ′ᵢ = ℓᵢ + bᵢ"
    source = "OpenAI API; llama.cpp"
    examples = (
        Example(
            "ln 4 added to the second of two equals.",
            {"bias": {"1": 1.3862944}},
            survivors=(0, 1),
            logits=(0.0, 0.0),
            expected_probs=(0.2, 0.8),
        ),
    )
    demo = Demo(
        "The capital of France is",
        "Four nats on token 4528, London: odds of 62 to 1 for Paris become nearly even.",
        {"bias": {"4528": 4}},
    )

    @property
    def may_forbid(self) -> bool:
        return any(abs(bias) >= FORBIDDING for _, bias in self.bias)

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        cells = [(row, *pair) for row, pairs in enumerate(per_row(self.bias, context.num_rows)) for pair in pairs]
        if not cells:
            return scores
        unknown = [token_id for _, token_id, _ in cells if token_id >= context.vocabulary_size]
        if unknown:
            raise PlaygroundError(
                f"logit_bias.bias names token {unknown[0]}; this model has tokens 0 to {context.vocabulary_size - 1}."
            )
        rows = torch.tensor([cell[0] for cell in cells])
        token_ids = torch.tensor([cell[1] for cell in cells])
        amounts = torch.tensor([cell[2] for cell in cells], dtype=torch.float64, device=scores.device)
        rows, columns, kept = context.locate(rows, token_ids, scores.device)
        biased = scores.clone()
        biased[rows, columns] = within_range(scores[rows, columns].double() + amounts[kept]).to(scores.dtype)
        return biased
