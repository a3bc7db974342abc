"""The pool: texts drawn once, with what both models say of them and one fixed uniform each; everything else is NumPy.

Knows nothing about how texts are drawn. A pool is a value: adding makes a longer one, nothing is ever scored again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from playground.control import arrays
from playground.control.arrays import Floats
from playground.control.texts import Text
from playground.errors import PlaygroundError

FORMAT = "decoding-playground/pool/1"
MAX_ROWS = 200_000


@dataclass(frozen=True)
class Pool:
    """Row i: a text, log a (under the model) and log q (under what it was drawn from), nats, its dart in [0, 1), and
    the prompt it answers."""

    texts: tuple[Text, ...] = ()
    log_base: Floats = field(default_factory=arrays.empty)
    log_proposal: Floats = field(default_factory=arrays.empty)
    uniforms: Floats = field(default_factory=arrays.empty)
    contexts: tuple[str, ...] = ()
    token_ids: tuple[tuple[int, ...], ...] = ()
    """What was written, the end token included where it was drawn."""
    truncated: bool = False
    """Whether a proposal cut tokens off, so that some of the model's texts can never be drawn."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def log_weights(self) -> Floats:
        """float64[N]: log a - log q."""
        return self.log_base - self.log_proposal

    def with_rows(self, other: Pool) -> Pool:
        """Both, in order."""
        return Pool.joined((self, other))

    @classmethod
    def joined(cls, pools: Sequence[Pool]) -> Pool:
        """All of them, in order; in one step, however many."""
        if sum(map(len, pools)) > MAX_ROWS:
            raise PlaygroundError(f"A pool holds at most {MAX_ROWS:,} texts.")
        if not pools:
            return cls()
        return cls(
            tuple(chain.from_iterable(one.texts for one in pools)),
            np.concatenate([one.log_base for one in pools]),
            np.concatenate([one.log_proposal for one in pools]),
            np.concatenate([one.uniforms for one in pools]),
            tuple(chain.from_iterable(one.contexts for one in pools)),
            tuple(chain.from_iterable(one.token_ids for one in pools)),
            any(one.truncated for one in pools),
        )

    def of(self, rows: Sequence[int]) -> Pool:
        """Some of the rows."""
        at = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            texts=tuple(self.texts[row] for row in at),
            log_base=self.log_base[at],
            log_proposal=self.log_proposal[at],
            uniforms=self.uniforms[at],
            contexts=tuple(self.contexts[row] for row in at),
            token_ids=tuple(self.token_ids[row] for row in at),
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, so that another program can fit and accept the same."""
        return {
            "format": FORMAT,
            "texts": [text.text for text in self.texts],
            "token_ids": [list(ids) for ids in self.token_ids],
            "log_base": self.log_base.tolist(),
            "log_proposal": self.log_proposal.tolist(),
            "uniforms": self.uniforms.tolist(),
            "contexts": list(self.contexts),
            "truncated": self.truncated,
        }

    @classmethod
    def from_json(cls, data: Any) -> Pool:
        """What ``to_json`` wrote; PlaygroundError where it is something else."""
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise PlaygroundError(f"This is no pool: its format must be {FORMAT!r}.")
        texts, tokens, contexts = data.get("texts"), data.get("token_ids"), data.get("contexts")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or len(texts) > MAX_ROWS:
            raise PlaygroundError(f"texts must be a list of at most {MAX_ROWS:,} texts.")
        if not isinstance(contexts, list) or not all(isinstance(one, str) for one in contexts):
            raise PlaygroundError("contexts must be a list of texts.")
        if not isinstance(tokens, list) or not all(isinstance(one, list) for one in tokens):
            raise PlaygroundError("token_ids must be a list of lists.")
        if not all(type(token) is int and token >= 0 for one in tokens for token in one):
            raise PlaygroundError("A token id must be a whole number.")
        if not len(texts) == len(tokens) == len(contexts):
            raise PlaygroundError("texts, token_ids and contexts must be equally long.")
        log_base = arrays.log_values(data.get("log_base", []), "log_base", len(texts))
        log_proposal = arrays.log_values(data.get("log_proposal", []), "log_proposal", len(texts))
        uniforms = arrays.vector(data.get("uniforms", []), "uniforms", len(texts))
        if ((uniforms < 0) | (uniforms >= 1)).any() or (log_proposal == -np.inf).any():
            raise PlaygroundError("uniforms lie in [0, 1), and every text was possible under its proposal.")
        rows = tuple(
            Text(text, len(ids), -log / np.log(2)) for text, ids, log in zip(texts, tokens, log_base, strict=True)
        )
        return cls(
            rows,
            log_base,
            log_proposal,
            uniforms,
            tuple(contexts),
            tuple(map(tuple, tokens)),
            bool(data.get("truncated", False)),
        )
