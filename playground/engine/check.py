"""What is refused at the door, with the reason: a request that starts should be able to finish.

Knows nothing about the queue or the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.records import Reading, Request
from playground.errors import PlaygroundError
from playground.models.backend import Backend
from playground.sampling import Guidance

MAX_SAMPLES = 100_000
MAX_STOPS, MAX_STOP_LENGTH = 16, 200


def check(work: Request | Reading, backend: Backend) -> None:
    """Raise PlaygroundError where the work could never be done."""
    if work.priority not in ("interactive", "bulk"):
        raise PlaygroundError(f"priority is interactive or bulk; got {str(work.priority)[:40]}.")
    if isinstance(work, Reading):
        _check_reading(work, backend)
    else:
        _check_request(work, backend)


def _check_request(request: Request, backend: Backend) -> None:
    Guidance(request.guidance_scale)
    _whole("max_tokens", request.max_tokens, 1)
    _whole("num_samples", request.num_samples, 1, MAX_SAMPLES)
    _whole("seed", request.seed, None)
    _whole("first_sample", request.first_sample, 0)
    if not request.prompt_ids:
        raise PlaygroundError("The prompt is empty. Type at least one character.")
    if not request.negative_prompt_ids:
        raise PlaygroundError("The negative prompt holds no tokens. Leave it out, or type at least one character.")
    for token_ids in request.branches:
        _check_tokens(token_ids, backend)
    if isinstance(request.stop, str) or not all(isinstance(text, str) and text for text in request.stop):
        raise PlaygroundError("stop is a list of texts, none of them empty.")
    if len(request.stop) > MAX_STOPS or any(len(text) > MAX_STOP_LENGTH for text in request.stop):
        raise PlaygroundError(f"At most {MAX_STOPS} stop strings of at most {MAX_STOP_LENGTH} characters each.")


def _check_reading(reading: Reading, backend: Backend) -> None:
    if not reading.spans:
        raise PlaygroundError("There is nothing to read: give at least one span.")
    for span in reading.spans:
        _check_tokens(span.token_ids, backend)
        if not span.keys or span.first < 0 or span.wanted.stop > len(span.token_ids):
            raise PlaygroundError(f"Rows {span.wanted} are not within a text of {len(span.token_ids)} tokens.")


def _check_tokens(token_ids: Sequence[int], backend: Backend) -> None:
    if not token_ids:
        raise PlaygroundError("A text of no tokens cannot be read.")
    if len(token_ids) > backend.max_context:
        raise PlaygroundError(
            f"The text is {len(token_ids):,} tokens long and this model reads at most {backend.max_context:,}. "
            "Shorten it."
        )
    if min(token_ids) < 0 or max(token_ids) >= backend.vocabulary.size:
        raise PlaygroundError(f"A token id is outside 0 to {backend.vocabulary.size - 1}.")


def _whole(name: str, value: object, low: int | None, high: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise PlaygroundError(f"{name} must be a whole number; got {str(value)[:40]}.")
    if (low is not None and value < low) or (high is not None and value > high):
        raise PlaygroundError(f"{name} must be at least {low}{f' and at most {high:,}' if high else ''}; got {value}.")
