"""A tiny deterministic language model for tests and demonstrations: word statistics of a few sentences.

Knows nothing about transformers, files or the network, and never stands in for a real model by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from playground.models.backend import Chunk, Message, Model, Vocabulary
from playground.models.checks import check_chunks, check_layers, fork_length, utf8
from playground.models.labels import visible
from playground.models.toy_text import TOY_TEXT

TOY_SMALL = "toy-small"
"""The name of the weaker toy."""
NUM_BYTES = 256
END = NUM_BYTES
"""The id of the only special token, ``<|end|>``; ids below it are the 256 bytes, ids above it words."""

NUM_LAYERS = 8
"""The toy thinks in logits: its layers first learn what follows one token, then two, and the last two add the noise."""

NUM_HISTORIES = 64
"""How many hashes of a whole prefix the model tells apart."""


class ToyVocabulary:
    """256 bytes, one special token, and the words of the toy text with and without a leading space."""

    def __init__(self, text: str = TOY_TEXT) -> None:
        words = sorted(set(re.findall(r"[A-Za-z]+|[.,]", text)))
        spaced = [word for word in words if word not in ".,"]
        self._pieces: list[bytes] = [bytes([value]) for value in range(NUM_BYTES)] + [b""]
        self._pieces += [b" " + word.encode() for word in spaced]
        self._pieces += [word.encode() for word in spaced if len(word) > 1]
        self._ids = {piece: token_id for token_id, piece in enumerate(self._pieces) if piece}
        self._longest = max(map(len, self._ids))
        self.size = len(self._pieces)
        self.eos_ids = frozenset({END})

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The longest known piece at each place, a byte where there is none; it adds no special tokens."""
        data, at, token_ids = utf8(text), 0, []
        while at < len(data):
            length = next(n for n in range(self._longest, 0, -1) if data[at : at + n] in self._ids)
            token_ids.append(self._ids[data[at : at + length]])
            at += len(self._pieces[token_ids[-1]])
        return token_ids

    def decode(self, token_ids: Sequence[int]) -> str:
        return b"".join(map(self.piece, token_ids)).decode("utf-8", errors="replace")

    def piece(self, token_id: int) -> bytes:
        return self._pieces[token_id]

    def label(self, token_id: int) -> str:
        return "<|end|>" if token_id == END else visible(self.piece(token_id))


@dataclass
class _Lane:
    """Everything a lane remembers: its tokens, and a running hash of each prefix."""

    token_ids: list[int] = field(default_factory=list)
    hashes: list[int] = field(default_factory=list)

    def append(self, token_ids: Iterable[int]) -> None:
        for token_id in token_ids:
            last = self.hashes[-1] if self.hashes else 0
            self.hashes.append((last * 31 + token_id + 1) % 1_000_003)
            self.token_ids.append(token_id)


@dataclass
class _Places:
    """Positions somebody asks about: the token there, the one before it, and the number of the whole prefix."""

    last: list[int] = field(default_factory=list)
    previous: list[int] = field(default_factory=list)
    histories: list[int] = field(default_factory=list)

    def add(self, lane: _Lane, start: int, rows: range) -> None:
        for position in (start + row for row in rows):
            self.last.append(lane.token_ids[position])
            self.previous.append(lane.token_ids[max(0, position - 1)])
            self.histories.append(lane.hashes[position] % NUM_HISTORIES)


