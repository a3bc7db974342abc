"""A tiny Llama with a byte-level tokenizer, written as a GGUF file as llama.cpp's converter would.

Knows nothing about loading.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.models.tokenizers_made import CHAT_TEMPLATE, _merges, byte_level

HIDDEN, HEADS, LAYERS, INNER, CONTEXT = 32, 4, 2, 64, 64


def write_tiny_gguf(path: Path) -> int:
    """Write the file (most weights in Q4_1); how many parameters it has."""
    tokenizer = byte_level()
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([gguf.TokenType.CONTROL if token.startswith("<|") else 1 for token in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in _merges(tokenizer.backend_tokenizer)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)
    num_parameters = 0
    for name, shape in _shapes(len(vocabulary)).items():
        weights = np.random.default_rng(len(name)).normal(0, 0.2, shape).astype(np.float32)
        num_parameters += weights.size
        if weights.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return num_parameters


def _shapes(vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary_size, HIDDEN),
        "output_norm.weight": (HIDDEN,),
        "output.weight": (vocabulary_size, HIDDEN),
    }
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        shapes |= {f"{block}attn_{part}.weight": (HIDDEN, HIDDEN) for part in ("q", "k", "v", "output")}
        shapes |= {f"{block}{part}_norm.weight": (HIDDEN,) for part in ("attn", "ffn")}
        shapes |= {f"{block}ffn_{part}.weight": (INNER, HIDDEN) for part in ("gate", "up")}
        shapes[f"{block}ffn_down.weight"] = (HIDDEN, INNER)
    return shapes
