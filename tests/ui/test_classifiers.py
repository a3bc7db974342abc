"""Classifiers that the host named: offered with their labels, and no others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from playground.control.texts import Text
from playground.errors import PlaygroundError
from playground.models.classifier import Classifier, classifier
from playground.studies.classifiers import Classifiers
from playground.ui.desk import Desk
from playground.ui.session import Sessions
from tests.models.classifiers_made import save_classifier
from tests.ui.pools import drawn
from tests.ui.test_control import run

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


@dataclass
class Held(Classifier):
    """A classifier that reads sixteen texts whenever it is let, and remembers which."""

    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    texts: list[str] = field(default_factory=list)

    def load(self) -> None:
        pass

    def labels(self) -> tuple[str, ...]:
        return ("odd", "even")

    def probabilities(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        assert self.turns.acquire(timeout=30)
        self.texts += texts
        return [(float(len(text) % 2), 1.0 - len(text) % 2) for text in texts]

    def let(self, turns: int) -> None:
        self.turns.release(turns)


@pytest.fixture
def held(desk: Desk) -> Iterator[tuple[Desk, Held]]:
    holding = desk_with(desk, "org/held")
    one = Held("org/held")
    holding.classifiers.by_name["org/held"] = one
    yield holding, one
    one.let(1000)


EVEN = {"feature": "classifier", "model": "org/held", "label": "even"}


async def looked(desk: Desk, tab: Any, pool: str, *asked: Any, **more: Any) -> dict[str, Any]:
    return await desk.control.view(tab, {"pool": pool, "features": list(asked), "targets": [None] * len(asked), **more})


async def until_read(desk: Desk, tab: Any, pool: str, num_done: int, *asked: Any) -> dict[str, Any]:
    """What the page does: ask again."""
    while True:
        view = await looked(desk, tab, pool, *asked, partial=True)
        if view["reading"] is None or view["reading"]["num_done"] >= num_done:
            return view


def test_a_slow_classifier_holds_up_nobody(held: tuple[Desk, Held]) -> None:
    desk, slow = held

    async def main() -> None:
        tab, other = desk.sessions.create(), desk.sessions.create()
        pool, theirs = await drawn(desk, tab, num_texts=64), await drawn(desk, other, num_texts=64)
        first = await looked(desk, tab, pool, EVEN, partial=True)
        assert first["reading"]["words"].startswith("Waiting for org/held to read 64 texts") and "gauges" not in first
        for one, drags in ((tab, pool), (other, theirs)):
            assert (await looked(desk, one, drags, "moon", partial=True))["reading"] is None
        assert (await desk.control.view(tab, {"pool": "toy", "targets": [None, None]}))["gauges"]
        slow.let(2)
        some = await until_read(desk, tab, pool, 16, EVEN)
        assert some["reading"]["words"] == f"Reading 64 texts with org/held: {some['num_rows']} done"
        assert some["num_rows"] in (16, 32) and some["gauges"][0]["label"] == "classifier “org/held” “even”"
        slow.let(10)
        whole = await looked(desk, tab, pool, EVEN)
        assert whole["reading"] is None and whole["num_rows"] == 64

    run(main())


def test_a_text_is_read_once_whatever_is_made_of_its_labels(held: tuple[Desk, Held]) -> None:
    desk, once = held
    odd, even = {**EVEN, "label": "odd"}, EVEN
    often = {"feature": "at_least", "of": even, "value": 0.5}

    async def main() -> None:
        tab = desk.sessions.create()
        pool = await drawn(desk, tab, num_texts=64)
        once.let(1000)
        view = await looked(desk, tab, pool, odd, often, {"feature": "not", "of": often},
                            {"feature": "product", "of": [even, "moon"]})
        bases = [gauge["base"] for gauge in view["gauges"]]
        assert bases[0] + bases[1] == pytest.approx(1) and bases[2] == pytest.approx(bases[0])
        assert 0 < bases[3] < bases[1] and view["gauges"][2]["yes_no"]
        more = (await desk.control.draw(tab, {"pool": pool, "num_texts": 40}))["pool"]
        while any(one["running"] for one in (await desk.control.pools(tab, {}))["pools"]):
            await asyncio.sleep(0.02)
        assert (await looked(desk, tab, more, even))["num_rows"] == 104
        assert len(once.texts) == len(set(once.texts)) <= 104

    run(main())


def test_whoever_leaves_or_asks_for_something_else_is_read_for_no_more(held: tuple[Desk, Held]) -> None:
    desk, slow = held

    async def ended(reading: Any) -> None:
        while not reading._task.done():
            await asyncio.sleep(0.01)

    async def main() -> None:
        tab = desk.sessions.create()
        pool = await drawn(desk, tab, num_texts=200)
        await looked(desk, tab, pool, EVEN, partial=True)
        first = tab.pools._reading
        assert (await looked(desk, tab, pool, "moon", partial=True))["reading"] is None
        slow.let(1)
        await ended(first)
        assert len(slow.texts) <= 16 and not first.complete
        await looked(desk, tab, pool, EVEN, partial=True)
        second = tab.pools._reading
        desk.forget(tab)
        slow.let(3)
        await ended(second)
        assert not second.complete

    run(main())


def test_who_waits_for_all_of_it_gets_it_whatever_else_the_tab_asks(held: tuple[Desk, Held]) -> None:
    desk, slow = held

    async def main() -> None:
        tab = desk.sessions.create()
        pool = await drawn(desk, tab, num_texts=64)
        patient = asyncio.create_task(desk.control.export(tab, {"pool": pool, "features": [EVEN], "targets": [None]}))
        await asyncio.sleep(0.05)
        await looked(desk, tab, pool, "moon", partial=True)
        slow.let(100)
        assert len((await patient)["pool"]["texts"]) == 64

    run(main())


def test_what_two_threads_read_at_once_is_counted_once() -> None:
    """The control section and tuning have threads of their own; counted twice, it would crowd out what is known."""
    both = threading.Barrier(2)

    class Met(Held):
        def probabilities(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
            both.wait(30)
            return [(0.5, len(text) / 100) for text in texts]

    read = Classifiers({"org/met": Met("org/met")})
    texts = [Text(f"text {number}", 1, 1.0) for number in range(20)]
    threads = [threading.Thread(target=read.scores("org/met", "even"), args=(texts,)) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert read._num_read == 2 * 20 == sum(map(len, read._read.values()))
