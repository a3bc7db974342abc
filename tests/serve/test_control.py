"""Distributional control over HTTP: a pool drawn, watched and weighed; a pool means something to one session only."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.serve.hostile import BAD_NUMBERS, REFUSED_TEXTS, error_of
from tests.serve.live import Live

ASK = {"features": ["moon"], "targets": [0.5]}


@pytest.fixture
def pool(live: Live, tab: str) -> str:
    """A pool of 100 texts of ``tab``."""
    body = {"prompt": "The dragon", "num_texts": 100, "max_tokens": 12, "seed": 7}
    made = live.post("control/draw", body, tab).json()["pool"]
    for _ in range(600):
        (shown,) = live.post("control/pools", {}, tab).json()["pools"]
        if not shown["running"]:
            assert shown["num_texts"] == 100
            return made
        time.sleep(0.05)
    raise AssertionError("the pool was not drawn in half a minute")


def test_from_the_prompt_to_accepted_texts(live: Live, tab: str, pool: str) -> None:
    view = live.post("control/view", {"pool": pool, **ASK, "acceptance_rate": 0.3, "bands": True}, tab).json()
    assert view["gauges"][0]["fitted"] == pytest.approx(0.5) and view["beta"]["acceptance_rate"] == pytest.approx(0.3)
    assert view["num_accepted"] > 10 and view["figure"]["data"]
    data = live.post("control/export", {"pool": pool, **ASK}, tab).json()
    assert len(data["pool"]["log_base"]) == 100 and data["fit"]["exponents"] and data["curve"]["acceptance_rate"]
    assert live.post("control/drop", {"pool": pool}, tab).json()["pools"] == []


def test_several_prompts_over_http(live: Live, tab: str) -> None:
    body = {"prompt": "The dragon", "more_prompts": ["The moon", ""], "num_texts": 80, "max_tokens": 12, "seed": 7}
    pool = live.post("control/draw", body, tab).json()["pool"]
    for _ in range(600):
        (shown,) = live.post("control/pools", {}, tab).json()["pools"]
        if not shown["running"]:
            break
        time.sleep(0.05)
    assert shown["prompts"] == ["The dragon", "The moon"] and shown["num_texts"] == 160
    ask = {"pool": pool, "features": [{"feature": "num_tokens"}], "targets": [8.0]}
    for way in ("pooled", "averaged", "each"):
        view = live.post("control/view", ask | {"contexts": way}, tab).json()
        assert view["contexts"] == way and view["gauges"][0]["fitted"] == pytest.approx(8.0)
        own = [one["cells"][0]["fitted"] for one in view["prompts"]]
        assert (own == pytest.approx([8.0, 8.0])) == (way == "each")
    for change in ({"contexts": "none"}, {"contexts": ["each"]}, {"contexts": 1.5}):
        answer = live.post("control/view", ask | change, tab)
        assert answer.status_code == 400 and "contexts" in error_of(answer)
    for more in ("a", {"a": 1}, [[]], [None], ["x"] * 3 + ["y" * 100_001], [str(number) for number in range(8)]):
        answer = live.post("control/draw", body | {"more_prompts": more}, tab)
        assert answer.status_code == 400 and error_of(answer), more


def test_a_pool_means_nothing_to_another_session(live: Live, pool: str) -> None:
    for route in ("view", "export", "cancel", "drop"):
        answer = live.post(f"control/{route}", {"pool": pool, **ASK}, live.open())
        assert answer.status_code == 404 and "not known here" in error_of(answer)


def test_the_toy_needs_no_pool(live: Live, tab: str) -> None:
    view = live.post("control/view", {"pool": "toy", "targets": [0.6, 2.2]}, tab).json()
    assert view["enumerated"] and len(view["rows"]) == 15


@pytest.mark.usefixtures("neighbour")
def test_nonsense_is_refused_in_words(live: Live, tab: str, pool: str) -> None:
    for number in BAD_NUMBERS:
        for name in ("log_beta", "acceptance_rate"):
            if number == "null":
                continue  # means: not given
            body = f'{{"pool": "{pool}", "features": ["moon"], "targets": [0.5], "{name}": {number}}}'
            answer = live.post("control/view", None, tab, content=body.encode())
            assert answer.status_code == 400 and error_of(answer), (name, number)
    for text in REFUSED_TEXTS.values():
        answer = live.post("control/view", {"pool": pool, "features": [text], "targets": [0.5]}, tab)
        assert answer.status_code == 400 and error_of(answer)
    for number in BAD_NUMBERS:
        for name in ("num_accepted", "max_proposals", "precision"):
            if number == "null" and name != "max_proposals":
                continue  # means: no such rule
            body = f'{{"pool": "{pool}", "features": ["moon"], "targets": [0.5], "{name}": {number}}}'
            answer = live.post("control/collect", None, tab, content=body.encode())
            assert answer.status_code == 400 and error_of(answer), (name, number)
    for body in ([], "x", None, 5):
        for route in ("draw", "view", "export", "cancel", "drop", "collect"):
            assert live.post(f"control/{route}", body, tab).status_code == 400


def test_collecting_until_there_are_enough(live: Live, tab: str, pool: str) -> None:
    asked = {"pool": pool, **ASK, "acceptance_rate": 0.3, "num_accepted": 8}
    assert live.post("control/collect", asked, tab).json()["promised"]["rate"] == pytest.approx(0.3)
    for _ in range(600):
        told = live.post("control/collection", {"since": 0}, tab).json()
        if not told["running"]:
            break
        time.sleep(0.05)
    assert told["reason"] == "enough" and len(told["rows"]) == 8 and told["ending"].startswith("8 of ")
    data = live.post("control/collect_export", {}, tab).json()
    assert sum(data["accepted"]) == 8 and len(data["accepted"]) == told["num_proposed"]
    other = live.open()
    for route in ("collection", "collect_stop", "collect_export"):
        assert live.post(f"control/{route}", {}, other).status_code == 404
    live.wait_until(num_running=0)


def test_the_readmes_example_runs_as_it_stands(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (code,) = [block for block in text.split("```python\n")[1:] if "urlopen" in block.partition("```")[0]]
    code = code.partition("```")[0].replace("http://127.0.0.1:7860", live.url)
    exec(code.replace("The movie was absolutely", "The dragon").replace("amazing", "moon"), {})
    exponent, texts = capsys.readouterr().out.strip().splitlines()
    assert "converged" in exponent or "warning" in exponent
    assert "moon" in texts
