"""Top-k: only the k best tokens survive, with all that tie with the last of them.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import flavour, param
from playground.sampling.ranked import kth_largest, largest
from playground.sampling.sampler import Demo, Example, Sampler


@dataclass(frozen=True)
class TopK(Sampler):
    """A fixed number of candidates, however sure or unsure the model is."""

    top_k: Number = param(
        50, 0, 200, 1, label="k", unit="tokens", help="How many may stay; 0 is off.", integer=True, hard_high=10**7
    )
    flavour: str = flavour(
        {
            "ours": "all tokens that tie with the k-th stay, as in transformers",
            "llama.cpp": "exactly k stay; of equals (whose order is left open there) those with the smaller ids",
        }
    )

    name = "top_k"
    title = "Top-k"
    slot = 50
    kind = "truncate"
    keeps_argmax = True
    off = {"top_k": 0}
    summary = "Keeps the k tokens with the highest scores; those that tie with the last one stay too."
    formula = "keep i where ℓᵢ ≥ k-th largest ℓ"
    source = "Fan, Lewis, Dauphin 2018, arXiv 1805.04833"
    examples = (
        Example("The two best of four.", {"top_k": 2}, survivors=(0, 2), logits=(3.0, 1.0, 2.0, 0.0)),
        Example("A tie at the border stays whole.", {"top_k": 2}, survivors=(0, 1, 2), logits=(1.0, 1.0, 1.0, 0.0)),
        Example(
            "llama.cpp keeps exactly two of three equals.",
            {"top_k": 2, "flavour": "llama.cpp"},
            survivors=(0, 1),
            logits=(1.0, 1.0, 1.0, 0.0),
        ),
    )
    demo = Demo(
        "They decided to name their daughter",
        "The list of names is long and flat, and k knows nothing of that: it cuts it in the middle and keeps "
        "five tokens of which hardly one is a name.",
        {"top_k": 5},
    )

    def reach(self, scores: torch.Tensor, best: torch.Tensor, scale: Number) -> Number | None:
        if isinstance(self.top_k, int):
            return best - kth_largest(scores, self.top_k) if 0 < self.top_k < scores.shape[-1] else None
        wanted = column(self.top_k, scores, torch.int64)
        if not bool(((wanted > 0) & (wanted < scores.shape[-1])).all()):
            return None
        values = scores.topk(int(wanted.max()), dim=-1).values
        return best - values.gather(-1, (wanted - 1).expand(scores.shape[0], 1))

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        size = scores.shape[-1]
        wanted = column(self.top_k, scores, torch.int64)
        limited = (wanted > 0) & (wanted < size)
        if not limited.any():
            return scores
        if self.flavour == "llama.cpp":
            kept = largest(scores, torch.where(limited, wanted, 1).expand(scores.shape[0], 1))
            return scores.masked_fill(limited & ~kept, -torch.inf)
        ranks = torch.where(limited, wanted, 1)
        best = scores.topk(int(ranks.max()), dim=-1).values
        threshold = best.gather(-1, (ranks - 1).expand(scores.shape[0], 1))
        return scores.masked_fill(limited & (scores < threshold), -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("rank", float(self.top_k)) if self.top_k else Cut()
