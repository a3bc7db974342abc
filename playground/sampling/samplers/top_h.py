"""Top-h: keeps the likeliest tokens as long as they hold no more than a share of the entropy.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.columns import Number, column
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import flavour, param
from playground.sampling.ranked import Answer, kth_largest, largest, settled
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import softmax, weights
from playground.sampling.thresholds import Masses

NUM_LOOKED_AT = 100  # transformers looks at no more tokens than that
DRAWN = 4096  # ranks of the paper's staircase in the picture


@dataclass(frozen=True)
class TopH(Sampler):
    """Bounds the randomness itself: what survives may be only so much more uncertain."""

    top_h: Number = param(0.4, 0, 1, 0.01, label="h", unit="of the entropy", help="What may be kept; 0 is greedy.")

    flavour: str = flavour(
        {
            "ours": "as transformers: shares of the entropy of the 100 likeliest",
            "paper": "the entropy of the survivors among themselves, against that of all tokens, no limit of 100",
        },
        "Whose entropy is bounded.",
    )

    name = "top_h"
    title = "Top-h"
    slot = 48
    kind = "truncate"
    keeps_argmax = True
    off = None
    summary = "Of the 100 likeliest tokens keeps the first ones whose shares of the entropy add up to at most h of it."
    formula = "keep the longest prefix (at least 1) with Σ −pᵢ ln pᵢ ≤ h · H, p over the 100 likeliest"
    source = "Baghaei Potraghloo et al. 2025, arXiv 2509.02510; transformers #40837"
    examples = (
        Example(
            "In bits: ½·1, ¼·2, ⅛·3, ⅛·3 sum up to 1.75. Half of that is 0.875: ½ fits, ½ + ½ does not.",
            {"top_h": 0.5},
            survivors=(0,),
            probs=(0.5, 0.25, 0.125, 0.125),
        ),
        Example(
            "0.6 of 1.75 bits is 1.05: two tokens fit.",
            {"top_h": 0.6},
            survivors=(0, 1),
            probs=(0.5, 0.25, 0.125, 0.125),
        ),
        Example(
            "Of four equals three: their shares, ¾ of 2 bits, fit exactly.",
            {"top_h": 0.75},
            survivors=(0, 1, 2),
            logits=(1.0, 1.0, 1.0, 1.0),
        ),
        Example(
            "In the paper's form two: three equals have log₂ 3 = 1.58 bits among themselves, more than 1.5.",
            {"top_h": 0.75, "flavour": "paper"},
            survivors=(0, 1),
            logits=(1.0, 1.0, 1.0, 1.0),
        ),
    )
    demo = Demo(
        "Once upon a time, there was a",
        "Two fifths of the uncertainty are in the ten likeliest beginnings; the other ninety that it looks at go.",
        {"top_h": 0.4},
    )

    def reach(self, scores: torch.Tensor, best: torch.Tensor, scale: Number) -> Number | None:
        if self.flavour == "paper" or scores.shape[-1] <= NUM_LOOKED_AT:
            return None
        return best - kth_largest(scores, NUM_LOOKED_AT)

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        share = column(self.top_h, scores)
        if self.flavour == "paper":
            return scores.masked_fill(~largest(scores, _paper_counts(scores, share)), -torch.inf)
        best = scores.topk(min(NUM_LOOKED_AT, scores.shape[1]), dim=-1).values
        parts = torch.special.entr(softmax(best)).cumsum(-1)
        counts = (parts <= share * parts[:, -1:]).sum(-1, keepdim=True)
        return scores.masked_fill(~largest(scores, counts), -torch.inf)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        paper = self.flavour == "paper"
        best = probs.topk(min(DRAWN if paper else NUM_LOOKED_AT, probs.numel())).values
        climb = _prefix_entropies(best[None])[0] if paper else torch.special.entr(best / best.sum()).cumsum(0)
        whole = Masses.of(probs[None].log()).entropy_nats[0] if paper else climb[-1:]
        return Cut("cumulative", float(self.top_h), staircase=climb / whole.clamp(min=1e-300))


def _prefix_entropies(probs: torch.Tensor) -> torch.Tensor:
    """float64[B,W], likeliest first -> float64[B,W]: the entropy of each prefix among itself, nats; it only grows."""
    mass = probs.cumsum(-1)
    return mass.log() + torch.special.entr(probs).cumsum(-1) / mass


def _paper_counts(scores: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """int64[B,1]: how many of the likeliest tokens have an entropy among themselves of at most that share of all."""
    masses = Masses.of(scores)
    limit = share * masses.entropy_nats + 1e-12  # h = 1 asks whether two sums of the same terms are equal

    def ask(best: torch.Tensor) -> Answer:
        fits = (_prefix_entropies(weights(best) / masses.whole) <= limit).sum(-1)
        return fits, (fits < best.shape[1]) | (best.shape[1] == scores.shape[1])

    return settled(scores, ask)
