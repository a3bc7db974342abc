"""Classifiers by folder: a tiny one with random weights, alone, in a batch and inside a Study."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import playground as pg
from playground.errors import PlaygroundError
from playground.models import classifier as classifier_module
from playground.models import memory
from playground.models.classifier import Classifier, classifier
from tests.models.classifiers_made import save_classifier
from tests.models.tokenizers_made import byte_level

TEXTS = ["the cat sat", "a dog", "they decided to name their daughter Anna and the dog", ""]


@pytest.fixture(scope="module", params=["padded", "one at a time"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_classifier(tmp_path_factory.mktemp("classifier"), padded=request.param == "padded")


def test_it_is_the_models_own_softmax_whatever_stands_beside(folder: str) -> None:
    from transformers import AutoModelForSequenceClassification

    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder).eval(), byte_level()
    expected = []
    for text in TEXTS:
        read = tokenizer(text, return_tensors="pt", truncation=True, max_length=24)
        with torch.no_grad():
            expected.append(float(model(**read).logits.softmax(-1)[0, 1]))
    assert len(set(expected)) == len(TEXTS)
    assert classifier(folder, "happy")(TEXTS) == pytest.approx(expected, abs=1e-5)
    assert classifier(folder, "1")(TEXTS) == classifier(folder, "HAPPY")(TEXTS)
    three = [classifier(folder, name)(TEXTS[:1])[0] for name in ("sad", "happy", "neither")]
    assert sum(three) == pytest.approx(1)


def test_what_is_none_is_said(folder: str, tmp_path: Path) -> None:
    with pytest.raises(PlaygroundError, match="it has sad, happy, neither"):
        classifier(folder, "glad")
    with pytest.raises(PlaygroundError, match="could not be loaded as a classifier"):
        classifier(str(tmp_path), "x")
    with pytest.raises(PlaygroundError, match="is no folder here"):
        classifier("/not/here/at all", "x")


def test_a_study_weighs_texts_by_it(folder: str) -> None:
    feature = {"feature": "classifier", "model": folder, "label": "happy"}
    with pg.Engine(pg.load_model(backend="toy")) as engine:
        study = pg.Study(engine, "Once", [feature], max_tokens=6, seed=3)
        study.draw(60)
        values = np.asarray(classifier(folder, "happy")([one.text for one in study.pool.texts]))
        assert 0 < values.min() < values.max() < 1
        fit = study.fit([float(values.mean()) + 0.2 * float(values.std())])
    assert fit.status.startswith(("converged", "warning")) and fit.exponents[0] > 0


def test_several_labels_at_once_are_a_sigmoid_each(tmp_path: Path) -> None:
    made = Classifier(save_classifier(tmp_path, problem_type="multi_label_classification"))
    rows = made.probabilities(TEXTS)
    logits = [np.log(np.array(row) / (1 - np.array(row))) for row in rows]
    softmax = Classifier(save_classifier(tmp_path)).probabilities(TEXTS)
    for one, row in zip(logits, softmax, strict=True):
        assert tuple(np.exp(one) / np.exp(one).sum()) == pytest.approx(row, abs=1e-5)


def test_what_would_answer_at_random_is_refused(tmp_path: Path) -> None:
    folder = Path(save_classifier(tmp_path))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    with pytest.raises(PlaygroundError, match="is a BertForMaskedLM, which has no labels"):
        Classifier(str(folder), "moods").labels()
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "a", "1": "b"}, "label2id": {}}))
    with pytest.raises(PlaygroundError, match=r"moods (has no weights for its labels|could not be loaded)"):
        Classifier(str(folder), "moods").load()
    weights = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in weights.items() if "classifier" not in name},
              folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(PlaygroundError, match=r"moods has no weights for its labels .*at random"):
        Classifier(str(folder), "moods").load()
    (folder / "config.json").write_text(json.dumps(config | {"problem_type": "regression"}))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(PlaygroundError, match="answers a number"):
        Classifier(str(folder), "moods").load()


def test_a_failure_is_remembered_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(classifier_module, "_labels_of", lambda *_: asked.append("x") or ("a",))
    made = Classifier(str(tmp_path / "gone"))
    monkeypatch.setattr(classifier_module, "_load", _raise(PlaygroundError("gone")))
    for _ in range(3):
        with pytest.raises(PlaygroundError, match="gone"):
            made.load()
        with pytest.raises(PlaygroundError, match="gone"):
            made.labels()
    assert not asked
    monkeypatch.setattr(classifier_module, "RETRY_S", 0.0)
    assert made.labels() == made.labels() == ("a",) and asked == ["x"]


def _raise(error: Exception) -> Callable[..., Any]:
    def raising(*_: Any) -> Any:
        raise error

    return raising


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_no_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    made = Classifier(save_classifier(tmp_path), "moods")
    made.load()
    monkeypatch.setattr(classifier_module, "_read", _raise(error))
    with pytest.raises(PlaygroundError, match="moods ran out of memory"):
        made.probabilities(["a text"])
    monkeypatch.setattr(memory, "_free_bytes", lambda device: 1000)
    with pytest.raises(PlaygroundError, match=r"moods needs about .* Name a smaller classifier"):
        Classifier(save_classifier(tmp_path), "moods").load()


def test_filling_up_that_changes_the_answer_is_found_by_trying(tmp_path: Path) -> None:
    """A decoder reads the last token that is no filling, and says so only where it knows the filling."""
    from transformers import GPT2Config, GPT2ForSequenceClassification

    tokenizer = copy.deepcopy(byte_level())
    tokenizer.pad_token = "<|im_end|>"
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=64, num_labels=2)
    torch.manual_seed(0)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    made = Classifier(str(tmp_path))
    together = made.probabilities(TEXTS[:3])
    assert made._loaded is not None and not made._loaded.batched
    assert together == [made.probabilities([text])[0] for text in TEXTS[:3]]
