"""Contrastive search: of the k best tokens the one that is probable and least like what stands there already.

Knows nothing about lanes, models or pages: probabilities and hidden states go in, the choice comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from playground.sampling.param import param
from playground.sampling.search.search import Search


@dataclass(frozen=True)
class ContrastiveSearch(Search):
    """``top_k`` candidates are read one token ahead each time; ``alpha`` weighs likeness against probability."""

    top_k: int = param(
        4, 2, 12, 1, label="Candidates", unit="tokens", help="How many of the best tokens are tried.", integer=True,
        hard_low=1, hard_high=32,
    )  # fmt: skip
    alpha: float = param(
        0.6, 0, 1, 0.05, label="α", help="0 is greedy; more avoids tokens whose state repeats an earlier one."
    )

    name = "contrastive"
    title = "Contrastive search"
    summary = "Reads each of the k best tokens and takes the one that is probable without resembling the text so far."
    formula = "x = argmax over top-k of (1 − α)·p(v) − α·maxⱼ cos(hᵥ, hⱼ)"
    source = "Su et al. 2022, arXiv 2202.06417"
    with_chain = (
        "p is the final distribution after guidance and chain; the k candidates are the best of it. The states h are "
        "the prompt branch's last layer, of every token of prompt and text."
    )
    needs_states = True

    @property
    def num_hypotheses(self) -> int:
        return self.top_k


@dataclass(frozen=True)
class Tried:
    """One candidate of one step."""

    token_id: int
    prob: float
    """Under the final distribution."""
    penalty: float
    """The largest cosine between its state and that of an earlier token: the degeneration penalty, -1 to 1."""
    score: float
    """(1 - alpha) * prob - alpha * penalty."""


def candidates(probs: torch.Tensor, top_k: int) -> list[int]:
    """The token ids of the ``top_k`` largest of float64[V], best first, ties by token id; removed ones never."""
    threshold = probs.topk(min(top_k, len(probs))).values[-1]
    token_ids = ((probs >= threshold) & (probs > 0)).nonzero()[:, 0]
    order = probs[token_ids].argsort(descending=True, stable=True)[:top_k]
    return [int(token_id) for token_id in token_ids[order]]


def weigh(
    search: ContrastiveSearch,
    token_ids: Sequence[int],
    probs: Sequence[float],
    states: torch.Tensor,
    context: torch.Tensor,
) -> tuple[int, tuple[Tried, ...]]:
    """The place of the winner, and every candidate with its figures.

    ``states`` float[k,D] are the candidates' own hidden states, ``context`` float[T,D] those of the text before them.
    The first of equal scores wins, which is the more probable one.
    """
    penalties = likeness(states, context).tolist()
    tried = tuple(
        Tried(token_id, prob, penalty, (1 - search.alpha) * prob - search.alpha * penalty)
        for token_id, prob, penalty in zip(token_ids, probs, penalties, strict=True)
    )
    return max(range(len(tried)), key=lambda place: tried[place].score), tried


def likeness(states: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
    """float64[k]: the largest cosine between float[k,D] and any row of float[T,D]. A state of length 0 is like none."""
    ours, theirs = (torch.nn.functional.normalize(rows.double(), dim=-1) for rows in (states, context))
    return (ours @ theirs.T).amax(-1)
