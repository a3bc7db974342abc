"""Tiny models of many architectures with random weights, built from configurations without any download.

Knows nothing about backends.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

VOCABULARY_SIZE = 96
MAX_CONTEXT = 64
WINDOW = 7
"""Short enough that every test outgrows it."""

BATCHED = (
    "llama", "qwen2", "qwen3", "mistral", "gemma3", "gpt2", "bloom", "gpt_neox", "phi3", "olmo2", "granite",
)  # fmt: skip
ONE_LANE = ("mamba", "jamba")


@cache
def tiny_model(name: str, max_context: int = MAX_CONTEXT) -> Any:
    """The architecture's causal LM, in float32 on the CPU, the same weights every time."""
    import transformers

    size = {
        "vocab_size": VOCABULARY_SIZE, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip
    gated = {**size, "intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": max_context}
    make = {
        "llama": lambda: transformers.LlamaConfig(**gated),
        "qwen2": lambda: transformers.Qwen2Config(**gated),
        "qwen3": lambda: transformers.Qwen3Config(**gated, head_dim=8),
        "mistral": lambda: transformers.MistralConfig(**gated, sliding_window=WINDOW),
        "gemma3": lambda: transformers.Gemma3TextConfig(
            **gated, head_dim=8, query_pre_attn_scalar=8, sliding_window=WINDOW,
            layer_types=["sliding_attention", "full_attention"],
        ),
        "gpt2": lambda: transformers.GPT2Config(**size, n_positions=max_context),
        "bloom": lambda: transformers.BloomConfig(**size, seq_length=max_context),
        "gpt_neox": lambda: transformers.GPTNeoXConfig(
            **size, intermediate_size=48, max_position_embeddings=max_context
        ),
        "phi3": lambda: transformers.Phi3Config(**gated),
        "olmo2": lambda: transformers.Olmo2Config(**gated),
        "granite": lambda: transformers.GraniteConfig(**gated, logits_scaling=2.0),
        "mamba": lambda: transformers.MambaConfig(**size, state_size=4),
        "jamba": lambda: transformers.JambaConfig(
            **gated, mamba_d_state=4, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2,
            expert_layer_offset=1, num_experts=2,
        ),
        "bert": lambda: transformers.BertConfig(**size, intermediate_size=48, max_position_embeddings=max_context),
    }  # fmt: skip
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(make[name]()).eval()
    for weight in model.parameters():
        if weight.dim() > 1:  # the usual 0.02 leaves logits so flat that a wrong mask would hide in the tolerance
            torch.nn.init.normal_(weight, std=0.15)
    return model.requires_grad_(False)
