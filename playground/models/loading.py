"""thin first version of load_model

Knows nothing about the environment: every choice is an argument.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground.models.backend import Model
from playground.models.progress import Progress, console_bar

DEFAULT_CACHE = Path("~/.cache/decoding-playground")


def load_model(
    name: str = "default",
    *,
    backend: str = "transformers",
    device: str = "auto",
    dtype: str = "auto",
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """The model called ``name``: ``default``, a hub id, a local folder or a ``.gguf`` file."""
    from playground.models.toy import load_toy

    if backend == "toy":
        return load_toy()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from playground.models.default_model import default_folder
    from playground.models.per_lane import PerLaneBackend
    from playground.models.vocabulary import TokenizerVocabulary

    report = progress or console_bar
    folder: Any = name
    if name == "default":
        folder = default_folder(Path(cache_dir or DEFAULT_CACHE).expanduser(), report)
    hf_model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    size = hf_model.get_output_embeddings().weight.shape[0]
    vocabulary = TokenizerVocabulary(tokenizer, size, frozenset({tokenizer.eos_token_id}))
    config = hf_model.config
    kv_bytes = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 4
    return Model(
        name,
        PerLaneBackend(hf_model, vocabulary, config.max_position_embeddings),
        "first version",
        kv_bytes,
        tokenizer,
        hf_model,
    )
