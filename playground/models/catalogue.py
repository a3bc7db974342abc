"""Where the weights behind a model's name are: the default model, a local folder, a .gguf file or the hub.

Knows nothing about tensors, tokenizers or backends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from playground.errors import PlaygroundError
from playground.models.default_model import default_folder
from playground.models.progress import Progress

DEFAULT_NAME = "default"
DEFAULT_TITLE = "SmolLM2-135M-Instruct"
DEFAULT_CACHE = Path("~/.cache/decoding-playground")
WEIGHT_FILES = ("*.safetensors", "*.bin")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class Source:
    """What ``from_pretrained`` is given, and what people are told."""

    title: str
    location: str
    """A folder, or a hub id."""
    gguf_file: str | None = None
    stored_precision: str | None = None
    """``4-bit`` where the weights were quantised before; None: as the file says."""
    is_hub: bool = False


def find(name: str, cache_dir: str | Path | None, progress: Progress) -> Source:
    """The source of ``name``, fetched first where it is the default model."""
    if name == DEFAULT_NAME:
        folder = default_folder(Path(cache_dir or DEFAULT_CACHE).expanduser(), progress)
        return Source(DEFAULT_TITLE, str(folder), stored_precision="4-bit")
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _file(path)
    if path.suffix == ".gguf" or not HUB_ID.fullmatch(name) or name.startswith("."):
        raise PlaygroundError(
            f"There is no file or folder {path}. Give --model the path of a folder with a model in it, "
            "of a .gguf file, a hub id such as org/name, or `default`."
        )
    return Source(name, name, is_hub=True)


def _file(path: Path) -> Source:
    if path.suffix != ".gguf":
        raise PlaygroundError(f"{path} is not a .gguf file. Give --model the folder the model is in.")
    return Source(path.stem, str(path.parent), gguf_file=path.name)


def _folder(path: Path) -> Source:
    """A transformers folder, or one that holds a single GGUF file."""
    if (path / "config.json").is_file() and any(any(path.glob(pattern)) for pattern in WEIGHT_FILES):
        return Source(path.resolve().name, str(path))
    gguf_files = sorted(path.glob("*.gguf"))
    if len(gguf_files) == 1:
        return _file(gguf_files[0])
    if gguf_files:
        names = ", ".join(file.name for file in gguf_files)
        raise PlaygroundError(f"The folder {path} holds several models ({names}). Give --model one of the files.")
    missing = "weights (*.safetensors)" if (path / "config.json").is_file() else "config.json"
    raise PlaygroundError(
        f"The folder {path} holds no model: there is no {missing} and no .gguf file in it. "
        "Give --model a folder written by save_pretrained or downloaded whole from the hub."
    )
