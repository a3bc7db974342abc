"""What strangers' JSON may hold, field by field; the routes' tests send the same through a server."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import PlaygroundError
from playground.ui import asks


def refused(read: Any, body: Any) -> str:
    with pytest.raises(PlaygroundError) as caught:
        read(body)
    assert caught.value.status == 400
    return str(caught.value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), "5", None, True, [1], {}, 10**400, -(10**400), 1e308, 21, -21],
)
def test_a_scale_is_a_finite_number_within_its_range(value: Any) -> None:
    assert "from -20 to 20" in refused(asks.scale, {"scale": value})


@pytest.mark.parametrize("value", [-1, 0.5, 2**63, 1e30, "7", None, float("nan"), 10**400])
def test_a_seed_is_a_whole_number_from_0(value: Any) -> None:
    assert "seed" in refused(asks.seed, {"seed": value})


def test_a_number_that_python_cannot_even_print() -> None:
    """json.loads takes it from a program's call, and a message must not stumble over it."""
    assert "too large" in refused(asks.scale, {"scale": 10**5000})
    assert "too large" in refused(asks.seed, {"seed": -(10**5000)})


def test_numbers_that_fit() -> None:
    assert asks.scale({}) == 1.0 and asks.scale({"scale": -1}) == -1.0
    assert asks.seed({"seed": 7.0}) == 7 and type(asks.seed({"seed": 7.0})) is int
    assert asks.seed({"seed": 2**63 - 1}) == 2**63 - 1


@pytest.mark.parametrize("value", [5, [], {}, True, ["a"]])
def test_a_text_is_a_text(value: Any) -> None:
    assert "must be a text" in refused(lambda body: asks.text(body, "prompt"), {"prompt": value})
    assert asks.text({"prompt": None}, "prompt") == asks.text({}, "prompt") == ""


@pytest.mark.parametrize("value", ["a", [5], [""], ["a"] * 9, ["a" * 201], ["\ud800"], {"a": 1}, 5, [None], True])
def test_stop_strings(value: Any) -> None:
    assert "stop" in refused(asks.stops, {"stop": value}).lower()


def test_stop_strings_that_fit() -> None:
    assert asks.stops({}) == asks.stops({"stop": None}) == asks.stops({"stop": []}) == ()
    assert asks.stops({"stop": ["\n", "\0<b>"]}) == ("\n", "\0<b>")


@pytest.mark.parametrize("value", [5, True, "rank", {"rank": 1}, [5], [["rank"]], [None]])
def test_figures_are_names(value: Any) -> None:
    assert "figures" in refused(asks.figures, {"figures": value})
    assert asks.figures({"figures": ["rank", "rank", "no such"]}) == {"rank", "no such"}


@pytest.mark.parametrize("body", [None, 5, "x", [], [{}], True])
def test_a_request_is_an_object(body: Any) -> None:
    assert "object" in refused(asks.mapping, body)
