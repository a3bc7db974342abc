"""The likeliest among some tokens, without a full sort.

Knows nothing about what they are shown for.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def largest(probabilities: NDArray[np.float64], among: NDArray[np.bool_], count: int) -> list[int]:
    """Up to ``count`` token ids among a mask, by descending probability, ties by id."""
    candidates = np.flatnonzero(among)
    values = probabilities[candidates]
    if len(candidates) > count:
        kept = np.flatnonzero(values >= torch.as_tensor(values).topk(count).values[-1].item())
        candidates, values = candidates[kept], values[kept]
    return candidates[np.argsort(-values, kind="stable")][:count].tolist()
