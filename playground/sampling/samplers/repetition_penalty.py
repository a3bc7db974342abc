"""Repetition penalty: tokens that already occurred become less likely by a factor on their scores.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number
from playground.sampling.context import Context
from playground.sampling.param import last_n, param
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.seen import rescored


@dataclass(frozen=True)
class RepetitionPenalty(Sampler):
    """Depends on where zero lies on the score scale, which no other stage does; hence not shift-invariant."""

    penalty: Number = param(
        1.1, 1, 2, 0.01, label="Penalty", help="1 is off; below 1 rewards repetition.", hard_low=0.01, hard_high=100
    )
    last_n: Number = last_n()

    name = "repetition_penalty"
    title = "Repetition penalty"
    slot = 10
    kind = "penalty"
    keeps_argmax = False
    shift_invariant = False
    off = {"penalty": 1.0}
    summary = "Divides the positive scores of tokens already in the text by r and multiplies their negative ones."
    formula = "ℓ′ = ℓ / r if ℓ > 0, else ℓ · r, for tokens in the last n"
    source = "Keskar et al. 2019 (CTRL), arXiv 1909.05858, with the sign fix every engine has"
    examples = (
        Example(
            "r = 2: 2 → 1 and −1 → −2, the third is untouched, so the logits are 1, −2, 1.",
            {"penalty": 2.0},
            survivors=(0, 1, 2),
            logits=(2.0, -1.0, 1.0),
            token_ids=(0, 1, 1),
            expected_probs=(0.4878555, 0.0242889, 0.4878555),
        ),
        Example(
            "A window of one sees token 1 only.",
            {"penalty": 2.0, "last_n": 1},
            survivors=(0, 1),
            logits=(0.0, 1.3862944),
            token_ids=(0, 1),
            expected_probs=(1 / 3, 2 / 3),
        ),
    )
    demo = Demo(
        "The cat sat on the mat. The cat sat on the",
        "Mat and cat lead because they were just said. The penalty drops both, and bed, couch and floor take over.",
        {"penalty": 1.3},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        def penalised(old: torch.Tensor, counts: torch.Tensor, penalty: torch.Tensor) -> torch.Tensor:
            return torch.where(old > 0, old / penalty, old * penalty)

        return rescored(scores, context, self.last_n, self.penalty, 1.0, penalised)
