"""What a transformers model tells about its layers: how many there are, and what its output matrix reads in one.

Knows nothing about lanes, caches or who asks.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor


def layers_of(hf_model: Any) -> tuple[int, bool]:
    """Decoder layers (0 where the configuration names none), and whether the output matrix is the embedding's."""
    config = hf_model.config.get_text_config(decoder=True)
    matrix = hf_model.get_output_embeddings()
    tied = matrix is not None and matrix.weight is hf_model.get_input_embeddings().weight
    return int(getattr(config, "num_hidden_layers", 0) or 0), tied


def unembedded(hf_model: Any, states: Tensor) -> Tensor:
    """float[n, D] -> float32[n, V], by the output matrix alone, in the model's own precision."""
    matrix = hf_model.get_output_embeddings()
    logits: Tensor = matrix(states.to(matrix.weight.device, matrix.weight.dtype))
    return logits.float()
