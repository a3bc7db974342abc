"""The sections in a real browser: tabs by mouse, by keyboard and by address; the engines follow the knobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driving import after_paint, clean_tab, open_page, slide

pytestmark = [pytest.mark.browser, pytest.mark.model]

DRAWN = "(before) => Number(document.getElementById('pg-section-engines').dataset.drawn ?? 0) > before"
FIGURES = """() => Object.fromEntries([...document.querySelectorAll('.pg-engine')].map((row) => [row.dataset.engine, {
  tokens: row.querySelector('b').textContent, why: row.querySelector('.pg-engine-why').textContent,
  same: row.classList.contains('pg-engine-same') }]))"""


def drawn(page: Any) -> int:
    return int(page.evaluate("document.getElementById('pg-section-engines').dataset.drawn ?? 0"))


def after_drawing(page: Any, action: Any) -> dict[str, Any]:
    """Do something, wait until the engines are drawn again and stand still; what they say."""
    before = drawn(page)
    action()
    page.wait_for_function(DRAWN, arg=before, timeout=30_000)
    page.wait_for_function("""() => new Promise((resolve) => {
      const at = () => document.getElementById('pg-section-engines').dataset.drawn;
      const now = at();
      setTimeout(() => resolve(now === at()), 300);
    })""")
    return page.evaluate(FIGURES)


def test_the_engines_follow_the_knobs_and_ask_only_while_they_are_open(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    slide(page, "knob-temperature-temperature", 1.6)
    assert "engines" not in asked
    rows = after_drawing(page, lambda: page.locator("#pg-tab-engines").click())
    assert rows["transformers"]["same"] and "min-p before temperature" in rows["llama.cpp"]["why"]
    assert not page.locator("#pg-main").is_visible() and page.locator("#card-min_p").is_visible()
    here = rows["here"]["tokens"]
    rows = after_drawing(page, lambda: slide(page, "knob-temperature-temperature", 0.5))
    assert rows["here"]["tokens"] != here
    assert int(rows["llama.cpp"]["tokens"]) > int(rows["here"]["tokens"])
    page.locator("#pg-tab-play").click()
    count = asked.count("engines")
    slide(page, "knob-temperature-temperature", 0.9)
    assert asked.count("engines") == count and page.locator("#distribution").is_visible()


def test_an_engines_order_and_defaults_go_onto_the_strip(page: Any) -> None:
    after_paint(page, lambda: page.locator("#pg-add-stage").select_option("typical_p"))
    slide(page, "knob-temperature-temperature", 1.6)
    after_drawing(page, lambda: page.locator("#pg-tab-engines").click())
    button = page.get_by_role("button", name="Use the order of llama.cpp")
    rows = after_drawing(page, button.click)
    assert rows["llama.cpp"]["same"] and not rows["transformers"]["same"]
    page.get_by_role("button", name="Use the defaults of KoboldCpp").click()
    page.wait_for_function("document.querySelector('#knob-top_k-top_k input[type=range]').value === '100'")
    strip = page.evaluate("""() => ['top_k', 'typical_p', 'top_p', 'min_p', 'temperature'].map((id) => [
      id, document.querySelector(`#on-${id} input`).checked,
      Number(document.querySelector(`#knob-${id}-${id} input[type=range]`).value),
      Number(document.getElementById(`card-${id}`).style.order)])""")
    on = [(name, value) for name, checked, value, _ in strip if checked]
    assert on == [("top_k", 100), ("top_p", 0.92), ("temperature", 0.75)]
    assert [order for *_, order in strip] == sorted(order for *_, order in strip)


def test_tabs_by_keyboard_and_by_address(page: Any, url: str) -> None:
    tab = page.get_by_role("tab", name="Play")
    assert tab.get_attribute("aria-selected") == "true"
    tab.focus()
    page.keyboard.press("ArrowRight")
    chosen = page.locator("[role=tab][aria-selected=true]")
    assert chosen.inner_text() == "Engines" and page.evaluate("document.activeElement.textContent") == "Engines"
    assert page.evaluate("location.hash") == "#section=engines"
    page.wait_for_function(DRAWN, arg=0, timeout=30_000)
    panel = page.locator(f"#{chosen.get_attribute('aria-controls')}")
    assert panel.get_attribute("role") == "tabpanel" and panel.is_visible()
    page.keyboard.press("Home")
    assert chosen.inner_text() == "Play" and page.evaluate("location.hash") == ""
    page.goto("about:blank")
    open_page(page, f"{url}#section=engines&other=1")
    page.wait_for_function(DRAWN, arg=0, timeout=30_000)
    assert page.evaluate("location.hash") == "#section=engines&other=1"
    page.evaluate("location.hash = 'section=nobody'")
    page.wait_for_selector("#pg-main", state="visible")


def test_generating_goes_back_to_the_text(page: Any) -> None:
    page.locator("#pg-tab-engines").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#tokens [data-index]", state="visible", timeout=30_000)
    assert page.evaluate("document.body.dataset.section") == "play"


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Any, url: str) -> None:
    with clean_tab(browser, url, viewport={"width": 360, "height": 780}) as page:
        page.locator("#pg-tab-engines").click()
        page.wait_for_function(DRAWN, arg=0, timeout=30_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.locator("[role=tablist]").evaluate("(node) => node.scrollWidth <= node.clientWidth")
        assert not page.locator("#generate").is_visible(), "the bar at the bottom belongs to Play"
