"""Collecting accepted texts in a real browser, on the toy model: a promise, texts as they come, an end in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.control_section import add, after, draw, said, slide
from tests.browser.driving import clean_tab

pytestmark = pytest.mark.browser

ROWS = """() => [...document.querySelectorAll('.pg-control-collect .pg-control-texts li')].map((row) => ({
  text: row.querySelector('bdi').textContent, number: row.firstChild.textContent,
  keep: parseFloat(row.querySelector('.pg-chance-bar').style.width),
  dart: parseFloat(row.querySelector('.pg-chance-dart').style.left) }))"""
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(browser: Any, toy_url: str) -> Iterator[Any]:
    """A pool of the toy, its target half of the texts with a moon in them."""
    with clean_tab(browser, toy_url) as tab:
        after(tab, lambda: tab.locator("#pg-tab-control").click())
        assert tab.locator(".pg-control-collect").is_hidden(), "the toy's texts are all listed"
        draw(tab)
        add(tab, "contains", text="moon")
        after(tab, lambda: tab.get_by_role("button", name="Take contains “amazing” away").click())
        slide(tab, ".pg-gauge-track input", 0.5)
        yield tab


def collect(page: Any, wanted: str, most: str = "2000") -> None:
    page.fill("#pg-collect-wanted", wanted)
    page.fill("#pg-collect-most", most)
    page.locator("#pg-collect-go").click()


def ended(page: Any, words: str) -> None:
    heard = "document.querySelector('.pg-collect-ending').textContent"
    page.wait_for_function(f"(words) => {heard}.includes(words)", arg=words, timeout=60_000)
    assert page.locator("#pg-collect-stop").is_hidden() and page.locator("#pg-collect-go").is_enabled()


def test_as_many_as_wanted_and_everything_to_take_home(page: Any) -> None:
    page.fill("#pg-collect-wanted", "12")
    assert "proposals for each accepted text: about" in said(page, "#pg-collect-promise")
    assert "for 12, some" in said(page, "#pg-collect-promise")
    page.fill("#pg-collect-most", "3")
    assert "The limit of proposals comes first: about" in said(page, "#pg-collect-promise")
    collect(page, "12")
    ended(page, "as many as wanted")
    aim = said(page, ".pg-collect-aim")
    assert "contains “moon” 50.0 %, at β = " in aim and "from the model, after “The dragon”" in aim
    figures = said(page, ".pg-collect-found .pg-headline")
    assert "accepted here (95 % interval" in figures and "promised by the pool (" in figures
    assert "a little too much on average" in said(page, ".pg-collect-bias")
    assert "fresh proposals lay above β" in said(page, ".pg-collect-test")
    assert "of the accepted (95 % interval" in said(page, ".pg-collect-means")
    rows = page.evaluate(ROWS)
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 13)]
    assert all(row["dart"] < row["keep"] for row in rows)
    after(page, lambda: page.get_by_role("button", name="1 in 2").click())
    slide(page, ".pg-gauge-track input", 0.2)
    assert said(page, ".pg-collect-aim") == aim, "what was collected keeps its own target and β"
    with page.expect_download() as download:
        page.locator("#pg-collect-save").click()
    data = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    taken = [text for text, good in zip(data["pool"]["texts"], data["accepted"], strict=True) if good]
    assert [text.replace("\n", "↵") for text in taken] == [row["text"] for row in rows]
    assert len(data["pool"]["texts"]) == data["num_proposed"] > 12 and data["seed"] == 7
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#pg-collect-copy").click()
    page.wait_for_function("document.getElementById('pg-collect-copy').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == "\n\n".join(taken)
    after(page, lambda: page.locator(".pg-control-pools button").first.click())
    assert page.locator(".pg-collect-found").is_visible() and page.locator("#pg-collect-go").is_hidden()


def test_a_long_collection_shows_texts_and_can_be_stopped(page: Any) -> None:
    add(page, "contains", text=HOSTILE)
    page.fill("#pg-control-tokens", "64")
    draw(page, 40)
    after(page, lambda: page.get_by_role("button", name="take all").click())
    collect(page, "", "5000")
    page.wait_for_function("document.querySelectorAll('.pg-control-collect li bdi').length > 3", timeout=60_000)
    assert page.locator("#pg-collect-go").is_disabled()
    page.locator("#pg-collect-stop").click()
    ended(page, "then it was stopped")
    assert HOSTILE in said(page, ".pg-collect-aim")
    told = int(said(page, ".pg-collect-ending").split()[0].replace(",", ""))
    rows = page.evaluate(ROWS)
    assert len(rows) == min(told, 300) and [row["number"] for row in rows[:3]] == ["1", "2", "3"]
    assert ("the first 300 are shown" in said(page, ".pg-collect-found")) == (told > 300)


def test_what_cannot_be_is_said_and_nothing_starts(page: Any) -> None:
    collect(page, "0")
    page.wait_for_selector("#pg-problem:not([hidden])")
    assert "num_accepted must be a number from 1 to 1000" in said(page, "#pg-problem")
    assert page.locator(".pg-collect-found").is_hidden() and page.locator("#pg-collect-go").is_enabled()
    page.set_viewport_size({"width": 360, "height": 780})
    collect(page, "5")
    ended(page, "as many as wanted")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
