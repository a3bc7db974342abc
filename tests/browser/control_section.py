"""What the browser tests do in the Control section: draw a pool, add features, move sliders, and wait for the picture.

Knows nothing about what a test expects.
"""

from __future__ import annotations

from typing import Any

SLIDE = """(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"""


def after(page: Any, action: Any) -> None:
    """Do something and wait until the section has been painted again and stands still."""
    painted = "Number(document.getElementById('pg-section-control').dataset.painted ?? 0)"
    before = page.evaluate(painted)
    action()
    page.wait_for_function(f"(before) => {painted} > before", arg=before, timeout=30_000)
    page.wait_for_function(f"""() => new Promise((resolve) => {{
      const now = {painted};
      setTimeout(() => resolve(now === {painted}), 600);
    }})""")


def said(page: Any, selector: str) -> str:
    return str(page.inner_text(selector)).replace("\u00a0", " ")


def slide(page: Any, selector: str, value: float) -> None:
    after(page, lambda: page.locator(selector).first.evaluate(SLIDE, value))


def draw(page: Any, num_texts: int = 150) -> None:
    page.fill("#prompt textarea", "The dragon")
    page.fill("#pg-control-texts", str(num_texts))
    after(page, lambda: page.locator("#pg-control-draw").click())
    page.wait_for_selector("#pg-control-cancel", state="hidden", timeout=60_000)
    page.wait_for_timeout(900)


def add(page: Any, kind: str, **fields: Any) -> None:
    page.locator("#pg-control-kind").select_option(kind)
    for name, value in fields.items():
        page.locator(f".pg-control-add [name={name}]").fill(str(value))
    after(page, lambda: page.get_by_role("button", name="Add feature").click())
