"""Fresh texts of a policy in training, and what a look at them says about how exact it is.

Knows nothing about losses or steps. Its generators say in words what they are doing and return what they made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.control.exactness import Exactness, exactness, held_out_kl
from playground.control.sampling import in_turn
from playground.models.tuner import Text, Tuner
from playground.studies.drafts import Draft, drafts
from playground.studies.goal import Goal, Share
from playground.studies.proposals import numbered
from playground.studies.tuning_views import TextView, finite

NUM_SHOWN = 8


@dataclass(frozen=True)
class Fresh:
    """N texts of the policy as it stands, and everything that a step or a look needs of them, nats."""

    texts: list[Text]
    prompt_of: NDArray[np.int64]
    log_policy: Floats
    log_base: Floats
    log_target: Floats
    """−inf where the target excludes the text."""
    features: Floats
    """float64[N,J]; NaN where one raised."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool[N]: whether all features of the text could be had."""
        known: NDArray[np.bool_] = np.logical_not(np.isnan(self.features).any(axis=1))
        return known

    def exactness(self, log_z: Floats) -> Exactness:
        """``log_z`` float64[C]: the pool's, one for each prompt."""
        written = [ids for _, ids in self.texts]
        constants = log_z[self.prompt_of]
        return exactness(self.log_target, self.log_policy, self.log_base, constants, self.features, written)


def drawn(
    tuner: Tuner, goal: Goal, num_texts: int, max_tokens: int, seed: int, first_sample: int
) -> Generator[str, None, Fresh]:
    """Draw about so many texts from the policy, the prompts sharing them evenly, and read them under the base."""
    share = max(2, num_texts // len(goal.prompts))
    texts: list[Text] = []
    log_policy: list[float] = []
    for number, prompt in enumerate(goal.prompts):
        making = drafts(tuner.backend, prompt, share, max_tokens, seed, numbered(number, first_sample))
        found = yield from _told(making, f"Writing {share * len(goal.prompts)} texts")
        texts += [(prompt, draft.token_ids) for draft in found]
        log_policy += [draft.log_prob for draft in found]
    log_base: list[float] = []
    for few in in_fews(tuner, texts):
        log_base += tuner.log_base(few).tolist()
        yield "Reading them under the untouched model"
    base = np.array(log_base)
    features = goal.describe([tuple(ids) for _, ids in texts], base)
    prompt_of = np.repeat(np.arange(len(goal.prompts)), share)
    log_target = base + goal.log_potential(features, prompt_of)
    return Fresh(texts, prompt_of, np.array(log_policy), base, log_target, features)


def pool_as_fresh(goal: Goal) -> Fresh:
    """The pool itself, where it was drawn from the base: the texts of a policy that has not moved yet."""
    texts = pool_texts(goal, np.arange(len(goal.written)))
    return Fresh(texts, goal.prompt_of, goal.log_base, goal.log_base, goal.log_target, goal.features)


def held_out(tuner: Tuner, goal: Goal, share: Share, rate: float) -> Generator[str, None, float]:
    """KL(p‖π), nats, on texts of the pool that are not learnt; ``rate``: the share allowed of the policy's texts after
    the same prompts."""
    log_policy: list[float] = []
    for few in in_fews(tuner, pool_texts(goal, share.rows)):
        log_policy += tuner.log_policy(few).tolist()
        yield "Reading the held-out texts"
    log_target = goal.log_target[share.rows] - goal.log_z[goal.prompt_of[share.rows]]
    # Picked in proportion to their weight, so that each counts as often as it was picked.
    return held_out_kl(log_target, np.array(log_policy), log_target - np.log(share.counts), 0.0, rate)


def pool_texts(goal: Goal, rows: NDArray[np.int64]) -> list[Text]:
    return [(goal.prompts[goal.prompt_of[row]], goal.written[row]) for row in rows]


def in_fews(tuner: Tuner, texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
    """A few at a time: nobody waits longer for the machine than one such piece takes."""
    size = tuner.texts_at_once(longest(texts))
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def longest(texts: Sequence[Text]) -> int:
    """Tokens, the prompt's included."""
    return max((len(prompt) + len(ids) for prompt, ids in texts), default=1)


def shown(fresh: Fresh, goal: Goal, decode: Callable[[Sequence[int]], str]) -> list[TextView]:
    """A few of the texts for people, prompts in turn."""
    with np.errstate(invalid="ignore"):  # nothing of the target was seen after this prompt: no ratio
        log_ratios = fresh.log_target - goal.log_z[fresh.prompt_of] - fresh.log_policy
    rows = in_turn(fresh.prompt_of)[:NUM_SHOWN]
    texts = [decode(fresh.texts[row][1]) for row in rows]
    return [
        TextView(
            text=text,
            prompt=goal.label_of(fresh.prompt_of[row]),
            allowed=bool(np.isfinite(fresh.log_target[row])),
            marks=goal.marks(text),
            values=[finite(value) for value in fresh.features[row]],
            log_ratio=finite(log_ratios[row]),
        )
        for row, text in zip(rows, texts, strict=True)
    ]


def _told(making: Generator[float, None, list[Draft]], words: str) -> Generator[str, None, list[Draft]]:
    """The drafts; for every fraction of them the words."""
    while True:
        try:
            next(making)
        except StopIteration as end:
            found: list[Draft] = end.value
            return found
        yield words
