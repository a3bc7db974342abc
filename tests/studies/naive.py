"""The pipeline again, by hand: float64 over the full vocabulary, one plain loop a stage; what the view is held against.

Knows nothing about the package's samplers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]


def softmax(scores: Row) -> Row:
    weights = np.exp(scores - scores[scores > -np.inf].max())
    return weights / weights.sum()


def guided(prompt: Row, negative: Row, scale: float) -> Row:
    """log p(negative) + scale * (log p(prompt) - log p(negative)), the paper's form."""
    log_prompt, log_negative = np.log(softmax(prompt)), np.log(softmax(negative))
    return log_negative + scale * (log_prompt - log_negative)


def stage(scores: Row, name: str, value: Any) -> Row:
    """One stage on float64[V] scores; removed = -inf."""
    p, after = softmax(scores), scores.copy()
    ranked = sorted(np.flatnonzero(scores > -np.inf), key=lambda token: (-p[token], token))
    if name == "temperature":
        return scores / value
    if name == "top_k":
        kept = set(ranked[:value])
    elif name == "top_p":
        kept, mass = set(), 0.0
        for token in ranked:
            kept.add(token)
            mass += p[token]
            if mass >= value:
                break
    elif name == "min_p":
        kept = {token for token in ranked if p[token] >= value * p.max()}
    elif name == "logit_bias":
        for token, bias in value.items():
            after[int(token)] += bias
        return after
    else:
        raise ValueError(name)
    after[[token for token in range(len(scores)) if token not in kept]] = -np.inf
    return after


def entropy_bits(p: Row) -> float:
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


def hit(p: Row, uniform: float) -> int:
    """The token a dart hits: cumulative mass in descending probability, ties by id."""
    mass = 0.0
    order = sorted(np.flatnonzero(p > 0), key=lambda token: (-p[token], token))
    for token in order:
        mass += p[token]
        if uniform < mass:
            return int(token)
    return int(order[-1])
