"""The cases of the recorded searches, and a tiny Llama whose weights depend on nothing but their names.

Knows nothing about who runs them: an old transformers (to record) or our engine (to compare).
"""

from __future__ import annotations

import zlib
from typing import Any

import torch

NUM_LAYERS, VOCABULARY_SIZE, END = 8, 60, 2
PROMPTS = ((5, 9, 14), (33, 7, 7, 21, 40, 8), (50,), (11, 12, 13, 14, 15, 16, 17, 18))
NUM_TOKENS = 12
CONTRASTIVE = ((4, 0.6), (6, 0.3), (2, 0.9))
DOLA = ("low", "high")


def tiny_llama(tied: bool = False) -> Any:
    """Eight layers of random weights, the same under every version of transformers."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY_SIZE, hidden_size=32, intermediate_size=48, num_hidden_layers=NUM_LAYERS,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=END,
        pad_token_id=0, tie_word_embeddings=tied,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            weight.data = 0.25 * torch.randn(weight.shape, generator=generator)
    return model.requires_grad_(False)
