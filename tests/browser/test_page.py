"""The page in a real browser, on the real model: every line of what it promises that a person would notice."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

import playground as pg
from playground.studies import first_view
from tests.browser.driving import (
    SET_RANGE,
    after_paint,
    fill,
    generate,
    open_page,
    slide,
    tokens_shown,
)
from tests.browser.serving import status

pytestmark = [pytest.mark.browser, pytest.mark.model]

ROWS = """() => Object.fromEntries([...document.querySelectorAll('#distribution [data-token-id][data-p-final]')].map(
  ({ dataset }) => [dataset.tokenId, [Number(dataset.pRaw), Number(dataset.pFinal), dataset.removedBy ?? ""]]))"""


def expected(chain: list[dict[str, Any]], scale: float = 1.0) -> torch.Tensor:
    """The final distribution of the default prompt by the public interface."""
    first = first_view.load()
    assert first is not None
    scores = pg.guide(first.prompt[None], first.negative[None], scale)
    return torch.softmax(pg.Chain.from_json(chain).apply(scores).double(), -1)[0]


def test_a_drag_draws_the_exact_distribution_in_place(page: Any) -> None:
    page.evaluate("document.querySelector('#distribution').firstElementChild.marked = true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for temperature in (0.4, 1.4, 2.2):
        slide(page, "knob-temperature-temperature", temperature)
        probs = expected([{"sampler": "temperature", "temperature": temperature}, {"sampler": "min_p", "min_p": 0.05}])
        rows = page.evaluate(ROWS)
        assert len(rows) >= 10
        for token, (_, final, removed) in rows.items():
            assert final == pytest.approx(float(probs[int(token)]), abs=1e-9)
            assert (removed == "min_p") == (final == 0)
    assert page.evaluate("document.querySelector('#distribution').firstElementChild.marked") is True
    assert asked and all(
        url.endswith("/pg/v1/trace") or "/pg/v1/status" in url or "/heartbeat" in url for url in asked
    ), "a drag takes the light route alone"


def test_guidance_and_the_negative_prompt(page: Any) -> None:
    slide(page, "guidance-scale", 1.5)
    probs = expected([{"sampler": "min_p", "min_p": 0.05}], 1.5)
    rows = page.evaluate(ROWS)
    assert all(final == pytest.approx(float(probs[int(token)]), abs=1e-9) for token, (_, final, _) in rows.items())
    fill(page, "negative-prompt", "The plane flew over Paris, France, and the")
    other = page.evaluate(ROWS)
    assert other != rows
    assert "plane" in page.locator("#pg-guidance").inner_text()


def test_the_others_bar_is_what_is_not_shown(page: Any) -> None:
    rows = page.evaluate(ROWS)
    shown = sum(raw for raw, _, _ in rows.values())
    others = page.locator("#distribution .pg-row-others")
    assert f"{49152 - len(rows):,}" in others.inner_text()
    assert float(others.get_attribute("data-p-raw")) == pytest.approx(1 - shown, abs=1e-9)


def test_typing_asks_the_model_after_a_pause(page: Any) -> None:
    fill(page, "prompt", "The capital of France is")
    assert "␣Paris" in page.locator("#distribution").inner_text()
    assert "The capital of France is" in page.locator("#tokens").inner_text()


def test_generate_click_a_token_and_turn_a_knob_there(page: Any) -> None:
    tokens = generate(page)
    assert [token["index"] for token in tokens] == [str(index) for index in range(12)]
    prompt_tokens = page.locator("#tokens [data-prompt]").count()
    assert prompt_tokens == 10
    page.wait_for_selector("#timeline .main-svg")
    after_paint(page, lambda: page.locator('#tokens [data-index="3"]').click())
    first = page.evaluate(ROWS)
    assert tokens[3]["tokenId"] in first, "the token that was drawn is among the rows of its step"
    drawn = page.evaluate("document.querySelector('#distribution .pg-drawn')?.dataset.tokenId")
    assert drawn == tokens[3]["tokenId"], "the same dart hits the same token while no knob has moved"
    slide(page, "knob-temperature-temperature", 0.3)
    assert page.evaluate(ROWS) != first
    after_paint(page, lambda: page.locator("#pg-end").click())
    assert page.evaluate("document.querySelectorAll('#tokens [data-index]').length") == 12


def test_a_prompt_token_opens_the_distribution_it_came_from(page: Any) -> None:
    fill(page, "prompt", "The capital of France is Paris")
    after_paint(page, lambda: page.locator('#tokens [data-prompt="5"]').click())
    assert "␣Paris" in page.locator("#distribution").inner_text()
    assert "France is" in page.locator("#pg-after").inner_text()


def test_the_same_darts_part_where_a_knob_changed_and_the_text_goes_on_from_there(page: Any) -> None:
    before = generate(page)
    slide(page, "knob-temperature-temperature", 0.2)
    page.wait_for_selector("#pg-continue:not([hidden])", timeout=30_000)
    faded = page.evaluate("""() => [...document.querySelectorAll('#tokens [data-index]')].findIndex(
      (token) => getComputedStyle(token).opacity < 1 || token.className.includes('fade'))""")
    assert faded >= 0
    page.locator("#pg-continue-button").click()
    page.wait_for_selector("body[data-generating=true]")
    page.wait_for_selector("body[data-generating=false]", timeout=60_000)
    after = tokens_shown(page)
    pairs = enumerate(zip(before, after, strict=False))
    parting = next(index for index, (old, new) in pairs if old["tokenId"] != new["tokenId"])
    assert parting == faded
    assert not page.locator("#pg-continue").is_visible()


def test_a_click_on_a_bar_forces_its_token(page: Any) -> None:
    row = page.locator("#distribution [data-token-id='4197']")
    assert "king" in row.inner_text()
    page.evaluate(SET_RANGE, ["max-tokens", "6"])
    row.click()
    page.wait_for_selector("body[data-generating=true]")
    page.wait_for_selector("body[data-generating=false]", timeout=60_000)
    tokens = tokens_shown(page)
    assert tokens[0]["tokenId"] == "4197" and len(tokens) == 7


def test_a_second_press_replaces_the_text(page: Any, url: str) -> None:
    page.evaluate(SET_RANGE, ["max-tokens", "300"])
    page.locator("#generate").click()
    page.wait_for_selector('#tokens [data-index="3"]', timeout=30_000)
    page.evaluate(SET_RANGE, ["max-tokens", "8"])
    page.locator("#generate").click()
    page.wait_for_selector("body[data-generating=false]", timeout=60_000)
    assert [token["index"] for token in tokens_shown(page)] == [str(index) for index in range(8)]


def test_stop_ends_a_generation_and_frees_the_engine(page: Any, url: str) -> None:
    page.evaluate(SET_RANGE, ["max-tokens", "800"])
    page.locator("#generate").click()
    page.wait_for_selector('#tokens [data-index="4"]', timeout=30_000)
    page.locator("#stop").click()
    page.wait_for_selector("body[data-generating=false]")
    page.wait_for_function(
        """(url) => fetch(url + '/pg/v1/status').then((a) => a.json())
      .then((status) => status.num_running === 0)""",
        arg=url,
        timeout=10_000,
    )
    count = page.locator("#tokens [data-index]").count()
    assert 5 <= count < 400


def test_closing_the_tab_frees_the_engine(browser: Any, url: str) -> None:
    tab = browser.new_context().new_page()
    open_page(tab, url)
    tab.evaluate(SET_RANGE, ["max-tokens", "900"])
    tab.locator("#generate").click()
    tab.wait_for_selector('#tokens [data-index="2"]', timeout=30_000)
    tab.context.close()
    watcher = browser.new_context().new_page()
    watcher.goto(url)
    watcher.wait_for_function(
        """(url) => fetch(url + '/pg/v1/status').then((a) => a.json())
      .then((status) => status.num_running === 0 && status.num_lanes_used === 0)""",
        arg=url,
        timeout=10_000,
    )
    watcher.context.close()


def test_same_seed_same_text(page: Any) -> None:
    first = generate(page)
    assert generate(page) == first
    page.locator("#seed input").fill("8")
    assert generate(page) != first


def test_cards_are_reordered_by_keyboard_and_focus_follows(page: Any) -> None:
    slide(page, "knob-temperature-temperature", 2.0)
    before = page.evaluate(ROWS)
    grip = page.locator("#card-min_p .pg-grip")
    grip.focus()
    after_paint(page, lambda: page.keyboard.press("Home"))
    assert page.evaluate("document.activeElement.closest('.pg-card').id") == "card-min_p"
    probs = expected([{"sampler": "min_p", "min_p": 0.05}, {"sampler": "temperature", "temperature": 2.0}])
    rows = page.evaluate(ROWS)
    assert rows != before
    assert all(final == pytest.approx(float(probs[int(token)]), abs=1e-9) for token, (_, final, _) in rows.items())
    boxes = page.evaluate("""() => ['min_p', 'temperature'].map(
      (id) => document.getElementById('card-' + id).getBoundingClientRect().left)""")
    assert boxes[0] < boxes[1]


def test_cards_are_reordered_by_drag(page: Any) -> None:
    grip = page.locator("#card-min_p .pg-grip").bounding_box()
    target = page.locator("#card-temperature").bounding_box()
    page.mouse.move(grip["x"] + 4, grip["y"] + 4)
    page.mouse.down()
    page.mouse.move(target["x"] + 20, target["y"] + 60, steps=6)
    after_paint(page, page.mouse.up)
    assert page.evaluate(
        "document.getElementById('card-min_p').style.order < document.getElementById('card-temperature').style.order"
    )


def test_add_a_second_copy_presets_and_neutralise(page: Any) -> None:
    after_paint(page, lambda: page.locator("#pg-add-stage").select_option("min_p"))
    assert page.locator("#card-min_p--2").is_visible()
    slide(page, "knob-min_p-min_p--2", 0.5)
    probs = expected([{"sampler": "min_p", "min_p": 0.05}, {"sampler": "min_p", "min_p": 0.5}])
    assert page.locator("#distribution [data-removed-by='min_p--2']").count() > 0
    for token, (_, final, _) in page.evaluate(ROWS).items():
        assert final == pytest.approx(float(probs[int(token)]), abs=1e-9)
    after_paint(page, lambda: page.locator("#pg-order").select_option("llama.cpp"))
    orders = page.evaluate(
        """() => ['min_p', 'temperature'].map((id) => Number(document.getElementById('card-' + id).style.order))"""
    )
    assert orders[0] < orders[1]
    after_paint(page, lambda: page.locator("#pg-neutralise").click())
    assert all(raw == pytest.approx(final, abs=1e-12) for raw, final, _ in page.evaluate(ROWS).values())


def test_every_example_chip_is_one_click(page: Any) -> None:
    assert page.locator(".pg-chips").count() == 10
    for chip in page.locator(".pg-chip").all():
        after_paint(page, chip.click)
        assert len(page.locator("#pg-watch").inner_text()) > 20
        assert not page.locator("#pg-problem").is_visible(), page.locator("#pg-problem").inner_text()
        assert page.locator("#distribution [data-token-id]").count() >= 2


def test_show_me_loads_a_samplers_own_example_and_the_coin_is_said(page: Any) -> None:
    choose = """(value) => { const menu = document.getElementById('pg-add-stage');
      menu.value = value; menu.dispatchEvent(new Event('change', { bubbles: true })); }"""
    after_paint(page, lambda: page.evaluate(choose, "show:xtc"))
    page.wait_for_function("document.querySelector('#card-xtc .pg-card-note').textContent.includes('The coin fell')")
    assert page.locator("#prompt textarea").input_value().startswith("Once upon a time")
    assert page.locator("#pg-watch").text_content().startswith("Watch: ")
    assert "coin at 0." in page.locator("#pg-ruler .pg-ruler-coins").text_content()
    after_paint(page, lambda: page.evaluate(choose, "mirostat_v2"))
    after_paint(page, lambda: page.evaluate(choose, "dry"))  # what draws the token itself stays last
    assert page.locator("#pg-problem").is_hidden()
    breakers = page.locator("#knob-dry-sequence_breakers textarea, #knob-dry-sequence_breakers input").first
    assert breakers.input_value() == r'["\n", ":", "\"", "*"]'
    assert "bits" in page.locator("#card-mirostat_v2 .pg-card-note").text_content()


def test_chat_mode_renders_both_branches(page: Any) -> None:
    after_paint(page, lambda: page.get_by_role("button", name="A pirate and its opposite").click())
    assert page.evaluate("document.body.dataset.mode") == "chat"
    page.evaluate("document.getElementById('pg-scale-details').open = true")
    page.wait_for_selector(".pg-rendered pre:has-text('pirate')")
    rendered = page.locator(".pg-rendered").inner_text()
    assert "pirate" in rendered and "butler" in rendered and "<|im_start|>assistant" in rendered


def test_charts_rank_scale_and_inspector(page: Any) -> None:
    page.locator("[data-scale=rank]").click()
    page.wait_for_selector("#pg-rank-plot .main-svg")
    page.evaluate("document.getElementById('pg-scale-details').open = true")
    page.wait_for_selector("#pg-scale-plot .main-svg")
    page.locator("#pg-inspector summary").click()
    page.wait_for_selector("#pg-table table tbody tr")
    after_paint(page, lambda: page.locator("[data-scale=log]").click())
    assert page.locator("#distribution [data-token-id]").count() >= 20


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{alert(1)}} ${alert(1)}",
        "مرحبا بالعالم",
        "a\u0007b\u0000c",
        "👩‍👩‍👧‍👦 日本語 <|im_end|>",
    ],
)
def test_hostile_text_is_text(page: Any, text: str) -> None:
    fill(page, "prompt", text)
    fill(page, "negative-prompt", text)
    assert page.evaluate("document.querySelectorAll('#tokens script, #tokens img, #distribution img').length") == 0
    if "\u0000" not in text:
        shown = page.evaluate("""() => [...document.querySelectorAll('#tokens [data-prompt]')]
          .map((token) => token.textContent).join('')""")
        assert shown.replace("\u2060", "") == text or "\u200d" in text or "\u0007" in text
    generate(page, 3)


def test_a_wrong_bias_says_what_to_do_and_loses_nothing(page: Any) -> None:
    page.locator("#pg-add-stage").select_option("logit_bias")
    page.locator("#knob-logit_bias-bias textarea").fill('{"260": "much"}')
    page.wait_for_selector("#pg-problem:not([hidden])")
    assert page.locator("#distribution [data-token-id]").count() >= 20
    after_paint(page, lambda: page.locator("#knob-logit_bias-bias textarea").fill('{"17422": 5}'))
    assert not page.locator("#pg-problem").is_visible()
    assert page.evaluate(ROWS)["17422"][1] > 0.5


@pytest.mark.parametrize("width", [360, 768])
def test_no_sideways_scrolling_on_a_phone(browser: Any, url: str, width: int) -> None:
    tab = browser.new_context(viewport={"width": width, "height": 780}).new_page()
    open_page(tab, url)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelector('.gradio-container').getBoundingClientRect().width") <= width
    tab.context.close()


def test_two_tabs_share_nothing(browser: Any, url: str) -> None:
    context = browser.new_context()
    tabs = [context.new_page(), context.new_page()]
    for tab in tabs:
        open_page(tab, url)
    fill(tabs[0], "prompt", "One tab says this and")
    slide(tabs[1], "knob-temperature-temperature", 2.0)
    assert "One tab" in tabs[0].locator("#tokens").inner_text()
    assert "One tab" not in tabs[1].locator("#tokens").inner_text()
    context.close()


def test_status_says_what_runs(url: str) -> None:
    answer = status(url)
    assert answer is not None
    assert answer["model"] == "SmolLM2-135M-Instruct"
    assert "4-bit weights, dequantised" in answer["note"]
    assert json.dumps(answer)
