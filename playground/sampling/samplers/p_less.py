"""P-less: a token survives if it is at least as likely as two draws are to agree.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import flavour
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.thresholds import Masses, at_least


@dataclass(frozen=True)
class PLess(Sampler):
    """No knob: the threshold is a property of the distribution. Belongs after the temperature."""

    flavour: str = flavour(
        {
            "ours": "the plain form: the threshold is Σp²",
            "normalised": "p-less-norm of the same paper: (n·Σp² − 1)/(n − 1), n tokens left; keeps more",
        },
        "Which of the paper's two forms.",
    )

    name = "p_less"
    title = "P-less"
    slot = 89
    kind = "truncate"
    keeps_argmax = True
    off = None
    summary = "Keeps every token at least as likely as it is that two draws from this distribution are the same token."
    formula = "keep i where pᵢ ≥ Σⱼ pⱼ²"
    source = "Tan et al. 2025, arXiv 2509.23234"
    examples = (
        Example(
            "0.5² + 0.3² + 0.2² = 0.38: the second token is less likely than that.",
            {},
            survivors=(0,),
            probs=(0.5, 0.3, 0.2),
        ),
        Example("0.45² + 0.45² + 0.1² = 0.415: both equals stay.", {}, survivors=(0, 1), probs=(0.45, 0.45, 0.1)),
        Example("Σp² = 0.46: 0.3 goes.", {}, survivors=(0,), probs=(0.6, 0.3, 0.1)),
        Example(
            "Normalised, the same threshold is (3 · 0.46 − 1)/2 = 0.19: 0.3 stays.",
            {"flavour": "normalised"},
            survivors=(0, 1),
            probs=(0.6, 0.3, 0.1),
        ),
    )
    demo = Demo(
        "The dragon flew over Paris, France, and the",
        "No knob to set: at this heat two draws agree once in a thousand times, and about a hundred tokens are "
        "likelier than that. Lower the temperature, and it grows stricter by itself.",
        before=({"sampler": "temperature", "temperature": 1.5},),
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        masses = Masses.of(scores)
        return at_least(scores, masses, self.threshold(masses).log())

    def threshold(self, masses: Masses) -> torch.Tensor:
        """float64[B,1]: the probability that a token must reach."""
        agreeing = masses.collision
        if self.flavour == "ours":
            return agreeing
        count = (masses.below > -torch.inf).sum(-1, keepdim=True).double()
        return torch.where(count > 1, (count * agreeing - 1) / (count - 1), 0.0).clamp(min=0.0)

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("probability", float(self.threshold(Masses.of(probs[None].log()))))
