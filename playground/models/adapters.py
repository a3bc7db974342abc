"""Low-rank adapters on a module of their own that shares every weight of the served model, and their files.

Knows nothing about losses, steps or sampling. The served model is never changed: the copy has its own layers around the
same tensors, so an adapter costs its own few megabytes and nobody who is served can ever meet it.
"""

from __future__ import annotations

import copy
import json
import re
import secrets
import shutil
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from playground.errors import PlaygroundError

FOLDER = "adapters"
WEIGHTS, OPTIMIZER, ABOUT = "adapter_model.safetensors", "optimizer.safetensors", "about.json"
NAME = re.compile(r"[0-9a-f]{32}")
MAX_SAVED = 32
"""Folders kept; the oldest makes room, so that visitors cannot fill a disk."""


@dataclass(frozen=True)
class Shape:
    """What an adapter is, apart from its weights: its rank, and ``scale``, the factor on what it adds (α/rank)."""

    rank: int = 8
    scale: float = 2.0
    seed: int = 0
    """Of the random half; the other half starts at zero, so that a fresh adapter changes nothing."""


def shared_copy(hf_model: Any) -> Any:
    """A module of its own around the very same tensors, frozen: no second copy of the weights."""
    memo: dict[int, Any] = {}
    for weight in hf_model.parameters():
        memo[id(weight)] = torch.nn.Parameter(weight.detach(), requires_grad=False)
    memo |= {id(buffer): buffer for buffer in hf_model.buffers()}
    return copy.deepcopy(hf_model, memo)


def with_adapter(hf_model: Any, shape: Shape) -> Any:
    """A peft model over a shared copy, with a fresh adapter on every linear layer but the output."""
    from peft import LoraConfig, get_peft_model

    if not 1 <= shape.rank <= 256:
        raise PlaygroundError(f"The rank of an adapter is 1 to 256; got {shape.rank}.")
    config = LoraConfig(
        r=shape.rank, lora_alpha=shape.rank * shape.scale, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft remarks on GPT-2's transposed layers, and handles them
            adapted = get_peft_model(shared_copy(hf_model), config)
    except (ValueError, NotImplementedError, TypeError) as error:
        raise PlaygroundError(
            "This model's layers take no low-rank adapter, so it cannot be tuned here. Choose a plain transformer. "
            f"({str(error).splitlines()[0][:200]})"
        ) from error
    generator = torch.Generator().manual_seed(shape.seed)
    for name, weight in adapted.named_parameters():
        if "lora_A" in name:  # peft's own rule, but from our seed and not from the process's
            fresh = torch.empty(weight.shape, dtype=torch.float32)
            torch.nn.init.kaiming_uniform_(fresh, a=5**0.5, generator=generator)
            weight.data.copy_(fresh)
    return adapted.eval()


def adapter_weights(adapted: Any) -> dict[str, Tensor]:
    """The adapter's own tensors, copied, under peft's names for files."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    return {name: weight.detach().clone().contiguous() for name, weight in state.items()}


def put_weights(adapted: Any, weights: dict[str, Tensor]) -> None:
    """Give the adapter these tensors; PlaygroundError where they belong to another model or rank."""
    from peft import set_peft_model_state_dict

    own = adapter_weights(adapted)
    if {name: weight.shape for name, weight in own.items()} != {name: one.shape for name, one in weights.items()}:
        raise PlaygroundError("These adapter weights were made for another model or rank. Load that model first.")
    set_peft_model_state_dict(adapted, weights)


@dataclass(frozen=True)
class Saved:
    """An adapter read from its folder."""

    shape: Shape
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    about: dict[str, Any]
    """What the study wrote down beside it: JSON."""


class AdapterShelf:
    """Saved adapters under one cache folder, each in a folder with a generated name that only its owner is told."""

    def __init__(self, cache_dir: str | Path) -> None:
        self._root = Path(cache_dir).expanduser() / FOLDER

    def save(
        self, adapted: Any, model_name: str, shape: Shape, optimizer: dict[str, Tensor], about: dict[str, Any]
    ) -> str:
        """Write weights (as peft names them, so that PeftModel.from_pretrained reads the folder), optimiser and notes;
        answers the generated name. Written aside and renamed: there is never half an adapter."""
        from safetensors.torch import save_file

        self._root.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(16)
        with tempfile.TemporaryDirectory(prefix="writing-", dir=self._root) as scratch_name:
            scratch = Path(scratch_name) / name
            scratch.mkdir()
            save_file(adapter_weights(adapted), scratch / WEIGHTS)
            save_file(optimizer, scratch / OPTIMIZER)
            adapted.peft_config["default"].save_pretrained(str(scratch))
            notes = {"model": model_name, "shape": asdict(shape), "about": about}
            (scratch / ABOUT).write_text(json.dumps(notes), encoding="utf-8")
            scratch.rename(self._root / name)
        self._make_room()
        return name

    def load(self, name: str, model_name: str) -> Saved:
        """The adapter of that name, for the model of that name."""
        from safetensors.torch import load_file

        folder = self.folder(name)
        try:
            notes = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            saved = Saved(
                Shape(**notes["shape"]), load_file(folder / WEIGHTS), load_file(folder / OPTIMIZER), notes["about"]
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlaygroundError("This adapter's files cannot be read any more. Train it again.") from error
        if notes["model"] != model_name:
            raise PlaygroundError(f"This adapter belongs to {notes['model']}; the model loaded here is {model_name}.")
        return saved

    def folder(self, name: str) -> Path:
        """Its folder; PlaygroundError (404) where there is none. A name is 32 hexadecimal digits and nothing else."""
        folder = self._root / name if isinstance(name, str) and NAME.fullmatch(name) else None
        if folder is None or folder.is_symlink() or not folder.is_dir():
            raise PlaygroundError("There is no saved adapter of that name (any more).", status=404)
        return folder

    def delete(self, name: str) -> None:
        shutil.rmtree(self.folder(name))

    def _make_room(self) -> None:
        kept = [folder for folder in self._root.iterdir() if NAME.fullmatch(folder.name) and folder.is_dir()]
        kept.sort(key=lambda folder: folder.stat().st_mtime_ns)
        for folder in kept[:-MAX_SAVED]:
            shutil.rmtree(folder, ignore_errors=True)  # another process may be making room too
