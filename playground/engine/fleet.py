"""The backends behind one engine, told and asked as one: a lane's number says which of them it lives in.

Knows nothing about requests or threads. With a single model it adds nothing to what that model's backend does.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from playground.errors import PlaygroundError
from playground.models.backend import Backend, Chunk, HiddenStates, Model, Vocabulary, hidden

MAX_MODELS = 3
"""A base model, and for proxy tuning a small tuned and a small untuned one."""
STRIDE = 2**32
"""More than models will ever be lent: a lane's number modulo this is its model's."""
FIRST_LENT = 1000
"""Far from the numbers that a recipe may name: nobody guides with somebody else's tuned model."""


class Fleet:
    """One main model and those that serve as other branches of guidance; all share one vocabulary.

    Others may be lent for a while (a tuned model that proposes texts): each gets a number that is never used again.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if not 1 <= len(models) <= MAX_MODELS:
            raise PlaygroundError(f"An engine takes 1 to {MAX_MODELS} models; got {len(models)}.")
        for other in models[1:]:
            check_same_vocabulary(models[0], other)
        self.models = tuple(models)
        """Those that stay."""
        self.vocabulary = models[0].backend.vocabulary
        self._all = dict(enumerate(models))
        self._numbers = itertools.count()
        self._lent_numbers = itertools.count(FIRST_LENT)

    def lend(self, model: Model) -> int:
        """A model more, until ``take_back``; the number by which branches name it."""
        check_same_vocabulary(self.models[0], model)
        number = next(self._lent_numbers)
        self._all[number] = model
        return number

    def take_back(self, number: int) -> None:
        """Forget a lent model, no lane of which is in use any more; the others stay whatever is said."""
        if number >= FIRST_LENT:
            self._all.pop(number, None)

    def has(self, model: int) -> bool:
        """Whether a branch may name this number."""
        return model in self._all

    def model(self, model: int = 0) -> Model:
        """The model of that number."""
        return self._all[model]

    def new_lane(self, model: int = 0) -> int:
        """A lane number never used before, in the backend of that model."""
        return next(self._numbers) * STRIDE + model

    def backend(self, model: int = 0) -> Backend:
        """The backend of that model."""
        return self._all[model].backend

    def max_context(self, model: int = 0) -> int:
        """Tokens a lane of that model may hold."""
        return self.backend(model).max_context

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        """float32[n,V] logits of the wanted rows, in order: one pass for each model that is asked."""
        return self.forward_states(chunks, {})[0]

    def forward_states(
        self, chunks: Sequence[Chunk], layers: Mapping[int, Sequence[int]]
    ) -> tuple[Tensor, list[Tensor | None]]:
        """As ``forward``, and for each chunk of a model with ``layers`` their hidden states float32[layers, m, D]."""
        models = [self.model_of(chunk.lane) for chunk in chunks]
        asked = sorted(set(models))
        states: list[Tensor | None] = [None] * len(chunks)
        if len(asked) == 1:
            return self._pass(asked[0], chunks, layers, states, range(len(chunks))), states
        places: dict[int, list[int]] = {model: [] for model in asked}
        for place, model in enumerate(model for chunk, model in zip(chunks, models, strict=True) for _ in chunk.rows):
            places[model].append(place)
        logits: Tensor | None = None
        for model in asked:
            own = [place for place, other in enumerate(models) if other == model]
            rows = self._pass(model, [chunks[place] for place in own], layers, states, own)
            if logits is None:
                num_rows = sum(map(len, places.values()))
                logits = torch.empty(num_rows, rows.shape[-1], dtype=rows.dtype, device=rows.device)
            logits[places[model]] = rows.to(logits.device)
        assert logits is not None
        return logits, states

    def _pass(
        self,
        model: int,
        chunks: Sequence[Chunk],
        layers: Mapping[int, Sequence[int]],
        states: list[Tensor | None],
        places: Sequence[int],
    ) -> Tensor:
        """One model's pass: float32[n,V]; its hidden states go to their chunks' ``places`` in ``states``."""
        if not layers.get(model):
            return self.backend(model).forward(chunks)
        rows, seen = self.states(model).forward_states(chunks, layers[model])
        for place, part in zip(places, seen.split([len(chunk.state_rows) for chunk in chunks], dim=1), strict=True):
            states[place] = part
        return rows

    def states(self, model: int = 0) -> HiddenStates:
        """The hidden states of that model, which ``check`` has seen to exist."""
        states = hidden(self.backend(model))
        assert states is not None
        return states

    def model_of(self, lane: int) -> int:
        """Which model a lane lives in."""
        return lane % STRIDE

    def fork(self, src: int, dst: int) -> None:
        """Make a lane a copy of another one of the same model."""
        self.backend(self.model_of(src)).fork(src, dst)

    def release(self, lane: int) -> None:
        """Free a lane's memory; harmless where it holds none."""
        self.backend(self.model_of(lane)).release(lane)


def check_same_vocabulary(main: Model, other: Model) -> None:
    """PlaygroundError unless both number the same tokens alike: their rows are added token by token."""
    ours, theirs = main.backend.vocabulary, other.backend.vocabulary
    if ours is theirs:  # of a tuned model: to compare 50,000 tokens takes a tenth of a second, at every loan
        return
    if ours.size != theirs.size:
        raise PlaygroundError(
            f"{main.name} and {other.name} do not share a vocabulary: their rows hold {ours.size:,} and "
            f"{theirs.size:,} tokens. Guidance across two models adds them token by token; choose a second model of "
            "the same family."
        )
    for token in range(ours.size):
        if _identity(ours, token) != _identity(theirs, token):
            raise PlaygroundError(
                f"{main.name} and {other.name} do not share a vocabulary: token {token} is {ours.label(token)} in one "
                f"and {theirs.label(token)} in the other. Choose a second model of the same family."
            )


def _identity(vocabulary: Vocabulary, token: int) -> tuple[bytes, str]:
    """What a token is: its bytes, and for a special one its name."""
    piece = vocabulary.piece(token)
    return piece, "" if piece else vocabulary.label(token)
