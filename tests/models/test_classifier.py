"""Classifiers by folder: a tiny one with random weights, alone, in a batch and inside a Study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import playground as pg
from playground.errors import PlaygroundError
from playground.models.classifier import classifier
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
