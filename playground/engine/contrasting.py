"""Contrastive search on its way through the engine: every candidate is read one token ahead, the best one stays.

Knows nothing about the rule: ``sampling/search/contrastive.py`` weighs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from playground.engine.decide import decisions
from playground.engine.gang import Gang
from playground.engine.pursuit import LAST_DART, Pursuit, Spread, Text, Turn
from playground.engine.records import ContrastiveStep
from playground.engine.telling import Teller
from playground.sampling import draw
from playground.sampling.search.contrastive import ContrastiveSearch, candidates, weigh
from playground.sampling.softmax import softmax


@dataclass(frozen=True)
class Trunk:
    """The text as far as it is decided, and the distribution after it, as float[1,V] each."""

    text: Text
    model: Tensor
    base: Tensor
    final: Tensor


@dataclass
class ContrastivePursuit(Pursuit):
    """One text, and ``top_k`` tokens that are tried as its next."""

    def __post_init__(self) -> None:
        super().__post_init__()
        assert isinstance(self.request.search, ContrastiveSearch)
        self._search = self.request.search
        self._teller = Teller(self.stream_id, self.request, self.request.first_sample, self.room, self.vocabulary)
        self._states: Tensor | None = None
        """float32[T, D], the decided text's; filled from the front."""
        self._num_decided = len(self._prompt)
        self._tried: dict[int, Tensor] = {}
        """The state float32[D] of each candidate's own token, by the gang that reads it."""
        self._trunk: Trunk | None = None

    def see(self, gang: Gang, first: int, states: Tensor) -> None:
        if self._states is None:
            self._states = states.new_empty(self._num_decided + self.room, states.shape[-1])
        # Also what is read a second time, after a forward that failed, finds its own place.
        known = max(0, min(len(states), self._num_decided - first))
        self._states[first : first + known] = states[:known]
        if known < len(states):
            self._tried[id(gang)] = states[-1].clone()

    def advance(self, spread: Spread) -> Turn:
        if self._trunk is None:  # the prompt has been read
            self._try(self.texts[0], spread, 0)
            return Turn()
        trunk, states = self._trunk, self._states
        assert states is not None
        token_ids = [text.token_ids[-1] for text in self.texts]
        probs = softmax(trunk.final)[0][token_ids].tolist()
        own = torch.stack([self._tried[id(text.gang)] for text in self.texts])
        place, tried = weigh(self._search, token_ids, probs, own, states[: self._num_decided])
        chosen = self.texts[place]
        states[self._num_decided] = own[place]
        self._num_decided += 1
        index = len(self.request.continued_ids) + len(chosen.token_ids) - 1
        [decision] = decisions(trunk.model, trunk.base, trunk.final, torch.tensor([token_ids[place]]))
        start, width = draw.place(trunk.final, torch.tensor([token_ids[place]], device=trunk.final.device))
        dart = min(float(start + width / 2), LAST_DART)
        decision = replace(decision, memory=chosen.memory)
        step = self._teller.tell(decision, dart, trunk.text.memory, len(trunk.text.known), trunk.text.layers)
        if step.end is None:
            self._try(chosen, spread, place)
        return Turn(ContrastiveStep(index, tried, place), ((step, trunk.text.known),), step.end)

    def _try(self, text: Text, spread: Spread, place: int) -> None:
        """``text`` is the trunk now: its best tokens become texts of their own."""
        model, base = self.based([text])
        final = self.chained([text], base)
        self._trunk = Trunk(text, model, base, final)
        token_ids = candidates(softmax(final)[0], self._search.top_k)
        gangs = spread([one.gang for one in self.texts], [place] * len(token_ids))
        self._tried.clear()
        self.texts = [
            Text(gang, (*text.token_ids, token_id), self.remembered(text, base[0], token_id))
            for gang, token_id in zip(gangs, token_ids, strict=True)
        ]
        for one in self.texts:  # only now: a fork copies the trunk as it stood
            one.gang.owe(one.token_ids[-1])
