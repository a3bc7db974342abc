"""How much a round carries beside those who write: prompt tokens, and texts of bulk work, so that nobody is held up.

Knows nothing about requests or models: seconds and counts go in, numbers of tokens and seconds come out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

MIN_TOKENS = 4
"""A prompt always moves on, also where its tokens are dear."""
PROMPT_SHARE = 0.3
"""Seconds of prompt a round may carry for each second of writing (issue: at most 1.5 times slower, with room)."""
MAX_PROMPT_S = 0.5
"""Seconds of prompt a round may carry otherwise: so long at most does somebody wait who arrives meanwhile."""
BULK_SHARE = 0.3
"""Seconds of bulk work a round may carry for each second that people's own part of it takes."""
SMOOTHING = 0.2
NUM_MEASURED = 7
"""Rounds whose median stands for a cost: a mean would follow every hiccup of a shared machine."""
MAX_AGE = 200
"""Rounds after which a measurement says nothing any more: texts have grown, the machine has other work."""


@dataclass(frozen=True)
class Load:
    """What one round carries. Where nobody is interactive, bulk work is carried as people are."""

    num_rows: int = 0
    """Rows that write: one a text, more with guidance."""
    num_prompt_tokens: int = 0
    """Tokens of prompts, whoever reads them."""
    num_bulk_rows: int = 0
    """Rows of bulk work that write beside people."""


@dataclass
class Alone:
    """What rounds of one number of rows cost without bulk work beside them."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=NUM_MEASURED))
    measured_in: int = 0
    """The round of the newest measurement."""
    num_mixed: int = 0
    """Rounds with bulk work beside them since."""


@dataclass
class Pace:
    """Measures what rounds cost and shares the next one out."""

    prefill_chunk: int
    """Prompt tokens a round may carry at most, float32 activations being what they are."""
    prompt_token_s: float | None = None
    """Seconds that one more prompt token adds."""
    _num_rounds: int = 0
    _alone: dict[int, Alone] = field(default_factory=dict)
    """By the number of rows that wrote."""
    _bulk_row_s: deque[float] = field(default_factory=lambda: deque(maxlen=NUM_MEASURED))
    """Seconds that one row of bulk work added to recent rounds; noise may make one negative."""
    _num_bulk_rows: int = 1
    """Rows of bulk work that the last round beside people carried."""

    def observe(self, load: Load, round_s: float) -> None:
        """Learn from one round."""
        self._num_rounds += 1
        if load.num_prompt_tokens:
            self._observe_prompt(load, round_s)
        elif load.num_bulk_rows:
            self._observe_bulk(load, round_s)
        elif load.num_rows:
            self._observe_alone(load.num_rows, round_s)

    def write_s(self, num_rows: int) -> float | None:
        """Seconds of a round that writes so many rows and nothing else; of the nearest number that was measured."""
        if not num_rows:
            return 0.0
        nearest = min(self._alone, key=lambda known: abs(known - num_rows), default=None)
        return None if nearest is None else median(self._alone[nearest].seconds)

    @property
    def bulk_row_s(self) -> float | None:
        """Seconds that one more row of bulk work adds to a round; on a GPU hardly any."""
        return max(0.0, median(self._bulk_row_s)) if self._bulk_row_s else None

    def num_prompt_tokens(self, num_reading: int, num_writing: int, num_rows: int) -> int:
        """Prompt tokens for the next round, beside so many who write with so many rows. Whoever reads counts as much
        as whoever writes: one long prompt beside fifteen writers gets the small share, fifteen prompts beside one
        writer do not wait for it."""
        if self.prompt_token_s is None:
            return self.prefill_chunk
        allowed_s, write_s = MAX_PROMPT_S, self.write_s(num_rows)
        if num_writing and write_s is not None:
            fair_s = min(write_s * num_reading / num_writing, MAX_PROMPT_S)
            allowed_s = max(write_s * PROMPT_SHARE, fair_s)
        return min(self.prefill_chunk, max(MIN_TOKENS * num_reading, int(allowed_s / self.prompt_token_s)))

    def needs_quiet(self, num_rows: int) -> bool:
        """Whether people's rows should write without bulk work once more, so that what they cost alone stays known:
        at once when somebody has come or gone, in one of fifteen rounds where nothing changes."""
        alone = self._alone.get(num_rows)
        return alone is None or self._is_old(alone) or alone.num_mixed >= 2 * len(alone.seconds)

    def bulk_s(self, num_rows: int, num_prompt_tokens: int) -> float:
        """Seconds of bulk work for the next round, beside people who write so many rows and read so many tokens."""
        own_s = (self.write_s(num_rows) or 0.0) + num_prompt_tokens * (self.prompt_token_s or 0.0)
        return BULK_SHARE * own_s

    @property
    def max_bulk_rows(self) -> int:
        """Rows of bulk work beside people at most: twice as many as last time, for a cost that was measured with few
        rows, or by chance was too small, must not let everybody in at once."""
        return 2 * self._num_bulk_rows if self._bulk_row_s else 1

    def _observe_alone(self, num_rows: int, round_s: float) -> None:
        alone = self._alone.setdefault(num_rows, Alone())
        if self._is_old(alone):
            alone.seconds.clear()
        alone.seconds.append(round_s)
        alone.measured_in, alone.num_mixed = self._num_rounds, 0

    def _is_old(self, alone: Alone) -> bool:
        return self._num_rounds - alone.measured_in > MAX_AGE

    def _observe_bulk(self, load: Load, round_s: float) -> None:
        if load.num_rows in self._alone:
            self._alone[load.num_rows].num_mixed += 1
        self._num_bulk_rows = load.num_bulk_rows
        write_s = self.write_s(load.num_rows)
        if write_s is not None:
            self._bulk_row_s.append((round_s - write_s) / load.num_bulk_rows)

    def _observe_prompt(self, load: Load, round_s: float) -> None:
        write_s = self.write_s(load.num_rows)
        if write_s is None or (load.num_bulk_rows and not self._bulk_row_s):
            return
        beside_s = write_s + load.num_bulk_rows * (self.bulk_row_s or 0.0)
        extra_s = max(round_s - beside_s, 0.05 * round_s)
        self.prompt_token_s = _smooth(self.prompt_token_s, extra_s / load.num_prompt_tokens)


def shares(owed: Sequence[int], budget: int) -> list[int]:
    """Divide ``budget`` tokens: equal parts, and what a short prompt leaves over goes to the longer ones."""
    given = [0] * len(owed)
    for num_done, place in enumerate(sorted(range(len(owed)), key=lambda place: owed[place])):
        given[place] = min(owed[place], budget // (len(owed) - num_done))
        budget -= given[place]
    return given


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
