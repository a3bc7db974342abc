"""Several prompts in the Control section: the box, the choice, the table; nothing of it where there is one prompt."""

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

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> and a beginning that is longer than forty characters"
DRAW = """async (view) => {
  const { createMorePrompts, createPrompts } = await import('/assets/js/control-prompts.js');
  const { createList } = await import('/assets/js/control-list.js');
  if (!window.host) {
    window.state = { contexts: 'pooled', only: '' };
    window.asked = { exponents: [1, 2] };
    window.changes = 0;
    window.host = document.createElement('section');
    window.host.className = 'pg-panel pg-control';
    document.querySelector('main').classList.add('gradio-container');
    document.querySelector('main').replaceChildren(window.host);
    const handlers = { state: window.state, now: () => window.asked, changed: () => { window.changes += 1; } };
    window.prompts = createPrompts(handlers);
    window.list = createList(handlers);
    window.more = createMorePrompts(8);
    window.host.append(window.more.root, window.prompts.root, window.list.root);
  }
  window.prompts.paint(view);
  if (!view.refusal) window.list.paint(view);
}"""


def view(contexts: str = "pooled", prompts: tuple[str, ...] = ("The sea", HOSTILE), target: float = 0.3) -> Any:
    rows = [(prompt, number) for prompt in prompts for number in range(60)]
    every = {prompt: 4 + 6 * place for place, prompt in enumerate(prompts)}  # how rare the moon is there
    words = [("a moon" if number % every[prompt] == 0 else "a house", number % 3) for prompt, number in rows]
    texts = tuple(Text(text + "s" * longer, 3, 4.0) for text, longer in words)
    logs = np.full(len(rows), -3.0)
    darts = (np.arange(len(rows)) + 0.5) / len(rows)
    pool = Pool(texts, logs, logs, darts, tuple(prompt for prompt, _ in rows), ((1, 2, 3),) * len(rows))
    asked = features([{"feature": "contains", "text": "moon", "whole_words": False}, {"feature": "num_characters"}])
    return control_view(Analysis.of(pool, asked, Evaluator()), Ask((target, np.nan), contexts=contexts))


def cells(page: Any) -> list[list[str]]:
    rows = page.locator(".pg-control-prompts tbody tr").all()
    return [[text.replace("\u00a0", " ") for text in row.locator("td").all_inner_texts()] for row in rows]


def test_every_prompt_has_a_row_with_its_own_figures(gallery: Any) -> None:
    page = gallery(width=360)
    page.evaluate(DRAW, view())
    sea, hostile = cells(page)
    assert sea[1].startswith("25.0 % → ") and hostile[1].startswith("10.0 % → ")
    shares = [float(row[0].split(" ")[0]) for row in (sea, hostile)]
    assert sum(shares) == pytest.approx(100, abs=0.2) and shares[0] > 51, "the moon comes easily there"
    assert "λ" not in sea[1] and page.locator(".pg-control-prompts img, .pg-control-texts img").count() == 0
    name = page.locator(".pg-control-prompts tbody bdi").nth(1)
    assert name.inner_text() == f"{HOSTILE[:20]}…{HOSTILE[-20:]}" and name.get_attribute("title") == HOSTILE
    assert page.locator(".pg-control-after").all_inner_texts()[:2] == ["The sea", f"{HOSTILE[:14]}…{HOSTILE[-14:]}"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    each = view("each")
    page.evaluate(DRAW, each)
    for row, prompt in zip(cells(page), each["prompts"], strict=True):
        assert row[0] == "50.0 %" and " → 30.0 %" in row[1] and f"λ = {prompt['cells'][0]['exponent']:.2f}" in row[1]


def test_the_ways_are_chosen_by_keys_and_one_set_of_exponents_ends_with_each(gallery: Any) -> None:
    page = gallery()
    page.evaluate(DRAW, view())
    assert page.locator(".pg-control-ways label").count() == 3
    page.locator("input[value=pooled]").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("[state.contexts, asked.exponents, changes]") == ["averaged", [1, 2], 1]
    page.keyboard.press("ArrowDown")
    assert page.evaluate("[state.contexts, asked.exponents, changes]") == ["each", None, 2]
    page.evaluate(DRAW, view("averaged"))
    assert page.locator("input[value=each]").is_checked(), "an answer to an older question moves no choice"


def test_a_prompt_that_cannot_is_told_in_its_row(gallery: Any) -> None:
    page = gallery()
    page.evaluate(DRAW, view("each", ("The sea", "The moon", "The sun"), target=1.4))
    told = page.locator(".pg-control-prompts .pg-gauge-refusal")
    assert told.count() == 3 and "impossible" in told.first.inner_text() and cells(page)[0][0] == "–"
    page.evaluate(DRAW, view("each", ("The sea", "The moon", "The sun")))
    assert page.locator(".pg-control-prompts .pg-gauge-refusal:visible").count() == 0


def test_one_prompt_looks_as_it_did(gallery: Any) -> None:
    page = gallery()
    page.evaluate(DRAW, view(prompts=("The sea",)))
    assert page.locator(".pg-control-prompts").is_hidden()
    assert page.locator(".pg-control-after:visible").count() == 0


def test_the_box_is_read_line_by_line(gallery: Any) -> None:
    page = gallery()
    page.evaluate(DRAW, view())
    assert page.evaluate("more.read()") == []
    page.locator(".pg-control-several summary").click()
    page.locator("#pg-control-more-prompts").fill("The moon  \n\n   \n The sea\n")
    assert page.evaluate("more.read()") == ["The moon", " The sea"]
    assert page.locator(".pg-control-several summary").inner_text() == "More prompts: 2"
