"""Repeats: which tokens would continue a passage that has stood in a text before, and how long that passage is.

Knows nothing about penalties; plain integers, in time linear in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Tails = Mapping[int, Sequence[Sequence[int]]]


def continuations(token_ids: Sequence[int], longest: int) -> dict[int, int]:
    """Token -> the length of the longest end of the text that once stood right before it, at most ``longest``.

    Passages may overlap the end they equal; a token that would continue none is absent.
    """
    found: dict[int, int] = {}
    for place, length in enumerate(_common_ends(token_ids)):
        if length and found.get(token_ids[place + 1], 0) < length:
            found[token_ids[place + 1]] = length
    return {token_id: min(length, longest) for token_id, length in found.items() if longest > 0}


def _common_ends(token_ids: Sequence[int]) -> list[int]:
    """For every place but the last: how many tokens up to it equal as many at the end of the text.

    The Z-algorithm on the reversed text: each comparison that succeeds moves the right border of the window on.
    """
    text = token_ids[::-1]
    lengths, left, right = [0] * len(text), 0, 0
    for at in range(1, len(text)):
        same = min(right - at, lengths[at - left]) if at < right else 0
        while at + same < len(text) and text[same] == text[at + same]:
            same += 1
        lengths[at] = same
        if at + same > right:
            left, right = at, at + same
    return lengths[:0:-1]


def since_breaker(token_ids: Sequence[int], tails: Tails) -> int:
    """How many tokens stand behind the last breaker of the text; all of them where there is none.

    A breaker is a head followed by one of its tails, the longest that fits.
    """
    size = len(token_ids)
    for behind in range(size):
        head = size - 1 - behind
        own = tails.get(token_ids[head])
        if own is None:
            continue
        fitting = [
            len(tail)
            for tail in own
            if len(tail) <= behind and tuple(token_ids[head + 1 : head + 1 + len(tail)]) == tuple(tail)
        ]
        if fitting:
            return behind - max(fitting)
    return size
