"""How many prompt tokens ride along in each step, so that reading a long prompt does not hold up those who write.

Knows nothing about requests or models: seconds and token counts go in, a number of tokens comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_TOKENS = 4
"""A prompt always moves on, also where its tokens are dear."""
PROMPT_SHARE = 0.3
"""Seconds of prompt a step may carry for each second of writing (issue: at most 1.5 times slower, with room)."""
MAX_PROMPT_S = 0.5
"""Seconds of prompt a step may carry otherwise: so long at most does somebody wait who arrives meanwhile."""
SMOOTHING = 0.2


@dataclass
class Pace:
    """Measures what steps cost and shares the next one out."""

    prefill_chunk: int
    """Prompt tokens a step may carry at most, float32 activations being what they are."""
    write_s: float | None = None
    """Seconds of a forward that only writes."""
    prompt_token_s: float | None = None
    """Seconds that one more prompt token adds."""

    def observe(self, num_prompt_tokens: int, num_writing: int, forward_s: float) -> None:
        """Learn from one forward that carried so many prompt tokens beside so many writing gangs."""
        if num_prompt_tokens == 0:
            self.write_s = _smooth(self.write_s, forward_s)
        elif num_writing == 0:
            self.prompt_token_s = _smooth(self.prompt_token_s, forward_s / num_prompt_tokens)
        elif self.write_s is not None:
            extra_s = max(forward_s - self.write_s, 0.05 * forward_s)
            self.prompt_token_s = _smooth(self.prompt_token_s, extra_s / num_prompt_tokens)

    def num_prompt_tokens(self, num_reading: int, num_writing: int) -> int:
        """Prompt tokens for the next step. Whoever reads counts as much as whoever writes: one long prompt beside
        fifteen writers gets the small share, fifteen prompts beside one writer do not wait for it."""
        if self.prompt_token_s is None:
            return self.prefill_chunk
        allowed_s = MAX_PROMPT_S
        if num_writing and self.write_s is not None:
            fair_s = min(self.write_s * num_reading / num_writing, MAX_PROMPT_S)
            allowed_s = max(self.write_s * PROMPT_SHARE, fair_s)
        return min(self.prefill_chunk, max(MIN_TOKENS * num_reading, int(allowed_s / self.prompt_token_s)))


def shares(owed: Sequence[int], budget: int) -> list[int]:
    """Divide ``budget`` tokens: equal parts, and what a short prompt leaves over goes to the longer ones."""
    given = [0] * len(owed)
    for num_done, place in enumerate(sorted(range(len(owed)), key=lambda place: owed[place])):
        given[place] = min(owed[place], budget // (len(owed) - num_done))
        budget -= given[place]
    return given


def _smooth(old: float | None, new: float) -> float:
    return new if old is None else old + SMOOTHING * (new - old)
