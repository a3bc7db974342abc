"""When to stop collecting accepted texts: enough of them, enough tries, precise enough, or no hope; always one of them.

Knows nothing about where proposals come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from playground.errors import PlaygroundError

Reason = Literal["enough", "proposals", "precise", "hopeless", "cancelled"]
"""The last one is no rule's: somebody else ended it."""
MAX_PROPOSALS = 1_000_000
HOPELESS_WAITS = 5
"""Nothing accepted in so many times the wait that the pool promised is hopeless. Bad luck alone does that to one
healthy collection in 150 (e^-5); at three times it would be one in 20."""


@dataclass(frozen=True)
class StoppingRule:
    """The first of these that holds ends the collecting; ``max_proposals`` always does.

    A rule sees only which proposals were accepted, never what they say: the accepted stay independent draws of the
    accepted law, whatever ended the collecting.
    """

    num_accepted: int | None = None
    """Enough accepted texts."""
    max_proposals: int = 10_000
    precision: float | None = None
    """Half the width of the acceptance rate's 95 % interval, as a share of the rate: 0.1 is ten per cent."""
    expected_rate: float | None = None
    """Acceptance rate that the pool promises; where that is far off, waiting is hopeless."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_proposals <= MAX_PROPOSALS:
            raise PlaygroundError(f"max_proposals must be from 1 to {MAX_PROPOSALS:,}.")
        if self.num_accepted is not None and self.num_accepted < 1:
            raise PlaygroundError("num_accepted must be at least 1.")
        if self.precision is not None and not 0 < self.precision < 1:
            raise PlaygroundError("precision must lie between 0 and 1.")

    def reason(self, num_proposed: int, num_accepted: int) -> Reason | None:
        """Why to stop now; None: go on."""
        if self.num_accepted is not None and num_accepted >= self.num_accepted:
            return "enough"
        if num_proposed >= self.max_proposals:
            return "proposals"
        if self.precision is not None and num_accepted >= 10:
            rate = num_accepted / num_proposed
            if 1.96 * math.sqrt((1 - rate) / num_accepted) < self.precision:
                return "precise"
        if num_accepted == 0 and self.expected_rate and num_proposed >= HOPELESS_WAITS / self.expected_rate:
            return "hopeless"
        return None


def in_words(reason: Reason, num_proposed: int, num_accepted: int) -> str:
    """The end, for people."""
    count = f"{num_accepted:,} of {num_proposed:,} proposals accepted"
    if reason == "hopeless":
        return (
            f"None of {num_proposed:,} proposals was accepted, {HOPELESS_WAITS} times the wait that the pool promised: "
            "the pool was too small to know. Lower β, draw a larger pool, or choose a proposal nearer to the target."
        )
    return {
        "enough": f"{count}: as many as wanted.",
        "proposals": f"{count}; the number of proposals was the limit.",
        "precise": f"{count}; the acceptance rate is known as well as wanted.",
        "cancelled": f"{count}; then it was stopped. Texts in the making are left out, long ones a little more often.",
    }[reason]
