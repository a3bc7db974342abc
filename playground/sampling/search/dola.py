"""DoLa: what the last layer knows beyond an earlier one. Which layer that is, by how far its answer lies from the last.

Knows nothing about lanes, models or pages. The contrast itself, log p(last) - log p(earlier) where the last layer
finds the token plausible, is guidance with one more branch; this file finds that branch's row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from playground.errors import PlaygroundError
from playground.sampling.softmax import log_softmax

Bucket = Literal["low", "high"]
PLAUSIBLE = 0.1
"""A token counts where log p is within ln 0.1 of the best one's (the paper's alpha)."""
MANY_LAYERS, LAYERS_AWAY = 40, 20
"""Of a model with more than 40 layers only the first or last 20 are looked at."""


@dataclass(frozen=True)
class LayerChoice:
    """The layers that were compared at one step, and the one taken."""

    layers: tuple[int, ...]
    divergence_bits: tuple[float, ...]
    """How far each layer's answer lies from the last one's, bits."""

    @property
    def layer(self) -> int:
        """The one whose answer is furthest; the lowest of equals."""
        return self.layers[max(range(len(self.layers)), key=lambda place: self.divergence_bits[place])]


def candidate_layers(num_layers: int, bucket: Bucket, ties_embeddings: bool) -> tuple[int, ...]:
    """Even layers of the lower or the upper half; 0 is the embedding, ``num_layers`` the last and never among them.

    Where the output matrix is the embedding's, the first layers spell out their own input: they start at 2.
    """
    if bucket not in ("low", "high") or num_layers < 1:
        raise PlaygroundError(f"DoLa compares the low or the high layers of a model that has layers; got {bucket!r}.")
    half = num_layers // 2
    first = min(2, num_layers - 1) if ties_embeddings else 0
    if bucket == "high":
        low = half if num_layers <= MANY_LAYERS else num_layers - LAYERS_AWAY
        return tuple(range(max(low, first), num_layers, 2))
    layers = tuple(range(first, half if num_layers <= MANY_LAYERS else LAYERS_AWAY, 2))
    return layers or (first,)


def divergence_bits(final: torch.Tensor, earlier: torch.Tensor) -> torch.Tensor:
    """float64[L], bits: how far each of float[L,V] layers' logits answers from float[V] of the last one.

    ½·(KL(m‖p) + KL(m‖q)), m the mean of both: the authors' code and transformers'. The paper writes Jensen-Shannon,
    with m on the other side of each KL, which now and then picks another layer.
    """
    last, others = log_softmax(final[None]), log_softmax(earlier)
    middle = (last.exp() + others.exp()) / 2
    return (_kl(middle, last) + _kl(middle, others)) / (2 * math.log(2))


def choose(layers: tuple[int, ...], final: torch.Tensor, earlier: torch.Tensor) -> LayerChoice:
    """Which of ``layers`` is the contrast: ``earlier`` float[L,V] are their logits, ``final`` float[V] the last's."""
    return LayerChoice(layers, tuple(divergence_bits(final, earlier).tolist()))


def _kl(probs: torch.Tensor, log_others: torch.Tensor) -> torch.Tensor:
    """float64[...,V] probabilities and log-probabilities -> KL, nats; infinite where the other gives 0 to what has
    mass."""
    return torch.where(probs > 0, probs * (probs.log() - log_others), 0.0).sum(-1).clamp(min=0.0)
