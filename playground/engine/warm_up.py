"""Warm-up: a few tokens with and without guidance, so that the first visitor does not pay for first-time work.

Knows nothing about the model. It also gives the meter both figures that the cost of guidance is made of.
"""

from __future__ import annotations

from playground.engine.engine import Engine

NUM_TOKENS, SESSION = 6, "warm-up"


def warm_up(engine: Engine) -> None:
    """Write a few tokens plain, then a few with the second branch; nothing of them is kept."""
    for scale in (1.0, 1.5):
        for _ in engine.generate("The", max_tokens=NUM_TOKENS, guidance_scale=scale, ignore_eos=True, session=SESSION):
            continue
    engine.cancel_session(SESSION)  # and with it the rows
