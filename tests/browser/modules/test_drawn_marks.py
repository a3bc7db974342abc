"""The texts of the Control section: what a feature found is marked by code points; hostile texts stay text."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser

DRAW = """async ([text, marks, values, names]) => {
  const { drawMarked } = await import('/assets/js/control-marks.js');
  const node = document.createElement('bdi');
  node.id = 'marked';
  document.querySelector('main').replaceChildren(node);
  drawMarked(node, text, marks, values, names);
  const kept = node.firstChild;
  drawMarked(node, text, marks, values, names);
  return kept === node.firstChild;
}"""


def marks(page: Any, kind: str = "mark") -> list[str]:
    return list(page.locator(f"#marked {kind}").all_text_contents())


def test_spans_count_code_points(gallery: Any) -> None:
    page = gallery()
    text = "🌙𝒳é moon, 👩‍🚀 and moon🌙"
    starts = [text.index("moon"), text.rindex("moon")]
    spans = [[start, start + 4, 0] for start in starts] + [[len(text) - 1, len(text), 1]]
    assert page.evaluate(DRAW, [text, spans, [1.0, 0.0], ["contains “moon”", "regex"]]), "drawn once"
    assert marks(page) == ["moon", "moon", "🌙"] and marks(page, ".pg-mark-part") == ["🌙"]
    assert page.locator("#marked").text_content() == text
    assert page.locator("#marked mark").first.get_attribute("title") == "contains “moon”"


HOSTILE = ["<img src=x onerror=alert(1)>", "\u202e</mark><script>alert(1)</script>", "a\u0301\x00b"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(gallery: Any, text: str) -> None:
    page = gallery()
    page.evaluate(DRAW, [text, [[0, 3, 0]], [1.0], ["<img src=x onerror=alert(2)>"]])
    assert marks(page) == [text[:3]] and page.locator("#marked").text_content() == text
    assert page.locator("#marked img, #marked script").count() == 0
