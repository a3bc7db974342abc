"""The questions every backend asks before it changes anything, answered with the same words.

Knows nothing about tensors or models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playground.errors import PlaygroundError
from playground.models.backend import Chunk


def check_chunks(chunks: Sequence[Chunk], lengths: Mapping[int, int], max_context: int, num_tokens: int) -> None:
    """Refuse a whole call before any of it is appended.

    ``lengths``: tokens already in each lane; ``num_tokens``: ids run from 0 to ``num_tokens - 1``.
    """
    seen: set[int] = set()
    for chunk in chunks:
        if chunk.lane in seen:
            raise PlaygroundError(f"Lane {chunk.lane} appears twice in one call; give each lane one chunk.")
        seen.add(chunk.lane)
        if not chunk.token_ids:
            raise PlaygroundError(f"The chunk for lane {chunk.lane} is empty; a lane needs at least one token.")
        if min(chunk.token_ids) < 0 or max(chunk.token_ids) >= num_tokens:
            raise PlaygroundError(f"A token id of lane {chunk.lane} is outside 0 to {num_tokens - 1}.")
        total = lengths.get(chunk.lane, 0) + len(chunk.token_ids)
        if total > max_context:
            raise PlaygroundError(
                f"The text is {total:,} tokens long and this model reads at most {max_context:,}. "
                "Shorten the prompt or ask for fewer tokens."
            )


def check_layers(layers: Sequence[int], num_layers: int) -> None:
    """Refuse layers that the model does not have; 0 is the embedding, ``num_layers`` the last."""
    for layer in layers:
        if not 0 <= layer <= num_layers:
            raise PlaygroundError(f"Layer {layer} is outside 0 to {num_layers}, the layers of this model.")


def fork_length(src: int, available: int | None, length: int | None) -> int:
    """How many tokens a fork copies, or a clear error; ``available`` is None where ``src`` does not exist."""
    if available is None:
        raise PlaygroundError(f"Lane {src} does not exist, so it cannot be forked.")
    if length is None:
        return available
    if not 0 <= length <= available:
        raise PlaygroundError(f"Lane {src} holds {available} tokens; a fork of {length} is not possible.")
    return length


def utf8(text: str) -> bytes:
    """The bytes of ``text``, or a clear error where it cannot be written as UTF-8."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PlaygroundError(
            f"The text holds half of a surrogate pair at character {error.start + 1}, which is no character. "
            "Delete it, or paste the text again from its source."
        ) from error
