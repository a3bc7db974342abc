"""What the collecting panel says: what it will take, which rule comes first, what a stop does to the rate."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser

SAY = """async ([name, given]) => (await import('/assets/js/control-collect-words.js'))[name](...given)"""
BETA = {"per_accepted": 10.0, "acceptance_rate": 0.1}
VIEW = {
    "num_accepted": 20,
    "num_proposed": 190,
    "rate": 20 / 190,
    "low": 0.066,
    "high": 0.158,
    "unbiased": None,
    "reason": None,
    "tvd": 0.0,
    "promised": {"rate": 0.104, "between": [0.08, 0.13], "tvd": 0.001},
    "num_above": 0,
    "largest": None,
    "num_left_out": 0,
    "reasons": [],
    "log_beta": 2.9,
    "label": "the model",
    "prompts": ["The dragon"],
    "means": [],
}


def rule(wanted: int | None = None, most: int | None = 2000, precision: float | None = None) -> dict[str, Any]:
    return {"num_accepted": wanted, "max_proposals": most, "precision": precision}


@pytest.fixture
def say(gallery: Any) -> Any:
    page = gallery()

    def said(name: str, *given: Any) -> Any:
        told = page.evaluate(SAY, [name, list(given)])
        return told.replace("\u00a0", " ") if isinstance(told, str) else told

    return said


def test_what_it_will_take(say: Any) -> None:
    assert say("promised", BETA, rule(20), 5).endswith("text: about 200 for 20, some 40 s if nobody else writes.")
    assert say("promised", BETA, rule(20), None).endswith("text: about 200 for 20.")
    assert "some 7 min" in say("promised", BETA, rule(200), 5)
    assert "limit of proposals comes first: about 200 accepted of 2,000" in say("promised", BETA, rule(300), 5)
    assert "expects 10 proposals" in say("promised", BETA, rule(), 5)
    assert say("promised", BETA, rule(), 5).split("text")[1].startswith(": about 200 accepted of 2,000")
    # ± 40 % of the rate: (1.96 / 0.4)² 0.9 = 21.6 accepted
    assert "known so well comes first: about 22 accepted of 216" in say("promised", BETA, rule(100, 2000, 0.4), 5)
    assert "about 100 for 10" in say("promised", BETA, rule(10, 2000, 0.4), 5)
    assert say("promised", {"per_accepted": None, "acceptance_rate": 0}, rule(10), 5).startswith("Nothing of this pool")


def test_what_was_aimed_at(say: Any) -> None:
    one = {"label": "contains “moon”", "yes_no": True, "unit": "", "target": 0.5, "exponent": 1.2}
    two = one | {"label": "length", "yes_no": False, "unit": "tokens", "target": 9.25, "exponent": None}
    never = one | {"exponent": "-inf", "target": 0.0}
    told = say("aim", VIEW | {"means": [one, two, never], "prompts": ["The dragon", "x" * 80]})
    assert "for contains “moon” 50.0 %; length 9.25 tokens; only texts without contains “moon”, at β = 18.2" in told
    assert told.endswith(f"from the model, after “The dragon”, “{'x' * 60}…”.")


def test_what_the_figures_mean(say: Any) -> None:
    here, promise, far = say("figures", VIEW)
    assert here[0].startswith("10.5") and "6.6" in here[1]
    assert promise[0].startswith("10.4") and "8.0" in promise[1] and far[0] == "0.000"
    assert say("figures", VIEW | {"rate": None, "tvd": None})[0][0] == "–"
    assert say("bias", VIEW) == ""
    stopped = say("bias", VIEW | {"reason": "enough", "unbiased": 19 / 189})
    assert "20 of 190 says a little too much on average; (k − 1)/(N − 1) = 10.1 % does not" in stopped
    assert say("bias", VIEW | {"reason": "enough", "rate": 1.0, "unbiased": 1.0}) == ""
    assert "too narrow" in say("bias", VIEW | {"reason": "precise"})


def test_what_the_fresh_texts_say_of_the_pool(say: Any) -> None:
    assert say("test", VIEW | {"num_proposed": 0}) == ""
    assert say("test", VIEW).startswith("None of these 190 fresh proposals lay above β: as far as they can tell")
    above = say("test", VIEW | {"num_above": 3, "largest": 2.754, "num_left_out": 2, "reasons": ["own: no."]})
    assert above.startswith("3 of these 190 fresh proposals lay above β, up to 2.75 times")
    assert above.endswith("2 could not be read and were rejected: own: no.")
