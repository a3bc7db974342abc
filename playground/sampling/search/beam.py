"""Beam search: several texts grow side by side, and of all their continuations the most probable ones stay.

Knows nothing about lanes, models or pages: rows of log-probabilities go in, the next hypotheses come out.

The bookkeeping is that of transformers' generate(num_beams=...), so that texts agree token for token; differences
are flavours of the scores. Ties go to the better parent, then to the smaller token id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from playground.sampling.param import choice, flavour, param
from playground.sampling.search.search import Search
from playground.sampling.softmax import log_softmax

Fate = Literal["kept", "ended", "dropped"]
Ends = Callable[[tuple[int, ...]], bool]
"""Whether a hypothesis with these written tokens is complete: end of text, a stop string, the full length."""


@dataclass(frozen=True)
class BeamSearch(Search):
    """``num_beams`` texts at once."""

    num_beams: int = param(
        4, 1, 10, 1, label="Beams", help="Texts kept side by side; 1 is greedy.", integer=True, hard_high=32
    )
    length_penalty: float = param(
        1.0, -2, 3, 0.1, label="Length penalty", hard_low=-10, hard_high=10,
        help="The sum of log-probabilities is divided by length to this power: above 0 favours longer texts.",
    )  # fmt: skip
    early_stopping: str = choice(
        {
            "estimate": "stop when the best running text, at its present length, could not beat the finished ones",
            "first": "stop as soon as as many texts have ended as there are beams",
            "never": "stop when even a text of full length could not beat the finished ones",
        },
        label="Stop",
        help="When the search is over.",
    )
    flavour: str = flavour(
        {
            "ours": "a step adds the log-probability under the final distribution, the one the chart shows",
            "transformers": "the chain acts on the base's log-probabilities, and what it leaves is added as it is: "
            "a truncation only removes, and a repetition penalty multiplies log-probabilities",
        }
    )

    name = "beam"
    title = "Beam search"
    summary = "Keeps the most probable texts instead of the most probable tokens, and returns the best of them."
    formula = "score = Σ log p(xₜ | x₍ₜ) / lengthᵅ, α the length penalty"
    source = "Lowerre 1976 (Harpy); bookkeeping as in transformers' generate"
    with_chain = (
        "A step is worth its log-probability after guidance and chain. A truncation forbids what it removes; "
        "temperature sharpens or flattens every step; no dart is thrown."
    )

    @property
    def num_hypotheses(self) -> int:
        return self.num_beams


@dataclass(frozen=True)
class Hypothesis:
    """A text being written: its tokens after the prompt."""

    token_ids: tuple[int, ...] = ()
    log_prob: float = 0.0
    """Sum over its tokens, nats."""
    source: int = 0
    """The place of its parent among the hypotheses before this step."""


@dataclass(frozen=True)
class Finished:
    """A complete text and its score, log-probability over length to the power of the length penalty."""

    token_ids: tuple[int, ...]
    log_prob: float
    score: float


@dataclass(frozen=True)
class Candidate:
    """A continuation that was among the best: one node of the beam tree."""

    parent: int
    """The place of its parent among the hypotheses before this step."""
    token_id: int
    step_log_prob: float
    """Of this token alone, nats."""
    log_prob: float
    """Of the whole text, nats."""
    fate: Fate
    """Kept: a hypothesis of the next step, in order. Ended: a complete text. Dropped: others were better."""


@dataclass(frozen=True)
class Beams:
    """The state of a search between two steps."""

    running: tuple[Hypothesis, ...] = (Hypothesis(),)
    """Best first."""
    finished: tuple[Finished, ...] = ()
    """Best first, at most as many as there are beams."""
    closed: bool = False
    """No running text can improve on the finished ones (by the estimate chosen); finished stays as it is."""

    @property
    def is_over(self) -> bool:
        return self.closed or not self.running


def step_scores(search: BeamSearch, base: torch.Tensor, apply: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """float64[B,V]: what each token would add. ``base`` float[B,V] is after guidance, ``apply`` is the chain."""
    if search.flavour == "transformers":
        return apply(log_softmax(base))
    return log_softmax(apply(base))


def advance(
    search: BeamSearch, beams: Beams, scores: torch.Tensor, num_stops: int, room: int, ends: Ends
) -> tuple[Beams, tuple[Candidate, ...]]:
    """One step. ``scores`` float64[B,V], a row for each running hypothesis, in order, removed = -inf.

    ``num_stops`` is the number of tokens that may end a text: enough candidates are looked at that, even if every
    best one ends, the beams stay full. ``room`` is the number of tokens a text may have.
    """
    num_looked = max(2, 1 + num_stops) * search.num_beams
    best = _best(beams.running, scores, num_looked)
    ended = [ends((*beams.running[parent].token_ids, token_id)) for parent, token_id, _, _ in best]
    places = [place for place, over in enumerate(ended) if not over][: search.num_beams]
    running = tuple(_grown(beams.running, best[place]) for place in places)
    # Only what is among the best num_beams counts as a finished text; the rest were looked at as a reserve.
    complete = [_grown(beams.running, best[place]) for place, over in enumerate(ended[: search.num_beams]) if over]
    finished = _merged(search, beams.finished, complete)
    candidates = tuple(
        Candidate(*one, fate="kept" if place in places else "ended" if ended[place] else "dropped")
        for place, one in enumerate(best)
    )
    return Beams(running, finished, _closed(search, running, finished, room)), candidates


def best_so_far(search: BeamSearch, beams: Beams) -> Hypothesis:
    """The text that would win if the search ended now."""
    running = [(scored(search, one), one) for one in beams.running]
    finished = [(one.score, Hypothesis(one.token_ids, one.log_prob)) for one in beams.finished]
    return max(finished + running, key=lambda pair: pair[0])[1]


def scored(search: BeamSearch, one: Hypothesis) -> float:
    """log-probability / length^length_penalty; 0 for the text of no tokens."""
    length = len(one.token_ids)
    return one.log_prob / length**search.length_penalty if length else 0.0


_Best = tuple[int, int, float, float]
"""Parent, token id, the step's log-probability, the whole text's."""


def _best(running: Sequence[Hypothesis], scores: torch.Tensor, num_looked: int) -> list[_Best]:
    """The best continuations of all hypotheses, best first; ties by parent, then by token id. Removed ones never."""
    found: list[_Best] = []
    for parent, (one, row) in enumerate(zip(running, scores, strict=True)):
        threshold = row.topk(min(num_looked, len(row))).values[-1]
        token_ids = (row >= threshold).nonzero()[:, 0]  # ties with the last one too, so that none wins by chance
        token_ids = token_ids[row[token_ids].isfinite()]
        order = row[token_ids].argsort(descending=True, stable=True)[:num_looked]
        ids, values = token_ids[order].tolist(), row[token_ids][order].tolist()
        found += [(parent, token_id, value, one.log_prob + value) for token_id, value in zip(ids, values, strict=True)]
    return sorted(found, key=lambda one: -one[3])[:num_looked]


def _grown(running: Sequence[Hypothesis], one: _Best) -> Hypothesis:
    parent, token_id, _, log_prob = one
    return Hypothesis((*running[parent].token_ids, token_id), log_prob, parent)


def _merged(search: BeamSearch, finished: tuple[Finished, ...], complete: Sequence[Hypothesis]) -> tuple[Finished, ...]:
    new = [Finished(one.token_ids, one.log_prob, scored(search, one)) for one in complete]
    return tuple(sorted([*finished, *new], key=lambda one: -one.score)[: search.num_beams])


def _closed(search: BeamSearch, running: Sequence[Hypothesis], finished: Sequence[Finished], room: int) -> bool:
    """Whether the search may stop although texts are running."""
    if len(finished) < search.num_beams or not running:
        return False
    if search.early_stopping == "first":
        return True
    best = running[0]
    reaches = search.early_stopping == "never" and search.length_penalty > 0
    length = room if reaches else len(best.token_ids)
    return best.log_prob / length**search.length_penalty <= finished[-1].score
