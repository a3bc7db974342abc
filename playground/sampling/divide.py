"""Division by a temperature, one a row, with its two limits: zero is greedy, and nothing overflows.

Knows nothing about where the temperature comes from.
"""

from __future__ import annotations

import torch

from playground.sampling.columns import Number, column

HEADROOM = 1e37  # scores after the division stay below this, well inside float32


def divided(scores: torch.Tensor, temperature: Number) -> torch.Tensor:
    """float[B,K], nats, by a number or float64[B,1] -> float[B,K]; at 0 only the first maximum survives."""
    plain = not isinstance(temperature, torch.Tensor)
    if plain and temperature == 1:
        return scores
    divisor = column(temperature, scores)
    any_greedy = temperature == 0 if plain else bool((divisor == 0).any())
    greedy = divisor == 0 if any_greedy else None
    if greedy is not None:
        divisor = torch.where(greedy, 1.0, divisor)
    if (temperature < 1 if plain else bool((divisor < 1).any())) and not _safe(scores, temperature):
        # A tiny T would make scores infinite, and the next softmax NaN.
        largest = scores.masked_fill(scores == -torch.inf, 0.0).abs_().amax(-1, keepdim=True).double()
        divisor = torch.maximum(divisor, (largest / HEADROOM).clamp(min=1 / HEADROOM, max=1.0))
    cooled = scores / divisor.to(scores.dtype)
    if greedy is None:
        return cooled
    first = torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, scores.argmax(-1, keepdim=True), True)
    return torch.where(greedy & ~first, -torch.inf, cooled)


def _safe(scores: torch.Tensor, temperature: Number) -> bool:
    """Whether no quotient can overflow, where that is quick to see; False where it is not."""
    if scores.is_cuda or isinstance(temperature, torch.Tensor) or temperature == 0:
        return False
    low, high = scores.aminmax()
    return max(-float(low), float(high)) < HEADROOM * temperature
