"""No repeated n-grams: a token is out if it would complete a run of n tokens that the text already has.

Knows nothing about other stages.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from playground.sampling.bans import banned
from playground.sampling.columns import Number, per_row
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.param import param
from playground.sampling.sampler import Demo, Example, Sampler


@dataclass(frozen=True)
class NoRepeatNgram(Sampler):
    """A hard rule where the penalties are soft ones: no run of n tokens twice, names and set phrases included."""

    size: Number = param(
        3, 0, 20, 1, label="n", unit="tokens", help="Length of a run that may stand only once; 0 is off.",
        integer=True, hard_high=10**6,
    )  # fmt: skip

    name = "no_repeat_ngram"
    title = "No repeated n-gram"
    slot = 36
    kind = "truncate"
    keeps_argmax = False
    off = {"size": 0}
    summary = "Removes every token that would repeat a run of n tokens of the text, prompt included."
    formula = "remove i where the last n − 1 tokens followed by i already stand in the text"
    source = "Paulus, Xiong, Socher 2017, arXiv 1705.04304; transformers"
    examples = (
        Example(
            "After 0 1 2 0 1 the pair 0 1 was once followed by 2.",
            {"size": 3},
            survivors=(0, 1, 3),
            logits=(1.0, 1.0, 1.0, 1.0),
            token_ids=(0, 1, 2, 0, 1),
        ),
        Example(
            "n = 1: no token twice.", {"size": 1}, survivors=(1, 3), logits=(1.0, 1.0, 1.0, 1.0), token_ids=(2, 0, 2)
        ),
    )
    demo = Demo(
        "A long time ago in a galaxy far, far away. A long time ago in a galaxy far, far",
        "The model is 99.5 % sure of the word that would say the line a second time. That one is out, and it "
        "has to improvise.",
        {"size": 3},
    )

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        sizes = per_row(self.size, context.num_rows)
        return banned(scores, context, [completing(context.window(row, 0), int(n)) for row, n in enumerate(sizes)])

    def cut(self, probs: torch.Tensor, alive: torch.Tensor) -> Cut:
        return Cut("tokens")


def completing(history: torch.Tensor, size: int) -> torch.Tensor:
    """int64[T] -> int64[N]: the tokens that would complete a run of ``size`` tokens that ``history`` has."""
    if size == 0 or history.numel() < size:
        return history[:0]
    runs = history.unfold(0, size, 1)
    suffix = history[history.numel() - size + 1 :]
    return runs[(runs[:, :-1] == suffix).all(-1), -1].unique()
