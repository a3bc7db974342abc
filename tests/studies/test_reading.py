"""Pools under features, piece by piece: the same as all at once, in pieces as short as the features allow."""

from __future__ import annotations

import time

import numpy as np
import pytest

from playground.control.evaluation import Evaluator
from playground.control.features import Feature, feature, from_function
from playground.control.pool import Pool
from playground.control.texts import Text, Tools
from playground.errors import PlaygroundError
from playground.studies.analysis import Analysis
from playground.studies.reading import BATCH, FEW, PIECE_S, Part, Reading


def pool(num_texts: int, first: int = 0) -> Pool:
    texts = tuple(Text(f"text {number} " + "a" * (number % 7), 3, 2.0) for number in range(first, first + num_texts))
    zeros = np.zeros(num_texts)
    return Pool(texts, zeros, zeros, np.linspace(0, 0.9, num_texts), ("",) * num_texts, ((),) * num_texts)


def fussy(text: str) -> float:
    if "13" in text:
        raise PlaygroundError("thirteen")
    return len(text)


ASKED: tuple[Feature, ...] = (feature("text"), from_function("fussy", fussy))


def part(whole: Pool) -> Part:
    return Part("", whole, np.full((len(whole), 2), np.nan))


def test_piece_by_piece_is_all_at_once() -> None:
    whole, made = pool(300), part(pool(300))
    for _ in made.read(ASKED, Evaluator()):
        shown = made.analysis(ASKED)
        assert shown is not None and len(shown.pool) + len(shown.reasons) == made.num_read
    expected, found = Analysis.of(whole, ASKED, Evaluator()), made.analysis(ASKED)
    assert found is not None and found is made.analysis(ASKED), "made once"
    assert found.values.tolist() == expected.values.tolist() and found.pool.texts == expected.pool.texts
    assert found.reasons == expected.reasons and "fussy: thirteen" in found.reasons.values()


def test_too_little_says_nothing_and_all_of_nothing_says_why() -> None:
    made = part(pool(20))
    assert made.analysis(ASKED) is None
    def failing(text: str) -> float:
        time.sleep(PIECE_S / 4)
        raise ZeroDivisionError

    never = from_function("never", failing)
    assert next(made.read((ASKED[0], never), Evaluator()), "over") is None
    assert made.analysis((ASKED[0], never)) is None, "of the first texts none could be read"
    for _ in made.read((ASKED[0], never), Evaluator()):
        pass
    with pytest.raises(PlaygroundError, match=r"No text could be scored. The first reason: never: ZeroDivisionError"):
        made.analysis((ASKED[0], never))


def test_pieces_are_short_where_features_are_slow() -> None:
    def slow(text: str) -> float:
        time.sleep(PIECE_S / 4)
        return 1.0

    made, sizes = part(pool(60)), []
    for _ in made.read((ASKED[0], from_function("slow", slow)), Evaluator()):
        sizes.append(made.num_read - sum(sizes))
    assert max(sizes) <= 4 + FEW, sizes
    model = feature({"feature": "classifier", "model": "a", "label": "b"},
                    Tools(classifier=lambda *_: lambda texts: [slow(one.text) for one in texts]))
    made = part(pool(40))
    for _ in made.read((ASKED[0], model), Evaluator()):
        assert made.num_read in (BATCH, 2 * BATCH, 40), "a classifier reads whole batches"


def test_a_pool_that_grows_is_read_on() -> None:
    asked: list[str] = []
    told = from_function("told", lambda text: asked.append(text) or 1.0)
    first = Reading.of([told], [("a", pool(30)), ("b", pool(10, 500))])
    for one in first.parts:
        list(one.read([told], Evaluator()))
    grown = Reading.of([told], [("b", pool(10, 500)), ("a", pool(50))], first)
    assert (grown.num_done, grown.num_texts, grown.complete) == (40, 60, False) and first.complete
    told_view = grown.view()
    assert told_view is not None and told_view["words"] == "Reading 60 texts: 40 done"
    for one in grown.parts:
        list(one.read([told], Evaluator()))
    assert len(asked) == 60 and grown.view() is None
    assert Reading.of([feature("text")], [("a", pool(30))], first).num_done == 0, "other features, other figures"
