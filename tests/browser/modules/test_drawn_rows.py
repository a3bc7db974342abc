"""The distribution rows: exact figures on the elements, order held under a drag, keyboard, motion."""

from __future__ import annotations

from math import log10
from typing import Any

import pytest

pytestmark = pytest.mark.browser

IDS = "pg.all('#distribution [role=option]').map((row) => Number(row.dataset.tokenId))"


def test_each_row_carries_its_exact_numbers(gallery: Any, views: Any) -> None:
    page, view = gallery(), views["dragon"]
    rows = page.evaluate(
        "pg.all('#distribution [data-token-id]').map((row) => ({...row.dataset,"
        " struck: getComputedStyle(row.querySelector('.pg-row-label')).textDecorationLine,"
        " final: row.querySelector('.pg-rows-final').textContent}))"
    )
    assert len(rows) == len(view["rows"])
    for shown, row in zip(rows, view["rows"], strict=True):
        assert int(shown["tokenId"]) == row["token_id"]
        assert float(shown["pRaw"]) == row["p_raw"]
        assert float(shown["pFinal"]) == row["p_final"]
        assert shown.get("removedBy", "") == row["removed_by"]
        assert (shown["struck"] == "line-through") == bool(row["removed_by"])
        assert not row["removed_by"] or shown["final"] == "✂ Min-p"
    others = page.locator("#distribution .pg-row-others")
    assert float(others.get_attribute("data-p-final")) == view["others"]["p_final"]
    assert others.locator(".pg-row-label").text_content() == "49,127 others"
    assert others.get_attribute("data-token-id") is None
    assert page.locator("#distribution .pg-drawn").get_attribute("data-token-id") == str(view["dart"]["token_id"])
    assert page.locator("#distribution .pg-chosen").count() == 1


def test_bars_end_where_the_numbers_say(gallery: Any, views: Any) -> None:
    page, view = gallery(), views["dragon"]
    measure = """(scale) => {
      pg.draw(pg.views.dragon, {scale});
      return pg.all('#distribution [role=option]').map((row) => {
        const width = (name) => row.querySelector(name).getBoundingClientRect().width;
        return [width('.pg-row-ghost') / width('.pg-row-bar'), width('.pg-row-fill') / width('.pg-row-bar')];
      });
    }"""
    for ghost, final, row in [
        (*pair, row) for pair, row in zip(page.evaluate(measure, "linear"), view["rows"], strict=True)
    ]:
        assert ghost == pytest.approx(row["p_raw"] / 0.15, abs=0.003)
        assert final == pytest.approx(row["p_final"] / 0.15, abs=0.003)
    for (ghost, _), row in zip(page.evaluate(measure, "log"), view["rows"], strict=True):
        assert ghost == pytest.approx(1 + log10(row["p_raw"]) / 6, abs=0.003)
    ticks = page.locator("#distribution .pg-rows-axis span").all_text_contents()
    assert [tick.replace("\u00a0", " ") for tick in ticks if tick] == ["0.0001 %", "0.01 %", "1 %", "100 %"]


def test_order_holds_while_a_slider_moves_and_settles_after(gallery: Any, views: Any) -> None:
    page = gallery("first")
    before, target = page.evaluate(IDS), [row["token_id"] for row in views["dragon"]["rows"]]
    nodes = "window.kept = new Map(pg.all('#distribution [role=option]').map((r) => [r.dataset.tokenId, r]))"
    page.evaluate(nodes)
    page.evaluate("pg.draw(pg.views.dragon, {hold: true})")
    held = page.evaluate(IDS)
    assert sorted(held) == sorted(target)
    for place, token in enumerate(before):
        if token in target:
            assert held[place] == token
    assert (
        page.evaluate("Number(document.querySelector('#distribution .pg-rows').style.getPropertyValue('--pg-ticks'))")
        == 3
    )
    page.evaluate("pg.draw(pg.views.dragon)")
    assert page.evaluate(IDS) == target
    same = "pg.all('#distribution [role=option]').filter((r) => kept.get(r.dataset.tokenId) === r).length"
    assert page.evaluate(same) == len(set(before) & set(target))


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_settling_moves_rows_only_where_motion_is_welcome(gallery: Any, motion: str) -> None:
    page = gallery("first", reduced_motion=motion)
    page.evaluate("pg.draw(pg.views.dragon)")
    moving = page.evaluate(
        "document.querySelector('#distribution .pg-rows-list').getAnimations({subtree: true}).length"
    )
    assert (moving > 0) == (motion == "no-preference")
    assert page.evaluate("getComputedStyle(document.querySelector('.pg-caret')).animationName") == (
        "pg-blink" if motion == "no-preference" else "none"
    )


def test_keyboard_walks_forces_and_pins(gallery: Any) -> None:
    page = gallery()
    ids = page.evaluate(IDS)
    page.locator("#distribution [role=option]").first.focus()
    for key in ["ArrowDown", "ArrowDown", "ArrowUp"]:
        page.keyboard.press(key)
    focused = "Number(document.activeElement.dataset.tokenId)"
    assert page.evaluate(focused) == ids[1]
    page.keyboard.press("End")
    assert page.evaluate(focused) == ids[-1]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.evaluate("pg.calls") == [["force", ids[0]]]
    page.keyboard.press("p")
    assert page.evaluate("[...pg.light.pinned]") == [ids[0]]
    assert page.locator("#distribution .pg-pinned").get_attribute("aria-selected") == "true"
    assert page.locator("#distribution [role=option][tabindex='0']").count() == 1
    page.evaluate("pg.draw(pg.views.first)")
    assert page.evaluate(f"document.activeElement.getAttribute('role') === 'option' && {focused} === {ids[0]}")


def test_a_click_forces_and_the_dot_pins(gallery: Any) -> None:
    page = gallery()
    row = page.locator("#distribution [role=option]").nth(4)
    token = int(row.get_attribute("data-token-id"))
    row.locator(".pg-row-bar").click()
    row.locator(".pg-row-pin").click()
    assert page.evaluate("pg.calls") == [["force", token]]
    assert page.evaluate("[...pg.light.pinned]") == [token]


def test_pointing_lights_the_token_everywhere_and_moves_nothing(gallery: Any, views: Any) -> None:
    page, view = gallery(), views["dragon"]
    token = view["dart"]["token_id"]
    place = "document.querySelector('#distribution').getBoundingClientRect().top"
    before = page.evaluate(place)
    page.locator(f"#distribution [data-token-id='{token}']").hover()
    assert page.evaluate("pg.light.lit") == token
    lit = page.evaluate("pg.all('.pg-lit').map((node) => Number(node.dataset.tokenId))")
    assert set(lit) == {token}
    for place_of in [
        "#distribution .pg-row",
        "#card-min_p .pg-dot",
        "#card-draw .pg-ruler-segment",
        "#guidance .pg-grow",
        "#table tr",
    ]:
        assert page.locator(f"{place_of}.pg-lit").count() == 1, place_of
    line = page.locator("#journey .pg-journey-line:visible").text_content().replace("\u00a0", " ")
    assert line == "␣throne0.55 %model2.4 %Guidance1.0 %Temperature1.1 %Top-p4.3 %Min-p"
    assert page.evaluate(place) == before
    page.mouse.move(5, 5)
    assert page.evaluate("pg.light.lit") is None
    assert page.locator(".pg-lit").count() == 0
