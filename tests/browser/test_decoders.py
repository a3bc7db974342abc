"""The decoder picker on the real model: a beam tree is drawn and walked, candidates and layers are shown."""

from __future__ import annotations

from typing import Any

import pytest

import playground as pg
from playground.models import Model
from tests.browser.driving import clean_tab, generate

pytestmark = [pytest.mark.browser, pytest.mark.model]
PATH = "[...document.querySelectorAll('.pg-beam.pg-best .pg-token')].map((node) => node.textContent)"


def choose(page: Any, name: str) -> None:
    page.locator(f"#pg-decoder-{name}").click()
    assert page.evaluate("document.body.dataset.decoder") == name


def test_a_beam_tree_is_drawn_and_walked_by_keyboard(page: Any, default_model: Model) -> None:
    choose(page, "beam")
    page.get_by_label("Beam search: Beams", exact=True).fill("3")
    page.get_by_label("Beam search: Beams", exact=True).press("Tab")
    shown = generate(page, length=6)
    label = default_model.backend.vocabulary.label
    prompt = page.locator("#prompt textarea").input_value()
    with pg.Engine(default_model) as engine:
        chain = pg.Chain.from_json([{"sampler": "temperature", "temperature": 1}, {"sampler": "min_p", "min_p": 0.05}])
        steps = list(engine.generate(prompt, chain=chain, search={"search": "beam", "num_beams": 3}, max_tokens=6))
    assert len(shown) == len(steps) == 6
    assert page.evaluate(PATH) == [label(step.token_id) for step in steps]
    assert page.locator(".pg-beams-step").count() == 6
    nodes = page.locator(".pg-beam")
    assert nodes.count() >= 6 * 3 and page.locator(".pg-beam-dropped").count() > 0
    page.locator(".pg-beam[tabindex='0']").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    place = page.evaluate("document.activeElement.dataset.place")
    assert place.startswith("1,") and page.locator(".pg-beams-said").inner_text().count("log p") == 1
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.place").startswith("0,")
    page.keyboard.press("Enter")  # the winner's node opens its step
    page.wait_for_function("document.body.dataset.key?.endsWith('.0')")
    page.locator(".pg-found-table summary").click()
    lines = "(number) => document.querySelectorAll('.pg-found-table tbody tr').length === number"
    page.wait_for_function(lines, arg=nodes.count())


def test_candidates_layers_and_back_to_sampling(page: Any) -> None:
    choose(page, "contrastive")
    assert len(generate(page, length=4)) == 4
    page.locator('#tokens [data-index="0"]:not([data-prompt])').last.click()
    page.wait_for_function("document.body.dataset.key?.endsWith('.0')")
    assert page.locator(".pg-found-row").count() == 4 and page.locator(".pg-found-row.pg-chosen").count() == 1
    choose(page, "dola")
    assert page.locator("#guidance-preset").input_value() == "dola"
    assert len(generate(page, length=3)) == 3
    assert page.locator(".pg-found-row.pg-chosen").inner_text().startswith("layer ")
    choose(page, "sample")
    assert page.locator("#guidance-preset").input_value() == "cfg"
    generate(page, length=3)
    assert not page.locator(".pg-found").is_visible()


def test_on_a_phone_nothing_but_the_tree_scrolls_sideways(browser: Any, url: str) -> None:
    with clean_tab(browser, url, viewport={"width": 360, "height": 780}) as page:
        choose(page, "beam")
        generate(page, length=5)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(
            "((node) => node.scrollWidth > node.clientWidth)(document.querySelector('.pg-beams-scroll'))"
        )
