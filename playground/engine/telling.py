"""From a decided token to the Step a reader gets: its text, its keys, and whether the text ends with it.

Knows nothing about lanes, logits or how the token was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.engine.decide import Decision
from playground.engine.records import Reason, Request, Step
from playground.engine.refilling import branch_key
from playground.engine.text import TextTail
from playground.models.backend import Vocabulary
from playground.sampling.branches import Coins
from playground.sampling.search.dola import LayerChoice


class Teller:
    """One text on its way out: what was told so far, and what is held back."""

    def __init__(self, stream_id: str, request: Request, sample: int, room: int, vocabulary: Vocabulary) -> None:
        self._stream_id = stream_id
        self._request = request
        self._sample = sample
        self._room = room
        self._vocabulary = vocabulary
        self._tail = TextTail(request.stop)
        self._num_told = 0

    def tell(
        self,
        decision: Decision,
        uniform: float,
        memory: tuple[Any, ...],
        num_rows: int,
        layers: Sequence[LayerChoice] = (),
        coins: Coins = (),
    ) -> Step:
        """The next Step. ``memory`` is what the chain remembered before this token; ``num_rows``: the rows it was
        decided from, the prompt's and those of other branches."""
        request, token_id = self._request, decision.token_id
        index = len(request.continued_ids) + self._num_told
        self._num_told += 1
        is_eos = token_id in self._vocabulary.eos_ids and not request.ignore_eos
        is_last = is_eos or self._num_told >= self._room
        text = self._tail.add(self._vocabulary.piece(token_id), is_last)
        end: Reason | None = "stop" if self._tail.stopped else "eos" if is_eos else "length" if is_last else None
        key = f"{self._stream_id}-{self._sample}-{index}"
        return Step(
            index=index,
            sample=self._sample,
            token_id=token_id,
            text=text,
            logprob_base=decision.logprob_base,
            logprob_final=decision.logprob_final,
            entropy_bits=decision.entropy_bits,
            base_entropy_bits=decision.base_entropy_bits,
            surprisal_bits=decision.surprisal_bits,
            uniform=uniform,
            row_key=key,
            other_keys=tuple(branch_key(key, branch) for branch in request.other_branches[: num_rows - 1]),
            memory=memory,
            memory_after=decision.memory,
            coins=coins,
            layers=tuple(layers),
            end=end,
        )


def is_complete(token_ids: Sequence[int], request: Request, room: int, vocabulary: Vocabulary) -> bool:
    """Whether a text of these written tokens has come to its end."""
    if len(token_ids) >= room or (token_ids[-1] in vocabulary.eos_ids and not request.ignore_eos):
        return True
    if not request.stop:
        return False
    tail = TextTail(request.stop)
    for token_id in token_ids:
        tail.add(vocabulary.piece(token_id))
    return tail.stopped
