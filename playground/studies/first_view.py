"""The first view: the default prompt's stored rows, so that the knobs work before the weights are loaded.

Knows nothing about the page. The file is made from the default model by ``python -m playground.studies.first_view``
and checked against the model by a test; any other model starts without it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from playground.engine import Branch, OtherBranch
from playground.errors import PlaygroundError
from playground.models import Model

PROMPT = "The dragon flew over Paris, France, and the"
MODEL_NAME = "SmolLM2-135M-Instruct"
FILE = Path(__file__).parents[2] / "assets" / "first_view.npz"


@dataclass(frozen=True)
class FirstView:
    """Rows float32[V] of the default prompt and of its last token, and every token's label."""

    prompt_ids: tuple[int, ...]
    prompt: torch.Tensor
    negative: torch.Tensor
    labels: tuple[str, ...]
    pieces: tuple[bytes, ...]
    """The bytes of each prompt token, in order."""

    @property
    def other(self) -> OtherBranch:
        """The branch that ``negative`` belongs to: the prompt's last token."""
        token = self.prompt_ids[-1]
        label = self.label(token)
        return OtherBranch(Branch((token,)), "the last prompt token", label, False, label)

    @property
    def size(self) -> int:
        return len(self.labels)

    def label(self, token_id: int) -> str:
        return self.labels[token_id]

    def piece(self, token_id: int) -> bytes:
        """The bytes of a token of the prompt; no other is stored."""
        if token_id not in self.prompt_ids:
            raise PlaygroundError(
                "This setting needs the model's whole vocabulary, and the model is still loading; try again soon.",
                status=503,
            )
        return self.pieces[self.prompt_ids.index(token_id)]


def load(path: Path = FILE) -> FirstView | None:
    """The stored first view, or None where the file is absent (a checkout without assets)."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        labels = stored["labels"].tobytes().decode().split("\0")
        pieces = stored["pieces"].tobytes().decode().split("\0")
        return FirstView(
            tuple(int(i) for i in stored["prompt_ids"]),
            torch.from_numpy(stored["prompt"]),
            torch.from_numpy(stored["negative"]),
            tuple(labels),
            tuple(piece.encode() for piece in pieces),
        )


def compute(model: Model) -> FirstView:
    """The first view from the model itself."""
    from playground.models import Chunk

    backend, vocabulary = model.backend, model.backend.vocabulary
    prompt_ids = tuple(vocabulary.encode(PROMPT))
    rows = backend.forward([Chunk(0, prompt_ids), Chunk(1, prompt_ids[-1:])])
    for lane in (0, 1):
        backend.release(lane)
    return FirstView(
        prompt_ids,
        rows[0].clone(),
        rows[1].clone(),
        tuple(vocabulary.label(token) for token in range(vocabulary.size)),
        tuple(vocabulary.piece(token) for token in prompt_ids),
    )


def save(view: FirstView, path: Path = FILE) -> None:
    """Write the file; labels hold no NUL because control characters are shown by name."""

    def text(parts: Sequence[str]) -> np.ndarray:
        assert not any("\0" in part for part in parts)
        return np.frombuffer("\0".join(parts).encode(), np.uint8)

    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        prompt_ids=np.array(view.prompt_ids),
        prompt=view.prompt.numpy(),
        negative=view.negative.numpy(),
        labels=text(view.labels),
        pieces=text([piece.decode() for piece in view.pieces]),
    )
    path.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    from playground.models import load_model

    save(compute(load_model("default")))
    print(f"wrote {FILE}: {FILE.stat().st_size:,} bytes")
