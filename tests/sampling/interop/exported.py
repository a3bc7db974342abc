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
    """Answers each text that may be read with its row of logits; keeps what generate() made of them."""

    def with_rows(self, rows: dict[tuple[int, ...], torch.Tensor]) -> StoredRows:
        self.rows, self.scores = rows, None
        return self

    def forward(self, input_ids: Any = None, past_key_values: Any = None, **_: Any) -> CausalLMOutputWithPast:
        row = self.rows[tuple(input_ids[0].tolist())]
        return CausalLMOutputWithPast(logits=row.expand(*input_ids.shape, -1), past_key_values=past_key_values)

    def generate(self, *arguments: Any, **settings: Any) -> torch.Tensor:
        settings |= {"max_new_tokens": 1, "output_scores": True, "return_dict_in_generate": True}
        done = super().generate(*arguments, **settings)
        best = torch.full_like(done.scores[0][0], -torch.inf)
        best[done.scores[0][0].argmax()] = 0.0
        self.scores = done.scores[0][0] if settings["do_sample"] else best
        return done.sequences


class Words:
    """A tokenizer that knows these texts and no others."""

    bos_token_id, eos_token_id = 1, 1

    def __init__(self, texts: dict[str, list[int]]) -> None:
        self.texts = texts

    def __call__(self, text: str, return_tensors: str) -> transformers.BatchEncoding:
        ids = torch.tensor([self.texts[text]])
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
    others: dict[str, torch.Tensor] | None = None, history: list[int] | None = None,
) -> torch.Tensor:  # fmt: skip
    """float[V]: what the exported code hands to the draw, run as it was written.

    ``others``: the row of every other text that may be read; that of "" is the prompt's last token.
    """
    history = history or HISTORY
    texts = {text: [10 + place] for place, text in enumerate(others or {}) if text}
    read = {tuple(ids): (others or {})[text] for text, ids in texts.items()}
    if others and "" in others:
        read[(history[-1],)] = others[""]
    model = model.with_rows({**read, tuple(history): row})
    execute(setup, Words({**texts, setup.prompt or "": history}), {setup.model or "model": model}, monkeypatch)
    assert model.scores is not None
    return model.scores


def execute(setup: Setup, words: Any, models: dict[str, Any], monkeypatch: Any) -> None:
    """Run what is exported, as it was written, with these models by their names."""
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda name: words)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda name, dtype: models[name])
    exec(compile(export("transformers", setup).text, "exported", "exec"), {"__name__": "exported"})
