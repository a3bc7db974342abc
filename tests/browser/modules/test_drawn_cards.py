"""Cards, ribbon, ruler, guidance: geometry stands where the numbers say, to the pixel."""

from __future__ import annotations

from itertools import pairwise
from math import log, log10
from typing import Any

import pytest

pytestmark = pytest.mark.browser

PLOT = "document.querySelector('#card-{0} .pg-card-plot').getBoundingClientRect()"


def box(page: Any, selector: str) -> dict[str, float]:
    return page.evaluate("(s) => document.querySelector(s).getBoundingClientRect().toJSON()", selector)


def y_of(log_p: float) -> float:
    return 3 + 59 * min(8, max(0, -log_p)) / 8


def test_top_k_is_a_vertical_line_after_rank_k(gallery: Any, views: Any) -> None:
    page, view = gallery("plain"), views["plain"]
    plot, edge, region = (box(page, f"#card-top_k {part}") for part in ["svg", ".pg-cut-edge", ".pg-cut-region"])
    wanted = plot["left"] + plot["width"] * log(20.5) / log(view["vocabulary_size"])
    assert edge["left"] + edge["width"] / 2 == pytest.approx(wanted, abs=0.6)
    assert region["left"] == pytest.approx(wanted, abs=0.6)
    assert region["right"] == pytest.approx(plot["right"], abs=0.6)
    assert box(page, "#card-top_k .pg-curve-lost")["left"] == pytest.approx(wanted, abs=plot["width"] / 100)
    foot = page.locator("#card-top_k .pg-card-foot").text_content()
    assert foot == "49,152 → 20 tokens"


def test_min_p_is_a_horizontal_line(gallery: Any, views: Any) -> None:
    page, view = gallery("first"), views["first"]
    stage = view["stages"][-1]
    plot, edge, region = (box(page, f"#card-min_p {part}") for part in ["svg", ".pg-cut-edge", ".pg-cut-region"])
    wanted = plot["top"] + plot["height"] * y_of(log10(stage["cut"]["value"])) / 66
    assert edge["top"] + edge["height"] / 2 == pytest.approx(wanted, abs=0.6)
    assert region["top"] == pytest.approx(wanted, abs=0.6)
    assert region["width"] == pytest.approx(plot["width"], abs=0.6)


def test_top_p_is_a_staircase_cut_at_its_level(gallery: Any, views: Any) -> None:
    page, view = gallery("first"), views["first"]
    stage = view["stages"][1]
    plot, edge, level = (box(page, f"#card-top_p {part}") for part in ["svg", ".pg-cut-edge", ".pg-cut-level"])
    wanted = plot["left"] + plot["width"] * log(stage["support"] + 0.5) / log(view["vocabulary_size"])
    assert edge["left"] + edge["width"] / 2 == pytest.approx(wanted, abs=0.6)
    assert level["top"] + level["height"] / 2 == pytest.approx(
        plot["top"] + plot["height"] * (62 - 59 * 0.9) / 66, abs=0.6
    )
    assert page.locator("#card-top_p .pg-curve-cumulative").get_attribute("d")
    crossing = page.evaluate(
        """() => {
          const path = document.querySelector('#card-top_p .pg-curve-cumulative');
          const level = 62 - 59 * 0.9;
          let at = 0;
          while (path.getPointAtLength(at).y > level && at < 1000) at += 0.25;
          return path.getPointAtLength(at).x;
        }"""
    )
    assert crossing == pytest.approx(172 * log(stage["support"]) / log(view["vocabulary_size"]), abs=1.0)


def test_a_band_has_two_lines(gallery: Any) -> None:
    page = gallery("first")
    page.evaluate(
        """() => {
          const view = structuredClone(pg.views.first);
          Object.assign(view.stages[2], {cut: {axis: 'band', value: 1e-4, high: 1e-2}});
          pg.cards(view, {});
        }"""
    )
    d = page.locator("#card-min_p .pg-cut-edge").get_attribute("d")
    assert d == f"M0 {y_of(-4):g}H172M0 {y_of(-2):g}H172"


def test_the_lit_dot_stands_on_its_rank_and_probability(gallery: Any, views: Any) -> None:
    page, view = gallery("first"), views["first"]
    row = next(row for row in view["rows"] if row["removed_by"])
    page.evaluate("(id) => pg.light.set(id)", row["token_id"])
    dot, plot = box(page, "#card-top_p .pg-dot"), box(page, "#card-top_p svg")
    x = plot["left"] + plot["width"] * log(row["rank"]) / log(view["vocabulary_size"])
    y = plot["top"] + plot["height"] * y_of(log10(row["journey"][2])) / 66
    assert dot["left"] + dot["width"] / 2 == pytest.approx(x, abs=0.6)
    assert dot["top"] + dot["height"] / 2 == pytest.approx(y, abs=0.6)
    assert page.locator("#card-min_p .pg-dot.pg-dot-cut").count() == 1


