"""What one round carries: people's texts and prompts, and beside them as much bulk work as does not hold them up.

Knows nothing about the queue, budgets or tensors. Batch-mates never change a text, so whoever is left out of a round
loses nothing but time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from playground.engine.gang import Gang
from playground.engine.job import Job
from playground.engine.pace import MIN_TOKENS, Load, Pace, shares
from playground.models.backend import Chunk

LONG_TOKENS, LONG_RATIO = 2048, 8
"""A text is far longer than most from this length on, and if it is so many times the median of those who write."""
LEAST_S = 1e-6
"""What a turn counts at least, so that turns go round also where rows cost nothing."""
MAX_WITHOUT = 15
"""Rounds beside people in which bulk work may go without, however dear it is."""
Owing = tuple[Job, Gang]


class Payment(NamedTuple):
    """What one gang pays in one forward."""

    job: Job
    gang: Gang
    chunks: list[Chunk]
    is_prompt: bool
    """It reads; otherwise it writes, one token a lane."""

    @property
    def num_rows(self) -> int:
        """Rows of logits the forward answers it with."""
        return sum(len(chunk.rows) for chunk in self.chunks)

    @property
    def num_tokens(self) -> int:
        return sum(len(chunk.token_ids) for chunk in self.chunks)


class Planner:
    """Plans rounds, one after the other."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._turns = Turns()
        self._num_plans = 0
        self._saved_s = 0.0
        """Seconds that bulk work was allowed beside people since it last went."""
        self._num_without = 0
        """Rounds since then."""

    def plan(self, running: Sequence[Job]) -> list[Payment]:
        """People pay what the pace allows, bulk work what fits beside them; without people it has the round alone."""
        self._num_plans += 1
        owing = [(job, gang) for job in running for gang in job.gangs if gang.num_owed]
        people = [pair for pair in owing if pair[0].priority == "interactive"]
        bulk = [pair for pair in owing if pair[0].priority == "bulk"]
        if not people:
            return self._together(bulk)
        payments = self._together(people)
        own = load(payments)
        if bulk and (own.num_prompt_tokens or not self._pace.needs_quiet(own.num_rows)):
            payments += self._beside(bulk, own)
        return payments

    def _together(self, owing: Sequence[Owing]) -> list[Payment]:
        """Texts pay their token, prompts a share of what the pace allows."""
        owing = self._in_turn(owing)
        writing = [pair for pair in owing if pair[1].settles_at_once]
        reading = [pair for pair in owing if not pair[1].settles_at_once]
        num_rows = sum(gang.num_owed for _, gang in writing)
        budget = self._pace.num_prompt_tokens(len(reading), len(writing), num_rows)
        given = shares([gang.num_owed for _, gang in reading], budget)
        payments = [Payment(job, gang, gang.pay(gang.num_owed), False) for job, gang in writing]
        payments += [Payment(*pair, pair[1].pay(share), True) for pair, share in zip(reading, given, strict=True)]
        return [payment for payment in payments if payment.chunks]

    def _in_turn(self, owing: Sequence[Owing]) -> Sequence[Owing]:
        """Who goes in this round: everybody, but a text far longer than most writes in every second one only. Attention
        over its keys costs as much as fifteen short rows, and would slow them by more than the half that is allowed."""
        lengths = sorted(gang.length for _, gang in owing if gang.settles_at_once)
        if self._num_plans % 2 or not lengths:
            return owing
        longest = max(LONG_TOKENS, LONG_RATIO * lengths[len(lengths) // 2])
        return [pair for pair in owing if not pair[1].settles_at_once or pair[1].length <= longest]

    def _beside(self, bulk: Sequence[Owing], own: Load) -> list[Payment]:
        """Bulk work beside people's ``own`` part of the round: gangs while they fit in. One that never would, a long
        text or a row on a slow machine, waits until enough rounds have gone by without."""
        left_s = self._pace.bulk_s(own.num_rows, own.num_prompt_tokens)
        self._saved_s += left_s
        rows_left = self._pace.max_bulk_rows
        tokens_left = self._pace.prefill_chunk - own.num_prompt_tokens
        payments: list[Payment] = []
        for job, gang in self._turns.take(self._in_turn(bulk)):
            is_prompt = not gang.settles_at_once
            num_tokens, cost_s = self._portion(gang, left_s, tokens_left)
            if payments and (cost_s > left_s or (not is_prompt and num_tokens > rows_left)):
                break
            if not payments and cost_s > self._saved_s and self._num_without < MAX_WITHOUT:
                self._num_without += 1
                break
            self._saved_s, self._num_without = 0.0, 0
            payments.append(Payment(job, gang, gang.pay(num_tokens), is_prompt))
            self._turns.charge(job, cost_s)
            left_s -= cost_s
            if is_prompt:
                tokens_left -= num_tokens
            else:
                rows_left -= num_tokens
        return payments

    def _portion(self, gang: Gang, left_s: float, tokens_left: int) -> tuple[int, float]:
        """Tokens a bulk gang would pay next, and their seconds; what was not measured yet counts nothing."""
        if gang.settles_at_once:
            return gang.num_owed, gang.num_owed * (self._pace.bulk_row_s or 0.0)
        token_s = self._pace.prompt_token_s
        fitting = 0 if token_s is None else min(int(left_s / token_s), tokens_left)
        num_tokens = min(gang.num_owed, max(MIN_TOKENS, fitting))
        return num_tokens, num_tokens * (token_s or 0.0)


class Turns:
    """Whose gang is next: of the session that was served least, of its request that was, the oldest.

    The oldest first, because texts that end one after the other are of use sooner than texts that end all at once.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, float] = {}
        """Seconds each was served."""
        self._requests: dict[str, dict[str, float]] = {}
        """The same by session and stream."""

    def take(self, owing: Sequence[Owing]) -> Iterator[Owing]:
        """The pairs in turn; what is charged between two of them counts at once."""
        lines: dict[Job, deque[Owing]] = {}
        for pair in owing:
            lines.setdefault(pair[0], deque()).append(pair)
        self._forget_all_but(lines)
        while lines:
            job = min(lines, key=self._served)
            pair = lines[job].popleft()
            if not lines[job]:
                del lines[job]
            yield pair

    def charge(self, job: Job, cost_s: float) -> None:
        """The job was given so many seconds of a round."""
        self._sessions[job.owner] += max(cost_s, LEAST_S)
        self._requests[job.owner][job.stream.id] += max(cost_s, LEAST_S)

    def _served(self, job: Job) -> tuple[float, float]:
        return self._sessions[job.owner], self._requests[job.owner][job.stream.id]

    def _forget_all_but(self, jobs: Iterable[Job]) -> None:
        present: dict[str, list[str]] = {}
        for job in jobs:
            present.setdefault(job.owner, []).append(job.stream.id)
        self._sessions = _levelled(self._sessions, present)
        self._requests = {owner: _levelled(self._requests.get(owner, {}), ids) for owner, ids in present.items()}


def _levelled(served_s: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """The seconds of those present; who is new starts level with whoever was served least, and nobody is owed."""
    names = list(names)
    least_s = min((served_s[name] for name in names if name in served_s), default=0.0)
    return {name: served_s.get(name, least_s) for name in names}


def load(plan: Sequence[Payment]) -> Load:
    """What the round carries, as the pace counts it."""
    rows = {"interactive": 0, "bulk": 0}
    for payment in plan:
        rows[payment.job.priority] += 0 if payment.is_prompt else payment.num_tokens
    num_prompt_tokens = sum(payment.num_tokens for payment in plan if payment.is_prompt)
    if any(payment.job.priority == "interactive" for payment in plan):
        return Load(rows["interactive"], num_prompt_tokens, rows["bulk"])
    return Load(rows["bulk"], num_prompt_tokens)
