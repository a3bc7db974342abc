"""The Control section in a real browser, on the toy model: exact figures, a pool, drags, refusals, hostile words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.control_section import add, after, draw, said, slide
from tests.browser.driving import clean_tab
from tests.browser.serving import serving
from tests.models.classifiers_made import save_classifier

pytestmark = pytest.mark.browser

ROWS = """() => [...document.querySelectorAll('.pg-control-texts li')].map((row) => ({
  text: row.querySelector('bdi').textContent, accepted: row.classList.contains('pg-accepted'),
  keep: parseFloat(row.querySelector('.pg-chance-bar').style.width),
  dart: parseFloat(row.querySelector('.pg-chance-dart').style.left) }))"""


@pytest.fixture
def page(browser: Any, toy_url: str) -> Iterator[Any]:
    with clean_tab(browser, toy_url) as tab:
        after(tab, lambda: tab.locator("#pg-tab-control").click())
        yield tab


def test_a_section_that_could_not_start_says_so_and_is_tried_again(browser: Any, toy_url: str) -> None:
    with clean_tab(browser, toy_url) as tab:
        tab.route("**/control/start", lambda route: route.abort(), times=1)
        tab.locator("#pg-tab-control").click()
        tab.wait_for_selector("#pg-problem:not([hidden])")
        assert "does not answer" in said(tab, "#pg-problem") and not tab.locator(".pg-control").count()
        after(tab, lambda: tab.locator("#pg-tab-control").click())
        assert tab.locator(".pg-control").count() == 1 and tab.locator(".pg-gauges > *").count() == 2


def test_the_toy_is_exact_and_rows_flip_with_beta(page: Any) -> None:
    assert "λ = 0.33" in said(page, ".pg-gauges") and "λ = 0.25" in said(page, ".pg-gauges")
    before = page.evaluate(ROWS)
    assert len(before) == 15 and all(row["accepted"] == (row["dart"] < row["keep"]) for row in before)
    slide(page, "#pg-control-beta", 0.0)
    looser = page.evaluate(ROWS)
    assert [row["dart"] for row in looser] == [row["dart"] for row in before]
    assert sum(row["accepted"] for row in looser) > sum(row["accepted"] for row in before)
    assert "the target" in said(page, ".pg-control-reading")
    slide(page, ".pg-gauge-track input", 0.9)
    assert "target 90.0 %" in said(page, ".pg-gauges")
    assert page.locator(".pg-control-plot .main-svg").count() > 0


def test_a_pool_is_drawn_and_every_drag_is_answered_without_it(page: Any) -> None:
    draw(page)
    assert "150 of 150 texts" in said(page, ".pg-control-progress")
    page.locator(".pg-gauge").wait_for()
    assert "never so in 150 rows" in said(page, ".pg-gauge-refusal"), "the toy knows no amazing"
    add(page, "contains", text="moon")
    after(page, lambda: page.get_by_role("button", name="Take contains “amazing” away").click())
    slide(page, ".pg-gauge-track input", 0.5)
    assert "target 50.0 %" in said(page, ".pg-gauges")
    assert page.locator(".pg-gauge-refusal").first.is_hidden()
    assert page.locator(".pg-control-left > .pg-control-refusal").is_hidden()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/pg/v1/")[2]))
    after(page, lambda: page.get_by_role("button", name="1 in 10").click())
    assert said(page, ".pg-control-reading dd") == "10.0 %"
    slide(page, ".pg-gauge-more input[type=range]", 0.0)
    assert said(page, "[data-meter=kl] .pg-meter-value") == "0.00 nats"
    assert set(asked) <= {"control/view", "status"}
    page.locator("#pg-control-only").select_option("rejected")
    page.wait_for_function("document.querySelectorAll('.pg-control-texts .pg-accepted').length === 0")


def test_pools_of_two_proposals_lie_over_each_other_and_export_is_complete(page: Any) -> None:
    draw(page, 60)
    page.locator("#pg-control-proposal").select_option("page")
    draw(page, 60)
    page.locator("#pg-control-proposal").select_option("prompt")
    page.fill("#pg-control-asked", "The moon and the moon")
    draw(page, 60)
    add(page, "num_tokens")
    assert page.locator(".pg-control-pools button").count() == 4
    after(page, lambda: page.get_by_role("button", name="Take contains “amazing” away").click())
    assert "this pool" in said(page, ".pg-control-legend") and "the model" in said(page, ".pg-control-legend")
    after(page, lambda: page.locator(".pg-control-pools button").nth(2).click())
    assert "can write only" in said(page, ".pg-control-say"), "min-p cuts"
    with page.expect_download() as download:
        page.locator("#pg-control-export").click()
    data = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert len(data["pool"]["texts"]) == 60 and data["features"][0]["feature"] == "num_tokens"
    assert data["fit"]["status"] and data["curve"]["tvd"] and data["seed"] == 7


def test_the_strip_stands_above_while_something_reads_it(page: Any) -> None:
    strip, negative = page.locator("#pipeline"), page.locator("#negative-prompt")
    assert strip.is_hidden() and negative.is_hidden() and page.locator("#generate").is_hidden()
    assert page.locator("#prompt").is_visible()
    page.locator("#pg-control-proposal").select_option("page")
    strip.wait_for(state="visible")
    assert negative.is_visible()
    page.locator("#pg-tab-play").click()
    page.locator("#pg-tab-control").click()
    assert strip.is_visible(), "it is still of use there"
    page.locator("#pg-control-proposal").select_option("model")
    strip.wait_for(state="hidden")
    page.locator("#pg-tab-play").click()
    assert strip.is_visible() and page.locator("#generate").is_visible()


def test_several_prompts_are_one_pool_with_a_choice(page: Any) -> None:
    page.locator(".pg-control-several summary").click()
    page.fill("#pg-control-more-prompts", "The moon\n\nThe sea\nThe moon")
    draw(page, 100)
    assert "300 of 300 texts" in said(page, ".pg-control-progress")
    assert "the model, 3 prompts, 300" in said(page, ".pg-control-pools")
    add(page, "num_tokens")
    after(page, lambda: page.get_by_role("button", name="Take contains “amazing” away").click())
    table = ".pg-control-prompts tbody"
    assert page.locator(f"{table} tr").count() == 3
    slide(page, ".pg-gauge-track input", 8.0)
    assert "→ 8 tokens" not in said(page, table), "together they have this mean"
    after(page, lambda: page.get_by_role("radio", name="each prompt").check())
    assert said(page, table).count("→ 8 tokens") == 3 and said(page, table).count("33.3 %") == 3
    assert page.locator(".pg-gauge-exponent").is_hidden()
    shown = page.locator(".pg-control-list .pg-control-after").all_inner_texts()
    assert shown[:3] == ["The dragon", "The moon", "The sea"]
    with page.expect_download() as download:
        page.locator("#pg-control-export").click()
    data = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert data["fit"]["contexts"] == "each" and len(data["fit"]["prompts"]) == 3
    after(page, lambda: page.locator(".pg-control-pools button").first.click())
    assert page.locator(".pg-control-prompts").is_hidden()


def test_a_long_drawing_shows_texts_and_can_be_stopped(page: Any) -> None:
    page.fill("#prompt textarea", "The dragon")
    page.fill("#pg-control-texts", "5000")
    page.fill("#pg-control-tokens", "64")
    page.locator("#pg-control-draw").click()
    shown = "document.querySelector('.pg-control-progress .pg-quiet').textContent"
    page.wait_for_function(f"/left$/.test({shown})", timeout=30_000)
    page.locator("#pg-control-cancel").click()
    page.wait_for_function(f"{shown}.includes('what is finished stays')")


def test_hostile_words_are_words(page: Any) -> None:
    draw(page, 30)
    hostile = "<img src=x onerror=alert(1)>"
    add(page, "contains", text=hostile)
    assert hostile in said(page, ".pg-gauges")
    page.locator("#pg-control-kind").select_option("regex")
    page.locator(".pg-control-add [name=pattern]").fill("(a")
    page.get_by_role("button", name="Add feature").click()
    refusal = "document.querySelector('.pg-form-refusal').textContent"
    page.wait_for_function(f"{refusal}.includes('cannot be read')")
    page.wait_for_timeout(900)
    assert page.locator(".pg-gauge").count() == 2, "what cannot be is not kept, and the rest goes on"
    after(page, lambda: page.get_by_role("button", name="Take contains “amazing” away").click())
    add(page, "num_characters")
    assert "length in characters" in said(page, ".pg-gauges")


def test_a_number_counts_by_its_mean_or_by_how_often_it_is_reached(page: Any) -> None:
    draw(page, 60)
    page.locator("#pg-control-kind").select_option("num_tokens")
    assert all(page.locator(f".pg-control-add [name={name}]").is_hidden() for name in ("not", "value"))
    page.locator(".pg-control-add [name=counted]").select_option("at_least")
    page.locator(".pg-control-add [name=not]").check()
    page.locator(".pg-control-add [name=value]").fill("8")
    after(page, lambda: page.get_by_role("button", name="Add feature").click())
    assert "not (length in tokens ≥ 8)" in said(page, ".pg-gauges")
    page.locator(".pg-control-add [name=and]").select_option("1")
    add(page, "contains", text="moon")
    assert "not (length in tokens ≥ 8) and contains “moon”" in said(page, ".pg-gauges")
    assert page.locator(".pg-gauge").count() == 3


def test_a_classifier_that_the_host_named(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = save_classifier(tmp_path_factory.mktemp("made") / "moods", labels=("sad", "<b>happy</b>"))
    with (
        serving("--backend", "toy", "--classifiers", f"{folder},{folder}-gone") as address,
        clean_tab(browser, address) as tab,
    ):
        after(tab, lambda: tab.locator("#pg-tab-control").click())
        draw(tab, 60)
        tab.locator("#pg-control-kind").select_option("classifier")
        label = tab.locator(".pg-control-add [name=label]")
        label.locator("option").nth(1).wait_for(state="attached")
        label.select_option("<b>happy</b>")
        tab.locator(".pg-control-add [name=counted]").select_option("at_least")
        after(tab, lambda: tab.get_by_role("button", name="Add feature").click())
        tab.wait_for_selector("#pg-control-reading", state="hidden")
        assert "classifier “moods” “<b>happy</b>” ≥ 0.5" in said(tab, ".pg-gauges")
        tab.locator(".pg-control-add [name=model]").select_option("moods-gone")
        refusal = "document.querySelector('.pg-form-refusal').textContent"
        tab.wait_for_function(f"{refusal}.includes('moods-gone is no folder')")
        assert tab.get_by_role("button", name="Add feature").is_disabled()


@pytest.mark.parametrize("width", [360, 768])
def test_no_sideways_scrolling(browser: Any, toy_url: str, width: int) -> None:
    with clean_tab(browser, toy_url, viewport={"width": width, "height": 780}) as page:
        after(page, lambda: page.locator("#pg-tab-control").click())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
