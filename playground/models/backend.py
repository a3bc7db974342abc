"""The five-member seam between the engine and any causal language model.

Knows nothing about sampling, requests or threads: a backend is told which lanes owe which tokens, and answers logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor

Wanted = Literal["last", "all", "none"] | slice


@dataclass(frozen=True)
class Chunk:
    """Tokens to append to one lane, and the positions among them whose logits are wanted.

    ``wanted`` indexes this chunk: ``"last"`` one row, ``"all"`` one row a token, ``"none"`` no row, a slice the rows
    it selects (``slice(0, 0)``: none, for the early chunks of a long prompt).
    """

    lane: int
    token_ids: tuple[int, ...]
    wanted: Wanted = "last"
    wanted_states: Wanted = "none"
    """Positions whose hidden states are wanted; only ``forward_states`` looks at it."""

    @property
    def rows(self) -> range:
        """The positions within the chunk whose logits are wanted."""
        return self._positions(self.wanted)

    @property
    def state_rows(self) -> range:
        """The positions within the chunk whose hidden states are wanted."""
        return self._positions(self.wanted_states)

    def _positions(self, wanted: Wanted) -> range:
        positions = range(len(self.token_ids))
        if isinstance(wanted, slice):
            return positions[wanted]
        return {"all": positions, "last": positions[-1:], "none": positions[:0]}[wanted]


@runtime_checkable
class Vocabulary(Protocol):
    """Text to token ids and back, exact for any script."""

    size: int
    """V, the width of a logits row (it may exceed the tokenizer's own count)."""
    eos_ids: frozenset[int]

    def encode(self, text: str, special: bool = True) -> list[int]:
        """Token ids of ``text`` as the tokenizer's defaults give them (``special`` adds BOS where it does).
        Special tokens typed inside ``text`` are ordinary text."""

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of a whole sequence; incomplete UTF-8 becomes U+FFFD, special tokens are skipped."""

    def piece(self, token_id: int) -> bytes:
        """The bytes this one token adds to a text (leading space included; b"" for special tokens)."""

    def label(self, token_id: int) -> str:
        """The token as a person should see it: ``␣the``, ``↵``, ``⇥``, ``<0xE2>``, ``<|endoftext|>``."""


@runtime_checkable
class Backend(Protocol):
    """A causal language model with lanes: each lane is one growing sequence with its own cache."""

    vocabulary: Vocabulary
    max_context: int

    def forward(self, chunks: Sequence[Chunk]) -> Tensor:
        """Append every chunk to its lane in one ragged pass; float32[n, V] logits of the wanted rows, in order.

        A lane is created by its first chunk. At most one chunk a lane a call.
        Raises PlaygroundError where a lane would exceed ``max_context``, before anything is appended.
        """

    def fork(self, src: int, dst: int, length: int | None = None) -> None:
        """Make lane ``dst`` a copy of the first ``length`` tokens of ``src`` (all of them where None)."""

    def release(self, lane: int) -> None:
        """Free the lane's memory; releasing an unknown lane is harmless."""


@runtime_checkable
class HiddenStates(Protocol):
    """The optional capability ``hidden``: what each layer thinks, beside the logits. Ask ``hidden(backend)`` for it."""

    num_layers: int
    """Decoder layers. State 0 is the embedding, state ``num_layers`` what the output matrix reads (after the final
    norm); 0 where the model shows no states."""
    ties_embeddings: bool
    """The output matrix is the embedding matrix, so the first layers still spell out their own input token."""

    def forward_states(self, chunks: Sequence[Chunk], layers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """As ``forward``, and the states of the named layers at each chunk's ``wanted_states``:
        float32[n, V] logits and float32[len(layers), m, D]."""

    def unembed(self, states: Tensor) -> Tensor:
        """float[n, D] -> float32[n, V]: the output matrix alone, without the final norm, as DoLa reads a layer."""


def hidden(backend: Backend) -> HiddenStates | None:
    """The backend's hidden states, or None where it shows none."""
    return backend if isinstance(backend, HiddenStates) and backend.num_layers else None


@dataclass(frozen=True)
class Message:
    """One turn of a chat: role is system, user or assistant."""

    role: str
    content: str


class ChatTemplate(Protocol):
    """Renders a conversation to the text and the token ids the model expects."""

    def render(self, messages: Iterable[Message]) -> str: ...

    def encode(self, messages: Iterable[Message]) -> list[int]:
        """Token ids of the rendered conversation; special tokens inside contents are ordinary text."""


@dataclass(frozen=True)
class Model:
    """A loaded model and what the rest of the program may know of it."""

    name: str
    backend: Backend
    note: str
    """One line for people: precision, batching mode, origin."""
    kv_bytes_per_token: int
    tokenizer: Any = None
    hf_model: Any = None
    chat: ChatTemplate | None = None
    """None where the tokenizer has no chat template (a base model)."""
