"""Tiny classifiers with random weights, written to a folder."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from tests.models.tokenizers_made import byte_level

LABELS = ("sad", "happy", "neither")


def save_classifier(path: Path, padded: bool = True, labels: tuple[str, ...] = LABELS, **changes: Any) -> str:
    """A BERT of two layers for texts of up to 24 tokens; what it says is arbitrary, and differs from text to text."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = copy.deepcopy(byte_level())
    if padded:
        tokenizer.pad_token = "<|im_end|>"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=24, id2label=dict(enumerate(labels)), initializer_range=0.5, **changes,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)
