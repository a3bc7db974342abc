"""How a text was found, drawn from made-up views: tokens of strangers stay text, the tree grows and starts anew."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=window.evil=1>"
DRAW = """async ([steps, done]) => {
  const { render } = await import('/assets/js/found.js');
  const node = document.getElementById('found') ?? document.body.appendChild(Object.assign(document.createElement('div'), { id: 'found' }));
  render(node, { steps, index: null, done }, { onStep: (index) => { window.opened = index; } });
  return [...node.querySelectorAll('.pg-beam')].map((one) => [one.dataset.place, one.className, one.textContent]);
}"""  # noqa: E501


def beam(index: int, nodes: list[tuple[int, int, str]], best: list[int]) -> dict[str, Any]:
    """Nodes as (parent, token, fate)."""
    return {
        "kind": "beam", "index": index, "best": best,
        "nodes": [
            {"token_id": token, "label": f"{EVIL}{token}", "parent": parent, "p": 0.5, "log_prob": -1.0, "fate": fate}
            for parent, token, fate in nodes
        ],
    }  # fmt: skip


def test_a_tree_grows_marks_its_winner_and_starts_anew(gallery: Any) -> None:
    page = gallery()
    first = beam(0, [(0, 1, "kept"), (0, 2, "dropped"), (0, 3, "kept")], [1])
    shown = page.evaluate(DRAW, [[first], False])
    assert [place for place, kind, _ in shown if "pg-best" in kind] == ["0,0"]
    # The parent counts those that were kept: 1 is the third node of the first column.
    second = beam(1, [(1, 4, "ended"), (0, 5, "ended")], [3, 4])
    shown = page.evaluate(DRAW, [[first, second], True])
    assert [place for place, kind, _ in shown if "pg-best" in kind] == ["0,2", "1,0"]
    assert all(EVIL in words for _, _, words in shown) and page.evaluate("window.evil") is None
    page.locator('.pg-beam[data-place="1,0"]').click()
    assert page.evaluate("window.opened") == 1
    page.locator('.pg-beam[data-place="0,1"]').click()  # a dropped one opens nothing
    assert page.evaluate("window.opened") == 1 and EVIL in page.locator(".pg-beams-said").inner_text()
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.dataset.place") == "0,0"
    page.locator(".pg-found-table summary").click()
    page.wait_for_function("document.querySelectorAll('.pg-found-table tbody tr').length === 5")
    assert len(page.evaluate(DRAW, [[beam(0, [(0, 9, "kept")], [9])], False])) == 1


def test_candidates_and_layers_are_bars_with_words(gallery: Any) -> None:
    page = gallery()
    tried = [{"token_id": n, "label": EVIL, "p": 0.6 - n / 10, "penalty": 0.5, "score": -0.1 * n} for n in range(3)]
    page.evaluate(DRAW, [[{"kind": "contrastive", "index": 0, "tried": tried, "chosen": 1}], False])
    assert page.locator(".pg-found-row").count() == 3
    assert page.locator(".pg-found-row.pg-chosen .pg-found-words").inner_text().endswith("score -0.100 · chosen")
    page.evaluate(DRAW, [[{"kind": "layers", "index": 0, "layers": [0, 2], "bits": [1e9, 0.5], "layer": 0}], True])
    assert page.locator(".pg-found-row.pg-chosen").inner_text().startswith("embedding")
    assert page.evaluate("window.evil") is None
    page.evaluate(DRAW, [[], False])
    assert not page.locator(".pg-found").is_visible()
