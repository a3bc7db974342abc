"""Running exported transformers code: the text as it is, over a model that answers stored rows.

Knows nothing about what is expected. The code is our own, written a moment ago by the exporter.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers.modeling_outputs import CausalLMOutputWithPast

from playground.sampling.interop import Setup, export

HISTORY = [5, 3, 9, 3, 5, 3, 9, 1]


class StoredRows(transformers.LlamaForCausalLM):
    """Answers one row of logits to the prompt and another to anything else; keeps what generate() made of them."""

    def with_rows(self, prompt: torch.Tensor, negative: torch.Tensor, history: list[int]) -> StoredRows:
        self.rows, self.history, self.scores = (prompt, negative), history, None
        return self

    def forward(self, input_ids: Any = None, past_key_values: Any = None, **_: Any) -> CausalLMOutputWithPast:
        row = self.rows[0] if input_ids[0].tolist() == self.history else self.rows[1]
        return CausalLMOutputWithPast(logits=row.expand(*input_ids.shape, -1), past_key_values=past_key_values)

    def generate(self, *arguments: Any, **settings: Any) -> torch.Tensor:
        settings |= {"max_new_tokens": 1, "output_scores": True, "return_dict_in_generate": True}
        done = super().generate(*arguments, **settings)
        best = torch.full_like(done.scores[0][0], -torch.inf)
        best[done.scores[0][0].argmax()] = 0.0
        self.scores = done.scores[0][0] if settings["do_sample"] else best
        return done.sequences


class Words:
    """A tokenizer that knows one prompt; every other text is token 2."""

    bos_token_id, eos_token_id = 1, 1

    def __init__(self, prompt: str, history: list[int]) -> None:
        self.prompt, self.history = prompt, history

    def __call__(self, text: str, return_tensors: str) -> transformers.BatchEncoding:
        ids = torch.tensor([self.history if text == self.prompt else [2]])
        return transformers.BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    def decode(self, *_: Any, **__: Any) -> str:
        return ""


def tiny(vocabulary_size: int) -> StoredRows:
    """A real model class with next to no weights; its rows come from outside."""
    config = transformers.LlamaConfig(
        vocab_size=vocabulary_size, hidden_size=4, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1,
        pad_token_id=0, bos_token_id=1, eos_token_id=None,
    )  # fmt: skip
    return StoredRows(config)


def scores_of(
    setup: Setup, model: StoredRows, row: torch.Tensor, monkeypatch: Any,
    negative: torch.Tensor | None = None, history: list[int] | None = None,
) -> torch.Tensor:  # fmt: skip
    """float[V]: what the exported code hands to the draw, run as it was written."""
    history = history or HISTORY
    model = model.with_rows(row, row if negative is None else negative, history)
    words = Words(setup.prompt or "", history)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda name: words)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda name, dtype: model)
    exec(compile(export("transformers", setup).text, "exported", "exec"), {"__name__": "exported"})
    assert model.scores is not None
    return model.scores
