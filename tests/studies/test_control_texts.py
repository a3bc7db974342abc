"""The list of texts: what features found is told in code points, each word once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from playground.control.evaluation import Evaluator
from playground.control.features import features
from playground.control.pool import Pool
from playground.control.texts import Text
from playground.studies.analysis import Analysis
from playground.studies.control_asks import Ask
from playground.studies.control_views import control_view

TEXTS = ("🌙 the moon is moonlit", "nothing", "full moon", "a sun")


def view_of_all() -> dict[str, Any]:
    logs = np.full(len(TEXTS), -2.0)
    texts = tuple(Text(text, 3, 2.0) for text in TEXTS)
    pool = Pool(texts, logs, logs, np.full(len(TEXTS), 0.5), ("p",) * 4, ((1,),) * 4)
    asked = features([{"feature": "contains", "text": "moon"},
                      {"feature": "contains_any", "words": ["the moon", "sun"], "whole_words": False}])  # fmt: skip
    return control_view(Analysis.of(pool, asked, Evaluator()), Ask(targets=(0.5, 0.5)))


def test_every_row_tells_what_was_found() -> None:
    view = view_of_all()
    found = [[(row["text"][start:end], feature) for start, end, feature in row["marks"]] for row in view["rows"]]
    assert found == [[("the moon", 1)], [], [("moon", 0)], [("sun", 1)]], "the earlier start has the word"
    assert [row["values"] for row in view["rows"]] == [[1, 1], [0, 0], [1, 0], [0, 1]]


def test_patterns_that_take_long_leave_the_rest_unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = [row["text"] for row in view_of_all()["rows"]]
    monkeypatch.setattr("playground.studies.control_texts.MARKING_S", -1.0)
    rows = view_of_all()["rows"]
    assert [row["text"] for row in rows] == marked and not any(row["marks"] for row in rows)
