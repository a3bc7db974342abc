"""What a model's name may be, and what is said where it leads nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from playground.errors import PlaygroundError
from playground.models import Chunk, Message, Model, ToyBackend, load_model
from playground.models.catalogue import DEFAULT_TITLE
from playground.models.gguf_files import precision_in_words, refuse_if_too_large, summarise
from playground.models.loading import eos_ids
from tests.models.gguf_made import CONTEXT, write_tiny_gguf
from tests.models.test_contract import assert_close
from tests.models.tiny import tiny_model
from tests.models.tokenizers_made import byte_level


def silent(fraction: float, message: str) -> None:
    """A progress callback for those who do not care."""


def load(path: Path, **choices: str) -> Model:
    return load_model(str(path), device="cpu", progress=silent, **choices)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as save_pretrained writes it and the hub serves it, with a wider logits row than its tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    path = tmp_path_factory.mktemp("models") / "tiny-llama"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(byte_level()) + 8, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, eos_token_id=[2, 5], bos_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    byte_level().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.Q4_1.gguf"
    write_tiny_gguf(path)
    return path


def test_a_local_folder(folder: Path) -> None:
    heard: list[tuple[float, str]] = []
    model = load_model(str(folder), device="cpu", progress=lambda fraction, message: heard.append((fraction, message)))
    assert model.name == "tiny-llama"
    assert model.note == "float32 weights; on cpu; lanes batched"
    assert model.backend.max_context == 64
    assert model.backend.vocabulary.size == len(byte_level()) + 8
    assert model.backend.vocabulary.eos_ids == {2, 5}
    assert model.kv_bytes_per_token == 2 * 2 * 2 * 8 * 4
    assert model.chat is not None and model.chat.encode([Message("user", "the cat")])
    assert [fraction for fraction, _ in heard] == sorted(fraction for fraction, _ in heard)
    assert heard[-1] == (1.0, "tiny-llama is ready")


def test_its_logits_are_the_models_own(folder: Path) -> None:
    model = load(folder)
    token_ids = model.backend.vocabulary.encode("the cat sat on")
    found = model.backend.forward([Chunk(0, tuple(token_ids), "all")])
    assert_close(found, model.hf_model(input_ids=torch.tensor([token_ids])).logits[0].detach())


def test_the_check_at_loading_leaves_no_lanes_behind(folder: Path) -> None:
    backend = load(folder).backend
    assert backend.cache_bytes() == 0
    backend.forward([Chunk(0, (1,) * 64)])


def test_half_precision_answers_in_float32(folder: Path) -> None:
    model = load(folder, dtype="bfloat16")
    assert model.note == "bfloat16 weights; on cpu; lanes batched"
    assert model.backend.forward([Chunk(0, (1, 2, 3))]).dtype == torch.float32


def test_a_base_model_has_no_chat(folder: Path, tmp_path: Path) -> None:
    from shutil import copytree

    base = copytree(folder, tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    model = load(base)
    assert model.chat is None and model.backend.vocabulary.eos_ids == {2, 5}


def test_the_end_of_a_chat_turn_ends_a_text() -> None:
    from copy import copy

    tokenizer = copy(byte_level())
    tokenizer.eos_token = "<|begin|>"
    assert eos_ids(tiny_model("llama"), tokenizer) == {0, 2}


def test_a_recurrent_model_says_that_it_is_not_batched(tmp_path: Path) -> None:
    from transformers import MambaConfig, MambaForCausalLM

    path = tmp_path / "tiny-mamba"
    config = MambaConfig(vocab_size=len(byte_level()), hidden_size=32, num_hidden_layers=2)
    MambaForCausalLM(config).save_pretrained(path)
    byte_level().save_pretrained(path)
    assert load(path).note == "float32 weights; on cpu; one lane at a time"


def test_a_gguf_file_and_the_folder_around_it(gguf_file: Path) -> None:
    by_file, by_folder = load(gguf_file), load(gguf_file.parent)
    assert by_file.name == by_folder.name == "tiny.Q4_1"
    assert by_file.note == "4-bit weights, dequantised to float32; on cpu; lanes batched"
    assert by_file.backend.max_context == CONTEXT
    assert by_file.backend.vocabulary.encode("the cat", special=False) == byte_level()("the cat")["input_ids"][1:]
    assert by_file.chat is not None


def test_a_gguf_file_that_does_not_fit_is_refused_with_the_figure(gguf_file: Path) -> None:
    summary = summarise(gguf_file)
    assert summary.num_parameters == write_tiny_gguf(gguf_file.with_name("again.bin"))
    refuse_if_too_large(gguf_file, summary.num_parameters, 4, summary.num_parameters * 4)
    with pytest.raises(PlaygroundError, match=r"needs 28\.0 GB .* only 16\.0 GB"):
        refuse_if_too_large(gguf_file, 7_000_000_000, 4, 16_000_000_000)


def test_loading_asks_whether_a_gguf_file_fits(gguf_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.models.loading.available_memory_bytes", lambda: 1000)
    with pytest.raises(PlaygroundError, match="Choose a smaller model"):
        load(gguf_file)


@pytest.mark.parametrize(("kind", "words"), [("Q4_1", "4-bit"), ("IQ2_XS", "2-bit"), ("BF16", "16-bit")])
def test_precision_in_words(kind: str, words: str) -> None:
    assert precision_in_words(kind) == words


def test_names_that_lead_nowhere(tmp_path: Path, folder: Path, gguf_file: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    config_only = tmp_path / "config-only"
    config_only.mkdir()
    (config_only / "config.json").write_bytes((folder / "config.json").read_bytes())
    several = tmp_path / "several"
    several.mkdir()
    for name in ("a.gguf", "b.gguf"):
        (several / name).write_bytes(gguf_file.read_bytes())
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.gguf").write_text("this is no model")
    cases = {
        tmp_path / "missing": "no file or folder",
        tmp_path / "missing.gguf": "no file or folder",
        bare: "no config.json",
        config_only: "no weights",
        several: "several models",
        tmp_path / "notes.txt": "not a .gguf file",
        tmp_path / "broken.gguf": "cannot be read as a GGUF file",
    }
    for path, message in cases.items():
        with pytest.raises(PlaygroundError, match=message):
            load(path)


def test_a_model_that_is_no_causal_language_model(tmp_path: Path, folder: Path) -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=96, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    byte_level().save_pretrained(tmp_path)
    with pytest.raises(PlaygroundError, match="not a causal language model"):
        load(tmp_path)


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')")
    byte_level().save_pretrained(tmp_path)
    with pytest.raises(PlaygroundError, match="never run here"):
        load(tmp_path)


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PlaygroundError, match="nobody/nothing is no local folder and could not be fetched"):
        load_model("nobody/nothing", progress=silent)


def test_choices_that_do_not_exist(folder: Path) -> None:
    with pytest.raises(PlaygroundError, match="dtype one of"):
        load(folder, dtype="int3")
    with pytest.raises(PlaygroundError, match="backend is one of"):
        load_model(backend="magic")
    if not torch.cuda.is_available():
        with pytest.raises(PlaygroundError, match="no CUDA device"):
            load_model(str(folder), device="cuda", progress=silent)


def test_the_toy_is_loaded_only_by_its_name() -> None:
    model = load_model(backend="toy")
    assert isinstance(model.backend, ToyBackend) and model.name == "toy"
    assert "not a language model" in model.note
    assert model.tokenizer is None and model.hf_model is None


@pytest.mark.model
def test_the_default_model(default_model: Model) -> None:
    assert default_model.name == DEFAULT_TITLE
    assert default_model.note == "4-bit weights, dequantised to float32; on cpu; lanes batched"
    assert default_model.kv_bytes_per_token == 46_080
    vocabulary = default_model.backend.vocabulary
    logits = default_model.backend.forward([Chunk(900, tuple(vocabulary.encode("The capital of France is")))])
    default_model.backend.release(900)
    assert vocabulary.label(int(logits.argmax())) == "␣Paris"


@pytest.mark.model
def test_the_default_model_in_a_batch_equals_its_plain_forward(default_model: Model) -> None:
    backend = default_model.backend
    texts = ["Once upon a time there was a", "Они решили назвать свою дочь", "x", "def add(a, b):\n    return"]
    encoded = [backend.vocabulary.encode(text) for text in texts]
    backend.forward([Chunk(lane, tuple(ids[:-1] or ids), slice(0, 0)) for lane, ids in enumerate(encoded, 900)])
    found = backend.forward([Chunk(lane, (ids[-1],)) for lane, ids in enumerate(encoded, 900)])
    for lane, (token_ids, row) in enumerate(zip(encoded, found, strict=True), 900):
        backend.release(lane)
        whole = token_ids if len(token_ids) > 1 else token_ids * 2  # the one-token text was fed twice
        plain = default_model.hf_model(input_ids=torch.tensor([whole])).logits[0, -1].detach()
        torch.testing.assert_close(row, plain, rtol=0, atol=5e-4)
