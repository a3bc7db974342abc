"""Top-p (nucleus): the smallest set of likeliest tokens whose probability reaches p.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import flavour, param
from playground.sampling.prefix import SLACK, crossing, mass_before, up_to
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import softmax


@dataclass(frozen=True)
class TopP(Sampler):
    """Cuts the tail by mass: few tokens where the model is sure, many where it is not."""

    top_p: Number = param(
        0.95, 0, 1, 0.001, label="p", unit="probability", help="What must be kept; 1 is off, 0 is greedy."
    )
    flavour: str = flavour(
        {
            "ours": "the token that crosses p stays, as in the paper and nearly everywhere",
            "exllamav3": "the token that crosses p goes, unless it is the likeliest",
        }
    )

    name = "top_p"
    title = "Top-p"
    slot = 60
    kind = "truncate"
    keeps_argmax = True
    off = {"top_p": 1.0}
    summary = "Keeps the likeliest tokens until their probabilities add up to p; the one that crosses p stays."
    formula = "keep the smallest set S, likeliest first, with Σ_{i∈S} pᵢ ≥ p"
    source = "Holtzman et al. 2019, arXiv 1904.09751"
    examples = (
        Example("0.5 + 0.3 reaches 0.8 exactly.", {"top_p": 0.8}, survivors=(0, 1), probs=(0.5, 0.3, 0.15, 0.05)),
        Example("The token that crosses 0.7 stays.", {"top_p": 0.7}, survivors=(0, 1), probs=(0.45, 0.28, 0.17, 0.10)),
        Example(
            "exllamav3 drops the token that crosses 0.7.",
            {"top_p": 0.7, "flavour": "exllamav3"},
            survivors=(0,),
            probs=(0.45, 0.28, 0.17, 0.10),
        ),
        Example("Equal tokens go in order of id.", {"top_p": 0.5}, survivors=(0, 1), probs=(0.25, 0.25, 0.25, 0.25)),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "The trap of nucleus sampling: after a temperature of 1.5 nine tenths of the probability are spread "
        "over thousands of tokens, and all of them stay.",
        {"top_p": 0.9},
        before=({"sampler": "temperature", "temperature": 1.5},),
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        wanted = column(self.top_p, scores)
        limited = wanted < 1
        if not limited.any():
            return scores
        key, probs = -scores, softmax(scores)
        if self.flavour == "exllamav3":
            return scores.masked_fill(limited & ~_within(key, probs, wanted + SLACK), -torch.inf)
        last = crossing(key, probs, wanted - SLACK)
        return scores.masked_fill(limited & ~up_to(key, last), -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("cumulative", float(self.top_p))


def _within(key: torch.Tensor, probs: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    """bool[B,K]: the tokens whose summed probability, their own included, is at most the limit; at least one."""
    last = crossing(key, probs, limit)
    upto = mass_before(key, probs, last)[:, None]
    drop = (upto > 0) & (upto + probs.gather(-1, last[:, None]) > limit)
    kept = up_to(key, last)
    return kept.scatter_(-1, last[:, None], kept.gather(-1, last[:, None]) & ~drop)