class ToyBackend:
    """Logits from what stood one and two tokens back in the toy text, plus a little noise fixed by the whole prefix.

    The noise makes every prefix its own, so that a lane with a wrong history shows in a test.
    """

    def __init__(self, max_context: int = 2048, is_small: bool = False) -> None:
        """``is_small``: it looks only one token back, as a weaker model of the same vocabulary."""
        self.vocabulary: Vocabulary = ToyVocabulary()
        self.max_context = max_context
        self.num_layers, self.ties_embeddings = NUM_LAYERS, False
        self._after_one, self._after_two = self._statistics()
        generator = torch.Generator().manual_seed(0)
        if is_small:
            self._after_two = torch.zeros_like(self._after_two)
        self._noise = 0.3 * torch.randn(NUM_HISTORIES, self.vocabulary.size, generator=generator)
        self._lanes: dict[int, _Lane] = {}

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Log counts of what follows at distance one and two: float32[V, V] each, nats, smoothed."""
        size = self.vocabulary.size
        counts = torch.zeros(2, size, size)
        for line in TOY_TEXT.replace("\n", " ").split(". "):
            token_ids = [*self.vocabulary.encode(f" {line.strip()}."), END]
            for distance in (1, 2):
                for before, after in zip(token_ids, token_ids[distance:], strict=False):
                    counts[distance - 1, before, after] += 1
        counts += 0.5 * counts.sum(1, keepdim=True) / counts.sum((1, 2), keepdim=True) + 1e-4
        logs = counts.log()
        return logs[0], 0.5 * logs[1]

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        return self.forward_states(chunks, ())[0]

    def forward_states(self, chunks: Sequence[Chunk], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        lengths = {lane: len(state.token_ids) for lane, state in self._lanes.items()}
        check_chunks(chunks, lengths, self.max_context, self.vocabulary.size)
        check_layers(layers, self.num_layers)
        places, of_states = _Places(), _Places()
        for chunk in chunks:
            lane = self._lanes.setdefault(chunk.lane, _Lane())
            start = len(lane.token_ids)
            lane.append(chunk.token_ids)
            places.add(lane, start, chunk.rows)
            of_states.add(lane, start, chunk.state_rows)
        states = [self._state(of_states, layer) for layer in layers]
        return self._logits(places), torch.stack(states) if states else torch.empty(0, 0, 0)

    def _logits(self, at: _Places) -> Tensor:
        return self._after_one[at.last] + self._after_two[at.previous] + self._noise[at.histories]

    def _state(self, at: _Places, layer: int) -> Tensor:
        """float32[m, V]: how far this layer has come; the last one's is the logits."""
        if layer == NUM_LAYERS:
            return self._logits(at)
        embedding = torch.nn.functional.one_hot(torch.tensor(at.last, dtype=torch.int64), self.vocabulary.size).float()
        shares = [min(1.0, max(0.0, (layer - before) / 3)) for before in (0, 3)]
        thought = shares[0] * self._after_one[at.last] + shares[1] * self._after_two[at.previous]
        return embedding * (1 - layer / NUM_LAYERS) + thought + max(0, layer - 6) / 2 * self._noise[at.histories]

    def unembed(self, states: Tensor) -> Tensor:
        """A state is already one number a token."""
        return states.float()

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        lane = self._lanes.get(src)
        length = fork_length(src, None if lane is None else len(lane.token_ids), length)
        if lane is not None:
            self._lanes[dst] = _Lane(lane.token_ids[:length], lane.hashes[:length])

    def release(self, lane: int) -> None:
        self._lanes.pop(lane, None)


class ToyChat:
    """``user: ...<|end|>`` turn by turn."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def render(self, messages: Iterable[Message]) -> str:
        turns = [f"{message.role}: {message.content}<|end|>\n" for message in messages]
        return "".join(turns) + "assistant:"

    def encode(self, messages: Iterable[Message]) -> list[int]:
        token_ids: list[int] = []
        for message in messages:
            token_ids += self._vocabulary.encode(f"{message.role}: {message.content}")
            token_ids += [END, *self._vocabulary.encode("\n")]
        return token_ids + self._vocabulary.encode("assistant:")


def load_toy(is_small: bool = False) -> Model:
    """The toy as a Model; its page says so. ``is_small``: the weaker one, for guidance across two models."""
    backend = ToyBackend(is_small=is_small)
    note = "a toy: word statistics of a few sentences, not a language model"
    name = TOY_SMALL if is_small else "toy"
    return Model(name, backend, note, kv_bytes_per_token=16, chat=ToyChat(backend.vocabulary))
