"""Whether a model's weights fit beside what is loaded already: an estimate from its files, before anything is read.

Knows nothing about transformers, tokenizers or backends.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError
from playground.models.gguf_files import available_memory_bytes

NUM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}
ADVICE = "Choose a smaller model, leave out the second one, or start with --dtype bfloat16."
SUFFIXES = (".safetensors", ".bin")


def weights_bytes(folder: Path, dtype: str) -> int:
    """Bytes of a local folder's weights once they are ``dtype``; 0 where its files do not say."""
    files = [file for file in folder.iterdir() if file.suffix in SUFFIXES]
    safe = [file for file in files if file.suffix == ".safetensors"]
    stored = sum(file.stat().st_size for file in (safe or files))
    return stored * NUM_BYTES[dtype] // NUM_BYTES.get(_stored_dtype(folder), 4)


def refuse_if_no_room(title: str, folder: Path, dtype: str, device: str, advice: str = ADVICE) -> None:
    """PlaygroundError with the figures where the weights are larger than the memory that is free."""
    needed, free = weights_bytes(folder, dtype), _free_bytes(device)
    if needed > free:
        raise PlaygroundError(
            f"{title} needs about {needed / 1e9:.1f} GB of memory in {dtype} and only {free / 1e9:.1f} GB are free. "
            f"{advice}"
        )


def _stored_dtype(folder: Path) -> str:
    """As the configuration says; the same name for torch_dtype and its successor."""
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "float32"
    return str(config.get("dtype") or config.get("torch_dtype") or "float32") if isinstance(config, dict) else "float32"


def _free_bytes(device: str) -> int:
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info(device if ":" in device else None)[0])
    return available_memory_bytes()
