"""The parts of the tuning panel: figures in words, the alarm aloud, texts of a model as text alone."""

from __future__ import annotations

from typing import Any

import pytest

from playground.charts import tuning_curves
from tests.charts.tuning_made import tuning_view

pytestmark = pytest.mark.browser

DRAW = """async (view) => {
  const parts = await import('/assets/js/tuning_parts.js');
  const host = document.createElement('section');
  host.id = 'tuning';
  host.className = 'pg-panel pg-tuning';
  document.querySelector('main').classList.add('gradio-container');
  document.querySelector('main').replaceChildren(host);
  const alarm = parts.alarm(host);
  const meters = parts.meters(host);
  parts.drawMeters(meters, view);
  alarm.show(view.alarm);
  const said = document.createElement('p');
  said.id = 'verdict';
  said.textContent = parts.verdict(view);
  const list = document.createElement('ol');
  host.append(said, list);
  parts.drawTexts(list, [], view.texts, view.facts.features);
}"""
HOSTILE = "<img src=x onerror=alert(1)>\u202eevil"


def test_the_panel_says_its_figures(gallery: Any) -> None:
    page = gallery(width=360)
    texts = [
        {"text": HOSTILE, "prompt": HOSTILE, "allowed": True, "marks": [[0, 4, 0]], "values": [1.0],
         "log_ratio": -0.7},
        {"text": "b", "prompt": "", "allowed": False, "marks": [], "values": [0.0], "log_ratio": None},
    ]
    page.evaluate(DRAW, {**tuning_view("a"), "texts": texts, "alarm": "It is forgetting."})
    said = [text.replace("\u00a0", " ") for text in page.locator("#tuning .pg-meter-value").all_inner_texts()]
    assert said == ["0.50 nats of 2.50", "40.0 % was 5.0 %", "2.00 nats, floor 2.99", "100 % ± 10.0 %", "80.0 %"]
    assert page.locator("#verdict").text_content().replace("\u00a0", " ") == (
        "After 12 steps 40.0 % of its texts are hits; the model alone has 5.0 %, the target 100 %. It stands 0.50 nats "
        "from the target, 2.50 at the start, and 2.00 from the model, where an exact one would stand 2.99 away."
    )
    assert page.locator("#tuning [role=alert]").text_content() == "It is forgetting."
    first, second = page.locator("#tuning li").all()
    assert first.locator(".pg-control-after").text_content() == f"{HOSTILE[:14]}…{HOSTILE[-14:]}"
    assert second.locator(".pg-control-after").is_hidden(), "one prompt alone needs no name"
    assert first.locator("mark").text_content() == HOSTILE[:4]
    assert HOSTILE in first.text_content() and "×0.50" in first.text_content()
    assert "not in the target" in second.text_content() and page.locator("#tuning img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate(DRAW, tuning_view("a"))
    assert page.locator("#tuning [role=alert]").is_hidden()


def test_a_collapse_of_the_target_warns_and_charts_name_their_lines_as_text(gallery: Any) -> None:
    page = gallery(width=360)
    view = tuning_view(HOSTILE)
    view["points"][-1] |= {"z": 0.005, "z_error": 0.001}
    page.evaluate(DRAW, view)
    assert page.locator("[data-meter=mass]").get_attribute("data-warns") == "true"
    assert page.locator("[data-meter=exact]").get_attribute("data-warns") == "false"
    page.route("**/plotly.min.js", lambda route: route.fulfill(body="window.Plotly = { react: () => undefined }"))
    page.evaluate(
        """async (figures) => {
          const { charts } = await import('/assets/js/tuning_charts.js');
          await charts(document.querySelector('#tuning')).paint(figures, 12);
        }""",
        tuning_curves.figures(view),
    )
    names = page.locator("#tuning .pg-tuning-legend").last.locator("li").all_text_contents()
    assert names == [HOSTILE, "its target"] and page.locator("#tuning img").count() == 0
    wide = "() => [...document.querySelectorAll('#tuning *')].filter((n) => n.getBoundingClientRect().right > 361)"
    assert page.evaluate(f"({wide})().map((n) => n.className + n.textContent.slice(0, 60))") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
