"""Token ban: chosen tokens are removed, always.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.sampling.bans import banned
from playground.sampling.columns import per_row
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import tokens
from playground.sampling.sampler import Demo, Example, Sampler


@dataclass(frozen=True)
class TokenBan(Sampler):
    """A bias of minus infinity. If it left nothing, the likeliest of the banned tokens would stay."""

    tokens: Any = tokens(label="Tokens", help="The ids of the tokens that may not come; none is off.")

    name = "token_ban"
    title = "Token ban"
    slot = 3
    kind = "truncate"
    keeps_argmax = False
    off = {"tokens": ()}
    summary = "Removes the tokens you name, wherever they stand in the ranking."
    formula = "ℓ′ᵢ = −∞ for the tokens on the list"
    source = "transformers (suppress_tokens); KoboldCpp (custom_token_bans)"
    examples = (
        Example(
            "Without the likeliest, ¼ and ¼ share what is left.",
            {"tokens": [0]},
            survivors=(1, 2),
            probs=(0.5, 0.25, 0.25),
            expected_probs=(0.5, 0.5),
        ),
        Example("All are banned: the likeliest stays.", {"tokens": [0, 1]}, survivors=(1,), probs=(0.25, 0.75)),
    )
    demo = Demo(
        "The capital of France is",
        "Without token 7042, Paris, the model does not know another capital: its four choices become 64.",
        {"tokens": [7042]},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        lists = per_row(self.tokens, context.num_rows)
        unknown = [token_id for ids in lists for token_id in ids if token_id >= context.vocabulary_size]
        if unknown:
            raise PlaygroundError(
                f"token_ban.tokens names token {unknown[0]}; this model has tokens 0 to {context.vocabulary_size - 1}."
            )
        return banned(scores, context, [torch.tensor(ids, dtype=torch.int64) for ids in lists])

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("tokens")
