"""The engines' rows, drawn from a view of the study itself: figures, words, hostile tokens, small screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from playground.sampling import Chain
from playground.sampling.orders import ORDERS
from playground.studies.engines import engines_view
from playground.studies.rows import Knobs, StepRows
from playground.studies.strip import Strip, numbered
from tests.browser.modules.make_views import HOSTILE

pytestmark = pytest.mark.browser

DRAW = """async (view) => {
  const { render } = await import('/assets/js/engines.js');
  const { createLight } = await import('/assets/js/light.js');
  let node = document.getElementById('pg-section-engines');
  if (!node) {
    node = document.createElement('div');
    node.id = 'pg-section-engines';
    document.querySelector('main').prepend(node);
  }
  render(node, view, { light: createLight() });
}"""
ROWS = """() => [...document.querySelectorAll('.pg-engine')].map((row) => ({
  name: row.querySelector('h3').textContent, figures: row.querySelector('.pg-engine-figures').innerText,
  why: row.querySelector('.pg-engine-why').textContent, sets: row.querySelector('.pg-engine-sets').innerText,
  foreign: row.querySelectorAll('.pg-foreign').length }))"""


class Hostile:
    """A vocabulary of texts that try to be more than text."""

    @staticmethod
    def label(token_id: int) -> str:
        return HOSTILE[token_id % len(HOSTILE)]


def view_of(chain: str, vocabulary: Any = Hostile) -> dict[str, Any]:
    title = "</b><img onerror=alert(1)>"
    rows = StepRows("key", torch.linspace(4, 0, 60), (), torch.tensor([0]), 1, 0, title, seed=3)
    strip = Strip.from_json(numbered(Chain.from_url(chain).to_json()))
    return dict(engines_view(rows, Knobs(strip), vocabulary))


def test_rows_say_what_the_view_says(gallery: Callable[..., Any]) -> None:
    page = gallery()
    view = view_of("min_p:0.4,temperature:2")
    page.evaluate(DRAW, view)
    rows = page.evaluate(ROWS)
    assert [row["name"] for row in rows] == ["Here", *ORDERS]
    assert rows[0]["figures"].split()[:2] == ["14", "tokens"] and rows[0]["why"]
    assert "transformers runs temperature before min-p, which leaves 28 tokens there, 14 here." in rows[1]["why"]
    assert "keeps 14 tokens removed here" in rows[1]["sets"] and rows[1]["foreign"] == 14
    assert "the same" in rows[2]["figures"] and rows[2]["sets"] == ""
    assert page.locator(".pg-engines-sum").inner_text().startswith("On this step 3 of the seven do what your strip")
    assert page.locator(".pg-engine-here button").count() == 2, "they are there, and hidden"
    assert not page.locator(".pg-engine-here button").first.is_visible()
    page.locator(".pg-engines-twin summary").click()
    cells = page.locator(".pg-engines-twin tbody tr").first.inner_text().split()
    assert cells == ["tokens", "left", "14", "28", "14", "14", "14", "28", "28", "28"]


def test_drawing_again_keeps_the_nodes_and_hostile_tokens_stay_text(gallery: Callable[..., Any]) -> None:
    page = gallery()
    page.evaluate(DRAW, view_of("min_p:0.2,temperature:2"))
    page.evaluate("document.querySelectorAll('.pg-engine').forEach((row) => { row.marked = true; })")
    page.evaluate(DRAW, view_of("temperature:2,min_p:0.2,typical_p:0.5"))
    host = "document.querySelector('#pg-section-engines')"
    assert page.evaluate("[...document.querySelectorAll('.pg-engine')].every((row) => row.marked)")
    assert page.evaluate(f"{host}.querySelectorAll('img, script, svg').length") == 0
    assert page.evaluate(f"{host}.textContent.includes('<img src=x onerror=alert(1)>')")


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_of_it(gallery: Callable[..., Any], dark: bool) -> None:
    page = gallery(width=360, query="dark=1" if dark else "")
    page.evaluate(DRAW, view_of("top_k:9,temperature:1.5,top_p:0.9,typical_p:0.8,frequency_penalty:1"))
    for summary in page.locator(".pg-engine summary").all():
        summary.click()
    assert page.eval_on_selector(".pg-engines", "(node) => node.scrollWidth <= node.clientWidth")
    assert page.locator(".pg-engine-notes [data-kind=note]").count() > 10
