"""Division by a temperature, one a row, with its two limits: zero is greedy, and nothing overflows.

Knows nothing about where the temperature comes from.
"""

from __future__ import annotations

import torch

HEADROOM = 1e37  # scores after the division stay below this, well inside float32


def divided(scores: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
    """float[B,K], nats, and float64[B,1] or [1,1] -> float[B,K]; at 0 only the first maximum survives."""
    if (temperature == 1).all():
        return scores
    greedy = temperature == 0
    divisor = torch.where(greedy, 1.0, temperature)
    if (divisor < 1).any():  # a tiny T would make scores infinite and the next softmax NaN
        largest = scores.masked_fill(scores == -torch.inf, 0.0).abs_().amax(-1, keepdim=True).double()
        divisor = torch.maximum(divisor, (largest / HEADROOM).clamp(min=1 / HEADROOM, max=1.0))
    cooled = scores / divisor.to(scores.dtype)
    if not greedy.any():
        return cooled
    first = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, scores.argmax(-1, keepdim=True), True)
    return torch.where(greedy & ~first, -torch.inf, cooled)