def test_cards_that_are_off_show_no_figures(gallery: Any) -> None:
    page = gallery()
    card = page.locator("#card-top_k")
    assert card.locator(".pg-card-off").count() == 1
    assert (
        card.locator(".pg-card-foot").text_content().startswith("off")
        or "off" in card.locator(".pg-card-foot").inner_text()
    )
    assert card.locator(".pg-cut-edge").get_attribute("d") == ""
    assert card.locator(".pg-curve-before").get_attribute("d")
    assert gallery("plain").locator("#guidance .pg-guidance-off:visible").count() == 1


def test_ribbon_is_as_high_as_the_mass_and_drops_at_its_card(gallery: Any, views: Any) -> None:
    page, stages = gallery(), views["dragon"]["stages"]
    band = page.locator("#ribbon .pg-ribbon-band").get_attribute("d")
    strip, card = box(page, "#strip"), box(page, "#card-min_p")
    assert band.startswith(f"M0 0H{round(strip['width'])}V{round(stages[-1]['mass_alive'] * 14, 2):g}")
    x = card["left"] + card["width"] / 2 - strip["left"]
    assert f"L{round(x, 2):g} " in band
    figures = page.locator("#ribbon .pg-ribbon-figure").all_text_contents()
    lost = [a["mass_alive"] - b["mass_alive"] for a, b in pairwise(stages)]
    assert len(figures) == sum(value >= 0.0005 for value in lost)
    assert figures[-1].replace("\u00a0", " ") == f"−{100 * lost[-1]:.0f} %"
    page.evaluate("pg.draw(pg.views.dragon, {stacked: true})")
    assert not page.locator("#ribbon svg").is_visible()
    kept = page.locator("#card-min_p .pg-card-mass i").first.evaluate("(bar) => bar.style.width")
    assert float(kept.rstrip("%")) == pytest.approx(100 * stages[-1]["mass_alive"], abs=0.01)


def test_ribbon_follows_cards_that_move(gallery: Any) -> None:
    page = gallery()
    before = page.locator("#ribbon .pg-ribbon-band").get_attribute("d")
    page.set_viewport_size({"width": 1250, "height": 900})
    page.wait_for_function(
        "(d) => document.querySelector('#ribbon .pg-ribbon-band').getAttribute('d') !== d", arg=before
    )


def test_ruler_lays_segments_end_to_end_and_the_dart_in_its_token(gallery: Any, views: Any) -> None:
    page, dart = gallery("first"), views["first"]["dart"]
    track = box(page, "#ruler .pg-ruler-track")
    hit, needle = box(page, "#ruler .pg-hit"), box(page, "#ruler .pg-ruler-dart")
    assert needle["left"] == pytest.approx(track["left"] + track["width"] * dart["u"], abs=1)
    assert hit["left"] <= needle["left"] + 1 <= hit["right"] + 2
    last = dart["segments"][-1]
    rest = box(page, "#ruler .pg-ruler-rest")
    assert rest["left"] == pytest.approx(track["left"] + track["width"] * (last["start"] + last["p"]), abs=1)
    assert page.locator("#ruler .pg-ruler-u").text_content() == "u = 0.310"
    assert page.locator("#ruler .pg-ruler-hit .pg-token").text_content() == dart["text"]


def test_guidance_marks_differ_by_shape_and_stand_on_one_axis(gallery: Any, views: Any) -> None:
    page, guidance = gallery(), views["dragon"]["guidance"]
    marks = page.evaluate(
        "pg.all('#guidance .pg-grow').map((row) =>"
        " [row.dataset.tokenId, ...[...row.querySelectorAll('.pg-gmark')].map((mark) => parseFloat(mark.style.left))])"
    )
    wanted = guidance["promoted"] + guidance["suppressed"]
    assert [int(mark[0]) for mark in marks] == [mark["token_id"] for mark in wanted]
    spans = [
        (mark[2] - mark[1]) / log10(row["p_prompt"] / row["p_others"][0])
        for mark, row in zip(marks, wanted, strict=True)
    ]
    assert spans == pytest.approx([spans[0]] * len(spans), rel=0.02)
    shape = """(name) => {
      const style = getComputedStyle(document.querySelector('#guidance .pg-grow .pg-gmark-' + name));
      return [style.borderRadius, style.transform !== 'none'];
    }"""
    assert len({tuple(page.evaluate(shape, name)) for name in ["negative", "prompt", "guided"]}) == 3
    first = page.locator("#guidance .pg-grow b").first
    assert first.text_content() == "×4.98"


def test_headline_and_sentence(gallery: Any, views: Any) -> None:
    page, view = gallery(), views["dragon"]
    figures = page.locator("#headline dd").all_text_contents()
    assert [figure.replace("\u00a0", " ") for figure in figures] == ["25.6", "4.7 bits", "32", "42.5 %"]
    assert "bits" in page.locator("#headline .pg-headline-choices").get_attribute("title")
    assert page.locator("#sentence p").text_content() == "".join(part["text"] for part in view["sentence"])
    assert page.locator("#sentence .pg-figure").count() == 2
