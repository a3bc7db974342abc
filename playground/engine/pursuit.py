"""A searching request on its way: several texts with lanes of their own, which advance together.

Knows nothing about other requests, the queue or the store. Each way of searching is a file of its own beside this one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from playground.engine.gang import Gang
from playground.engine.records import Progress, Reason, Request, Step
from playground.models.backend import Vocabulary
from playground.sampling import mix
from playground.sampling.search.dola import LayerChoice

LAST_DART = 1 - 2**-53
"""The largest number below 1."""
Spread = Callable[[Sequence[Gang], Sequence[int]], list[Gang]]
"""Gangs for the next texts, text i going on where gang ``sources[i]`` stands; the others are freed first."""


@dataclass
class Text:
    """One hypothesis in flight."""

    gang: Gang
    token_ids: tuple[int, ...] = ()
    """Written so far; ``continued_ids`` are not among them."""
    memory: tuple[Any, ...] = ()
    """What the chain's stateful stages remember before the next token."""
    rows: Tensor | None = None
    """float32[branches, V] after its last token; None: not arrived yet."""
    layers: tuple[LayerChoice, ...] = ()
    """Where a branch reads an earlier layer: which one these rows come from."""

    @property
    def known(self) -> Tensor:
        """Its rows, which have arrived."""
        assert self.rows is not None
        return self.rows


@dataclass(frozen=True)
class Turn:
    """What one advance has to tell."""

    progress: Progress | None = None
    steps: tuple[tuple[Step, Tensor | None], ...] = ()
    """Each with its rows float32[branches, V] for the store, where they are still known."""
    end: Reason | None = None


@dataclass
class Pursuit(ABC):
    """The texts of one request and how they go on. ``gang`` reads the prompt."""

    request: Request
    stream_id: str
    room: int
    """Tokens a text may have."""
    vocabulary: Vocabulary
    gang: Gang
    texts: list[Text] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = [Text(self.gang, memory=self.request.start_memory)]
        self._prompt = torch.tensor(self.request.prompt_ids + self.request.continued_ids, dtype=torch.int64)

    @property
    def gangs(self) -> list[Gang]:
        return [text.gang for text in self.texts]

    @property
    def is_ready(self) -> bool:
        """Whether every text's rows have arrived."""
        return all(text.rows is not None for text in self.texts)

    def take(self, gang: Gang, rows: Tensor) -> None:
        """Rows float32[branches, V] have arrived for the text of this gang."""
        text = next(text for text in self.texts if text.gang is gang)
        text.rows, text.layers = rows, gang.layers

    def see(self, gang: Gang, first: int, states: Tensor) -> None:
        """Hidden states float32[n, D] of the tokens from place ``first`` of the gang's prompt branch on; only a search
        that needs them gets any."""
        raise NotImplementedError

    @abstractmethod
    def advance(self, spread: Spread) -> Turn:
        """All rows are there: choose, let the next texts owe their tokens, and say what happened."""

    def based(self, texts: Sequence[Text]) -> tuple[Tensor, Tensor]:
        """float32[B,V] twice: the model's rows, and the base after guidance."""
        rows = [text.known for text in texts]
        model = torch.stack([one[0] for one in rows])
        indices = [len(self.request.continued_ids) + len(text.token_ids) for text in texts]
        return model, mix([self.request.guidance] * len(texts), indices, model, [one[1:] for one in rows])

    def chained(self, texts: Sequence[Text], scores: Tensor) -> Tensor:
        """float[B,V] through the chain, removed = -inf; random stages as their exact mixture."""
        request = self.request
        histories = [self.history(text) for text in texts]
        return request.chain.apply(scores, histories, len(request.prompt_ids), [text.memory for text in texts])

    def remembered(self, text: Text, base: Tensor, token_id: int) -> tuple[Any, ...]:
        """What the chain's stages remember once ``token_id`` stands behind the text; ``base`` float[V] is its row."""
        request, index = self.request, len(self.request.continued_ids) + len(text.token_ids)
        if not request.chain.stateful:
            return text.memory
        coins = request.chain.coins(request.seed, request.first_sample, index)
        return request.chain.observe(text.memory, base, token_id, self.history(text), len(request.prompt_ids), coins)

    def history(self, text: Text) -> Tensor:
        """int64[T]: prompt first, which is what penalties look at."""
        return torch.cat([self._prompt, torch.tensor(text.token_ids, dtype=torch.int64)])
