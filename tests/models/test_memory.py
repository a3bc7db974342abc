"""The estimate of what a folder's weights need, and the refusal with the figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.errors import PlaygroundError
from playground.models import load_model, memory
from playground.models.memory import refuse_if_no_room, weights_bytes


def folder(path: Path, stored: str | None, **sizes: int) -> Path:
    for name, size in sizes.items():
        (path / name.replace("_", ".")).write_bytes(b"\0" * size)
    if stored is not None:
        (path / "config.json").write_text(json.dumps({"torch_dtype": stored}), encoding="utf-8")
    return path


def test_weights_grow_and_shrink_with_their_precision(tmp_path: Path) -> None:
    here = folder(tmp_path, "bfloat16", model_safetensors=1000, other_bin=77, notes_txt=5)
    assert weights_bytes(here, "float32") == 2000 and weights_bytes(here, "bfloat16") == 1000


def test_without_a_configuration_the_files_are_float32(tmp_path: Path) -> None:
    assert weights_bytes(folder(tmp_path, None, pytorch_bin=800), "float16") == 400


def test_what_does_not_fit_is_refused_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = folder(tmp_path, "float16", model_safetensors=3000)
    monkeypatch.setattr(memory, "available_memory_bytes", lambda: 5_000)
    refuse_if_no_room("small", here, "float16", "cpu")
    monkeypatch.setattr(memory, "NUM_BYTES", {"float16": 2, "float32": 4 * 10**6})
    with pytest.raises(PlaygroundError, match=r"needs about 6\.0 GB .* only 0\.0 GB are free"):
        refuse_if_no_room("large", here, "float32", "cpu")


def test_the_small_toy_shares_the_toys_vocabulary_and_knows_less() -> None:
    toy, small = load_model(backend="toy"), load_model("toy-small", backend="toy")
    assert (toy.name, small.name) == ("toy", "toy-small")
    assert toy.backend.vocabulary.size == small.backend.vocabulary.size
