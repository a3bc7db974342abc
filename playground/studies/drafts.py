"""Drafts: texts drawn from a model that nobody is served by, a few lanes at a time, in pieces that can be interrupted.

Knows nothing about threads, targets or training. What the engine serves is asked through the engine instead.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch

from playground.models import Backend, Chunk
from playground.sampling.draw import Purpose, draw, log_prob, uniform

NUM_LANES = 16


@dataclass(frozen=True)
class Draft:
    """One text as it was drawn, an end token included."""

    token_ids: tuple[int, ...]
    log_prob: float
    """Nats: log q of exactly these tokens, from the rows that they were drawn from."""


def drafts(
    backend: Backend,
    prompt_ids: Sequence[int],
    num_texts: int,
    max_tokens: int,
    seed: int,
    first_sample: int = 0,
) -> Generator[float, None, list[Draft]]:
    """Draw texts from the model itself; yields the fraction done after every forward, returns the texts in order.

    A text is a function of (model, prompt, seed, sample number) alone, and has other darts than any text of the engine;
    ``first_sample`` is the number of the first.
    """
    done: list[Draft] = []
    while len(done) < num_texts:
        count = min(NUM_LANES, num_texts - len(done))
        numbers = range(first_sample + len(done), first_sample + len(done) + count)
        for fraction in (batch := _batch(backend, prompt_ids, numbers, max_tokens, seed)):
            if isinstance(fraction, list):
                done += fraction
            else:
                yield (len(done) + fraction * count) / num_texts
        batch.close()
    return done


def _batch(
    backend: Backend, prompt_ids: Sequence[int], numbers: range, max_tokens: int, seed: int
) -> Generator[float | list[Draft], None, None]:
    """One batch of lanes over one shared prompt: fractions, and the drafts last."""
    written: list[list[int]] = [[] for _ in numbers]
    log_probs = [0.0] * len(numbers)
    going = list(range(len(numbers)))
    try:
        logits = backend.forward([Chunk(0, tuple(prompt_ids))]).expand(len(numbers), -1)
        for at in going:
            backend.fork(0, at + 1)
        for step in range(max_tokens):
            darts = torch.tensor([uniform(seed, numbers[at], step, Purpose.DRAFT) for at in going], dtype=torch.float64)
            token_ids = draw(logits, darts.to(logits.device))
            log_q = log_prob(logits, token_ids).tolist()
            for at, token_id, taken in zip(going, token_ids.tolist(), log_q, strict=True):
                written[at].append(token_id)
                log_probs[at] += taken
            going = [at for at in going if written[at][-1] not in backend.vocabulary.eos_ids]
            yield (step + 1) / max_tokens
            if not going or step + 1 == max_tokens:
                break
            logits = backend.forward([Chunk(at + 1, (written[at][-1],)) for at in going])
    finally:  # also where the reader leaves in the middle
        for lane in range(len(numbers) + 1):
            backend.release(lane)
    yield [Draft(tuple(token_ids), log_q) for token_ids, log_q in zip(written, log_probs, strict=True)]
