"""Classifiers that the host named: offered with their labels, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.models.classifier import classifier
from playground.ui.desk import Desk
from playground.ui.session import Sessions
from tests.models.classifiers_made import save_classifier
from tests.ui.test_control import drawn, run

HAPPY = {"feature": "classifier", "model": "moods", "label": "happy"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_classifier(tmp_path_factory.mktemp("made") / "moods")


@pytest.fixture(scope="module")
def reading(desk: Desk, folder: str) -> Iterator[Desk]:
    """A desk whose host named one classifier that is there, and one that is gone."""
    yield desk_with(desk, f"{folder}, {folder}-gone")


def desk_with(desk: Desk, classifiers: str) -> Desk:
    return Desk(replace(desk.settings, classifiers=classifiers), desk.host, desk.inspector, Sessions(5))


def test_the_page_is_told_their_names_and_labels_and_no_path(reading: Desk, folder: str) -> None:
    tab = reading.sessions.create()
    start = run(reading.control.start(tab, {}))
    (kind,) = [kind for kind in start["kinds"] if kind["name"] == "classifier"]
    model, label = kind["fields"]
    assert model["choices"] == ["moods", "moods-gone"] and label["asks"] == "labels"
    assert str(Path(folder).parent) not in str(start)
    answer = run(reading.control.labels(tab, {"model": "moods"}))
    assert answer == {"model": "moods", "labels": ["sad", "happy", "neither"]}
    with pytest.raises(PlaygroundError, match="moods-gone is no folder") as refused:
        run(reading.control.labels(tab, {"model": "moods-gone"}))
    assert str(Path(folder).parent) not in str(refused.value)


def test_a_view_weighs_texts_by_one(reading: Desk, folder: str) -> None:
    async def main() -> dict[str, Any]:
        tab = reading.sessions.create()
        pool = await drawn(reading, tab, num_texts=60)
        return await reading.control.view(tab, {"pool": pool, "features": [HAPPY], "targets": [None]})

    view = run(main())
    texts = [row["text"] for row in view["rows"]]
    assert [row["values"][0] for row in view["rows"]] == pytest.approx(classifier(folder, "happy")(texts), abs=1e-5)
    (gauge,) = view["gauges"]
    assert 0 < gauge["low"] < gauge["base"] < gauge["high"] < 1 and gauge["label"] == "classifier “moods” “happy”"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "someone/else"}, "not offered here; there are moods, moods-gone"),
        ({"model": "/etc"}, "not offered here"),
        ({"label": "angry"}, "no label 'angry'; it has sad, happy, neither"),
        ({"model": "moods-gone"}, "no folder"),
    ],
)
def test_what_is_not_offered_is_refused_in_words(reading: Desk, change: dict[str, str], reason: str) -> None:
    async def main() -> None:
        tab = reading.sessions.create()
        pool = await drawn(reading, tab, num_texts=5)
        await reading.control.view(tab, {"pool": pool, "features": [HAPPY | change], "targets": [None]})

    with pytest.raises(PlaygroundError, match=reason):
        run(main())


def test_two_of_one_name_end_the_start(desk: Desk, tmp_path: Path) -> None:
    for parent in ("one", "two"):
        (tmp_path / parent / "same").mkdir(parents=True)
    with pytest.raises(PlaygroundError, match="Two classifiers are called same"):
        desk_with(desk, f"{tmp_path}/one/same,{tmp_path}/two/same")
