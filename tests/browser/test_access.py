"""The page by keyboard, by ear and by thumb, and over a server that goes away; on the toy model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import after_paint, clean_tab, fill, generate, slide, tokens_shown
from tests.serve.live import Live, running_server

pytestmark = pytest.mark.browser

STAGES = ["repetition_penalty", "frequency_penalty", "logit_bias", "min_p", "typical_p"]
NO_READING_FLOW = """
  const known = CSS.supports.bind(CSS);
  CSS.supports = (name, ...rest) => name !== 'reading-flow' && known(name, ...rest);
  addEventListener('DOMContentLoaded', () => {
    const style = document.createElement('style');
    style.textContent = '#pipeline { reading-flow: normal !important; }';
    document.head.append(style);
  });
"""
SHOWN = """() => [...document.querySelectorAll('#pipeline > .pg-card, #pipeline > .pg-add')]
  .filter((card) => card.getBoundingClientRect().width > 0)
  .sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left).map((card) => card.id)"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: Any) -> Iterator[Live]:
    """A server that remembers one tab: opening another session ends the page's."""
    with running_server(tmp_path_factory.mktemp("access") / "server.log", "--max-sessions", "1") as server:
        yield server


@pytest.fixture
def page(browser: Any, live: Live) -> Iterator[Any]:
    with clean_tab(browser, live.url) as tab:
        yield tab


def add_stages(page: Any) -> None:
    for name in STAGES:
        after_paint(page, lambda name=name: page.locator("#pg-add-stage").select_option(name))


@pytest.mark.parametrize("width", [360, 768, 1024])
def test_nothing_overflows_and_generate_stays_within_reach(browser: Any, live: Live, width: int) -> None:
    size = {"width": width, "height": 780}
    with clean_tab(browser, live.url, viewport=size, has_touch=True) as tab:
        add_stages(tab)
        generate(tab, 8)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        titles = tab.evaluate("""() => [...document.querySelectorAll('.pg-card:not(.pg-away) strong')]
          .filter((title) => title.scrollWidth > title.clientWidth + 1 || title.scrollHeight > title.clientHeight + 2)
          .map((title) => title.textContent)""")
        assert titles == [], "no title is cut"
        if width <= 760:
            tab.evaluate("scrollTo(0, document.body.scrollHeight)")
            boxes = [tab.locator(f"#{name}").bounding_box() for name in ("generate", "stop")]
            assert all(0 < box["y"] < 780 - 30 for box in boxes) and boxes[0]["y"] == pytest.approx(boxes[1]["y"])
            assert all(box["height"] >= 32 for box in boxes)


@pytest.mark.parametrize("flows", [True, False], ids=["reading-flow", "without"])
def test_tab_goes_through_the_cards_as_they_stand(browser: Any, live: Live, flows: bool) -> None:
    with clean_tab(browser, live.url) as tab:
        if not flows:
            tab.add_init_script(NO_READING_FLOW)
            tab.reload()
            tab.wait_for_selector("body[data-ready=true][data-painted]")
        tab.locator("#card-min_p .pg-grip").focus()
        after_paint(tab, lambda: tab.keyboard.press("Home"))
        shown = tab.evaluate(SHOWN)
        assert shown[:3] == ["card-guidance", "card-min_p", "card-temperature"]
        tab.locator("#on-guidance input").focus()
        visited: list[str] = []
        stops = 0
        while (here := tab.evaluate("document.activeElement.closest('#pipeline > *')?.id ?? null")) is not None:
            stops += 1
            assert stops < 100, "a trap: Tab never leaves the cards"
            if not visited or visited[-1] != here:
                visited.append(here)
            tab.keyboard.press("Tab")
        assert visited == shown
        tab.keyboard.press("Shift+Tab")
        assert tab.evaluate("Boolean(document.activeElement.closest('#pipeline'))")


def test_the_sentence_is_read_out_once_it_stands_not_during_a_drag(page: Any) -> None:
    assert page.locator("#sentence[aria-live], #sentence [aria-live]").count() == 0
    page.wait_for_timeout(1200)
    page.evaluate("""() => {
      window.heard = [];
      const region = document.querySelector('.pg-sr[role=status]');
      new MutationObserver(() => heard.push(region.textContent)).observe(region, { childList: true });
    }""")
    for step in range(10):
        slide(page, "knob-temperature-temperature", 1.1 + step / 10)
    assert page.evaluate("heard") == []
    page.wait_for_function("heard.length > 0", timeout=5_000)
    page.wait_for_timeout(400)
    assert page.evaluate("heard") == [page.locator("#sentence").text_content()]
    assert page.locator("#pg-run[role=status], #tokens[aria-live]").count() == 0, "no token is announced by itself"


def test_arrows_choose_in_a_segment_and_walk_the_lists(page: Any) -> None:
    page.locator("#pg-distribution-panel [data-scale=linear]").focus()
    after_paint(page, lambda: page.keyboard.press("ArrowRight"))
    assert page.evaluate("document.activeElement.dataset.scale") == "log"
    assert page.locator("#pg-distribution-panel [role=radio][tabindex='0']").count() == 1
    rows = page.locator("#distribution [role=option]")
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.dataset.tokenId")
    assert second == rows.nth(1).get_attribute("data-token-id")
    after_paint(page, lambda: page.keyboard.press("p"))
    assert page.locator(f"#distribution .pg-pinned[data-token-id='{second}']").count() == 1
    page.locator(f"#distribution [data-token-id='{second}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('#tokens [data-index="0"]')
    assert page.locator('#tokens [data-index="0"]').get_attribute("data-token-id") == second
    page.wait_for_selector("body[data-generating=false]")
    page.locator("#pg-guidance li.pg-grow").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement === document.querySelectorAll('#pg-guidance li.pg-grow')[1]")


def test_a_session_that_ended_is_opened_again_and_nothing_is_lost(page: Any, live: Live) -> None:
    fill(page, "prompt", "Once upon a time")
    slide(page, "knob-temperature-temperature", 1.4)
    before = generate(page, 8)
    live.open()  # the page's session has to go
    slide(page, "knob-temperature-temperature", 1.5)
    assert not page.locator("#pg-problem").is_visible()
    assert tokens_shown(page) == before, "the text stays"
    assert "Once upon a time" in page.locator("#pg-after").inner_text(), "the prompt was asked again"
    assert page.locator("#prompt textarea").input_value() == "Once upon a time"
    live.open()
    slide(page, "knob-temperature-temperature", 1.4)
    live.open()
    generate(page, 8)
    page.wait_for_function("document.querySelector('#pg-run').textContent.includes('tokens')", timeout=20_000)
    page.wait_for_selector("body[data-generating=false]")
    assert tokens_shown(page) == before, "the same seed and knobs write the same text in the new session"
    assert not page.locator("#pg-problem").is_visible()


def test_a_server_that_does_not_answer_is_said_and_asked_again(page: Any) -> None:
    page.context.set_offline(True)
    page.locator("#knob-temperature-temperature input[type=number]").fill("1.7")
    page.wait_for_selector("#pg-problem:not([hidden]) .pg-retry:visible")
    assert "does not answer" in page.locator("#pg-problem").inner_text()
    page.context.set_offline(False)
    after_paint(page, lambda: page.locator("#pg-problem .pg-retry").click())
    assert not page.locator("#pg-problem").is_visible()
    assert "1.7" in page.locator("#sentence").inner_text()
