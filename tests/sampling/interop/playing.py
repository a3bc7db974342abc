"""A tiny Llama that is really run, with a tokenizer and a template of its own, for exported code of several tokens.

Knows nothing about what is expected. Its weights are random, but always the same.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import transformers

from playground.models.backend import Message, Model

WIDTH = 40
NUM_TOKENS = 6


class Recording(transformers.LlamaForCausalLM):
    """Keeps what generate() handed to each draw, and the whole text."""

    def generate(self, *arguments: Any, **settings: Any) -> torch.Tensor:
        settings |= {"output_scores": True, "return_dict_in_generate": True}
        done = super().generate(*arguments, **settings)
        self.drawn = torch.cat(done.scores)
        self.sequence = done.sequences[0].tolist()
        return done.sequences

    def next(self, token_ids: list[int]) -> torch.Tensor:
        """float[V]: the logits after a text, read afresh and without a cache."""
        with torch.no_grad():
            return self(torch.tensor([token_ids]), use_cache=False).logits[0, -1]


def playing(seed: int) -> Recording:
    """One of several models of the same vocabulary; their logits are spread like real ones, over a dozen nats."""
    config = transformers.LlamaConfig(
        vocab_size=WIDTH, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        initializer_range=0.7, pad_token_id=0, bos_token_id=1, eos_token_id=None,
    )  # fmt: skip
    before = torch.random.get_rng_state()
    torch.manual_seed(seed)
    model = Recording(config).eval()
    torch.random.set_rng_state(before)
    return model


class Letters:
    """One token a character, one before each text; a template that writes who speaks."""

    bos_token_id, eos_token_id = 1, 2

    def encode(self, text: str, special: bool = True) -> list[int]:
        return [1] * special + [3 + ord(character) % (WIDTH - 3) for character in text]

    def __call__(self, text: str, return_tensors: str) -> transformers.BatchEncoding:
        return _batch(self.encode(text))

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> transformers.BatchEncoding:
        return _batch(Template().encode([Message(one["role"], one["content"]) for one in messages]))

    def decode(self, *_: Any, **__: Any) -> str:
        return ""


class Template:
    """How ``Letters`` writes a conversation, as the engine asks for it."""

    def render(self, messages: list[Message]) -> str:
        return "".join(f"<{one.role}>{one.content}\n" for one in messages) + "<assistant>"

    def encode(self, messages: list[Message]) -> list[int]:
        return Letters().encode(self.render(messages))


def as_ours(number: int) -> Model:
    """What the engine must know of one of these models to say what its branches read."""
    vocabulary = SimpleNamespace(encode=Letters().encode, label=str, eos_ids=frozenset({2}))
    backend: Any = SimpleNamespace(vocabulary=vocabulary)
    return Model(f"model-{number}", backend, "", 0, tokenizer=Letters(), chat=Template())


def _batch(ids: list[int]) -> transformers.BatchEncoding:
    rows = torch.tensor([ids])
    return transformers.BatchEncoding({"input_ids": rows, "attention_mask": torch.ones_like(rows)})
