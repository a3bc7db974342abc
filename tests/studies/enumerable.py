"""A GPT-2 so small that all its texts can be written down: 4 tokens, texts of at most 4, 121 of them.

What tuning estimates is computed here exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from playground.control.arrays import Floats
from playground.models import Model
from playground.models.toy import ToyVocabulary
from playground.models.tuner import Tuner
from playground.studies.goal import Goal, Ids
from tests.models.chosen import chosen_backend

END, PROMPT, LENGTH = 3, (0,), 4
SPACE: tuple[Ids, ...] = tuple(
    (*body, END) if len(body) < LENGTH else body
    for size in range(LENGTH + 1)
    for body in itertools.product(range(3), repeat=size)
)
"""Every text: an end token closes those that are shorter than the limit."""


class FourTokens(ToyVocabulary):
    def __init__(self) -> None:
        super().__init__()
        self.size, self.eos_ids = 4, frozenset({END})

    def decode(self, token_ids: Sequence[int]) -> str:
        return "".join("abc."[token_id] for token_id in token_ids)


@cache
def weights() -> Any:
    import transformers

    config = transformers.GPT2Config(
        vocab_size=4, n_positions=16, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=END
    )
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.12)
    return model.requires_grad_(False)


def model() -> Model:
    vocabulary = FourTokens()
    backend, note = chosen_backend(weights(), vocabulary, 16)
    return Model("four tokens", backend, f"float32 weights; {note}", backend.bytes_per_token(), None, weights())


def has_two_b(texts: Sequence[Ids], log_base: Floats | None = None) -> Floats:
    """float64[N, 1]: at least two of token 1."""
    return np.array([[float(ids.count(1) >= 2)] for ids in texts])


def goal(pointwise: bool, num_texts: int = 400, exponent: float = 0.0) -> Goal:
    """A pool of draws of the base, and the target: every text has the feature, or it is tilted by the exponent."""
    log_base = log_probs(Tuner(model()).log_base)
    rows = np.random.default_rng(0).choice(len(SPACE), num_texts, p=np.exp(log_base) / np.exp(log_base).sum())
    written = tuple(SPACE[row] for row in rows)
    return Goal(
        ("two b",), (PROMPT,), np.zeros(num_texts, dtype=np.int64), written, log_base[rows], log_base[rows],
        has_two_b(written), only if pointwise else lambda features, _: exponent * features[:, 0], has_two_b,
    )  # fmt: skip


def only(features: Floats, _: Any = None) -> Floats:
    """log of 1 where the feature is there, of 0 where it is not."""
    return np.where(features[:, 0] == 1.0, 0.0, -np.inf)


def log_probs(read: Any) -> Floats:
    """float64[121], nats, of the whole space."""
    found: Floats = read([(PROMPT, ids) for ids in SPACE])
    return found


def target(asked: Goal) -> Floats:
    """float64[121]: the exact target."""
    log_base = log_probs(Tuner(model()).log_base)
    mass = np.exp(log_base + asked.log_potential(has_two_b(SPACE), np.zeros(len(SPACE), dtype=np.int64)))
    exact: Floats = mass / mass.sum()
    return exact


def kl(one: Floats, other: Floats) -> float:
    some = one > 0
    return float((one[some] * np.log(one[some] / other[some])).sum())
