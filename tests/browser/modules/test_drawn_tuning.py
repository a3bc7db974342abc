"""The parts of the tuning panel: figures in words, the alarm aloud, texts of a model as text alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.tuning_made import tuning_view

pytestmark = pytest.mark.browser

DRAW = """async (view) => {
  const parts = await import('/assets/js/tuning_parts.js');
  const host = document.createElement('section');
  host.id = 'tuning';
  host.className = 'pg-tuning';
  document.querySelector('main').replaceChildren(host);
  const alarm = parts.alarm(host);
  const meters = parts.meters(host);
  parts.drawMeters(meters, view);
  alarm.show(view.alarm);
  const list = document.createElement('ol');
  const items = view.texts.map(() => list.appendChild(document.createElement('li')));
  host.append(list);
  parts.drawTexts(items, view.texts);
}"""
HOSTILE = "<img src=x onerror=alert(1)>\u202eevil"


def test_the_panel_says_its_figures(gallery: Any) -> None:
    page = gallery(width=360)
    texts = [{"text": HOSTILE, "allowed": True, "log_ratio": -0.7}, {"text": "b", "allowed": False, "log_ratio": None}]
    page.evaluate(DRAW, {**tuning_view("a"), "texts": texts, "alarm": "It is forgetting."})
    said = [text.replace("\u00a0", " ") for text in page.locator("#tuning dd").all_text_contents()]
    assert said[:3] == ["0.50 nats of 2.50 nats", "40.0 % (was 5.0 %)", "100 % ± 10.0 %"]
    assert said[3:] == ["2.00 nats, exact: 2.99 nats", "80.0 %"]
    assert page.locator("#tuning [role=alert]").text_content() == "It is forgetting."
    first, second = page.locator("#tuning li").all()
    assert HOSTILE in first.text_content() and "weight ×0.50" in first.text_content()
    assert "not in the target" in second.text_content() and page.locator("#tuning img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate(DRAW, tuning_view("a"))
    assert page.locator("#tuning [role=alert]").is_hidden()
