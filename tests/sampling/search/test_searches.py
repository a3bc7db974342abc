"""Every search describes itself, comes from JSON and goes back, and refuses what it does not understand."""

from __future__ import annotations

import pytest

from playground.errors import PlaygroundError
from playground.sampling.search import SEARCHES, BeamSearch, search_from_json


@pytest.mark.parametrize("name", SEARCHES)
def test_json_goes_round(name: str) -> None:
    search = SEARCHES[name]()
    assert search_from_json(search.to_json()) == search == search_from_json(name)
    assert search.title and search.summary and search.formula and search.source and search.with_chain
    assert search.num_hypotheses >= 1


def test_sample_and_nothing_are_no_search() -> None:
    assert search_from_json(None) is search_from_json("sample") is search_from_json({"search": "sample"}) is None


def test_whole_numbers_written_as_floats_are_taken() -> None:
    assert search_from_json({"search": "beam", "num_beams": 3.0}) == BeamSearch(num_beams=3)


@pytest.mark.parametrize(
    "data",
    [
        7, [], {}, "bream", {"search": "bream"}, {"search": 3}, {"search": "beam", "beams": 3},
        {"search": "beam", "num_beams": 0}, {"search": "beam", "num_beams": 2.5}, {"search": "beam", "num_beams": 99},
        {"search": "beam", "length_penalty": float("nan")}, {"search": "beam", "early_stopping": "later"},
        {"search": "contrastive", "alpha": 1.5}, {"search": "contrastive", "top_k": "4"}, {"search": "sample", "x": 1},
    ],
)  # fmt: skip
def test_anything_else_is_a_clear_error(data: object) -> None:
    with pytest.raises(PlaygroundError):
        search_from_json(data)
