"""The Control section's gauges and meters: figures, warnings in words, shapes in place, all by keyboard."""

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

DRAW = """async (view) => {
  const { createFitMeters } = await import('/assets/js/control-meters.js');
  const { createGauge } = await import('/assets/js/control-gauge.js');
  if (!window.host) {
    window.moved = [];
    window.host = document.createElement('section');
    window.host.className = 'pg-panel pg-control';
    document.querySelector('main').classList.add('gradio-container');
    document.querySelector('main').replaceChildren(window.host);
    window.gauges = view.gauges.map((gauge, index) => createGauge(gauge, index, {
      want: (value) => window.moved.push(value), tilt: (value) => window.moved.push(value), remove: null }));
    window.meters = createFitMeters();
    window.host.append(...window.gauges.map((gauge) => gauge.root), window.meters.root);
  }
  view.gauges.forEach((gauge, index) => window.gauges[index].paint(gauge));
  window.meters.paint(view);
}"""


def view(targets: tuple[float, ...] = (0.5, 6.7), num_texts: int = 200) -> dict[str, Any]:
    logs = np.full(num_texts, -3.0)
    texts = tuple(Text("a moon" if row % 10 == 0 else f"text {row}", 2, 4.0) for row in range(num_texts))
    darts = (np.arange(num_texts) + 0.5) / num_texts
    pool = Pool(texts, logs, logs, darts, ("p",) * num_texts, ((1, 2),) * num_texts)
    asked = features([{"feature": "contains", "text": "moon"}, {"feature": "num_characters"}])
    return control_view(Analysis.of(pool, asked, Evaluator()), Ask(targets=targets))


def values(page: Any) -> list[str]:
    return [text.replace("\u00a0", " ") for text in page.locator(".pg-meter-value").all_inner_texts()]


def test_meters_say_their_figures_and_warn_in_words(gallery: Any) -> None:
    page = gallery(width=360)
    drawn = view()
    page.evaluate(DRAW, drawn)
    shown = values(page)
    assert shown[0] == f"{drawn['fit']['kl']:.2f} nats" and f"{drawn['fit']['ess']:.0f} of 200" in shown[2]
    warned = page.locator("[data-warns=true]")
    assert [one.get_attribute("data-meter") for one in warned.all()] == ["ess"], "the largest weight is 1 in 40"
    assert "warning" in page.locator("[data-meter=ess] .pg-meter").inner_text()
    page.locator("[data-meter=kl] .pg-meter").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    about = page.locator("[data-meter=ess] .pg-meter-about")
    assert about.is_visible() and "Below 100" in about.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == about.get_attribute("id")
    page.keyboard.press("Escape")
    assert about.is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_meters_of_everything_there_is_show_only_what_is_exact(gallery: Any) -> None:
    page = gallery()
    page.evaluate(DRAW, view() | {"enumerated": True})
    assert page.locator(".pg-meter:visible").count() == 2


def test_a_gauge_has_a_needle_for_fingers_and_keys_and_names_its_shapes(gallery: Any) -> None:
    page = gallery(width=360, has_touch=True)
    page.evaluate(DRAW, view())
    first = page.locator(".pg-gauge").first
    words = first.inner_text().replace("\u00a0", " ")
    assert "model 10.0 % (6.6 % to 14.9 %)" in words
    assert "target 50.0 %" in words and "0 %" in words and "100 %" in words
    assert "6 characters" in page.locator(".pg-gauge").nth(1).inner_text()
    needle = first.get_by_label("Wanted mean of contains “moon”", exact=True)
    box = needle.bounding_box()
    assert box["height"] >= 24 and needle.get_attribute("aria-valuetext").replace("\u00a0", " ") == "50.0 %"
    dot, track = (first.locator(f".pg-gauge-{part}").bounding_box() for part in ("fitted", "track"))
    middle = box["x"] + box["width"] / 2
    assert dot["x"] + dot["width"] / 2 == pytest.approx(middle, abs=1), "the needle at a half stands over the dot"
    assert track["x"] + track["width"] / 2 == pytest.approx(middle, abs=1)
    needle.focus()
    page.keyboard.press("ArrowRight")
    page.touchscreen.tap(track["x"] + 0.8 * track["width"], track["y"] + 18)
    moved = page.evaluate("window.moved")
    assert 0.5 < moved[0] < 0.6 and moved[-1] == pytest.approx(0.8, abs=0.02)
