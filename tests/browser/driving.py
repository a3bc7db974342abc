"""What the browser tests do to the page: open it, move a slider, type, generate, and wait until the picture stands.

Knows nothing about what a test expects.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SET_RANGE = """([id, value]) => {
  const input = document.querySelector(`#${id} input[type=range]`);
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, value);
  input.dispatchEvent(new Event('input', { bubbles: true }));
}"""


@contextmanager
def clean_tab(browser: Any, url: str, **options: Any) -> Iterator[Any]:
    """A tab with the page open that fails on any script error, dialog or request to another host."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 1000}, **options})
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(f"script error: {error}"))
    tab.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    tab.on(
        "request",
        lambda request: (
            faults.append(f"outbound: {request.url}") if not request.url.startswith((url, "data:", "blob:")) else None
        ),
    )
    tab.on(
        "console",
        lambda message: (
            faults.append(f"console: {message.text}") if "Content Security Policy" in message.text else None
        ),
    )
    open_page(tab, url)
    yield tab
    context.close()
    assert faults == []


def open_page(tab: Any, url: str) -> None:
    tab.goto(url)
    tab.wait_for_selector("body[data-painted]", timeout=60_000)
    tab.wait_for_selector("body[data-ready=true]", timeout=60_000)


def painted(page: Any) -> int:
    return int(page.evaluate("document.body.dataset.painted ?? 0"))


def after_paint(page: Any, action: Any) -> None:
    """Do something and wait until the picture has been drawn again and stands still."""
    before = painted(page)
    action()
    page.wait_for_function("(before) => Number(document.body.dataset.painted) > before", arg=before, timeout=30_000)
    page.wait_for_function("""() => new Promise((resolve) => {
      const now = document.body.dataset.painted;
      setTimeout(() => resolve(now === document.body.dataset.painted), 250);
    })""")


def slide(page: Any, knob: str, value: float) -> None:
    after_paint(page, lambda: page.evaluate(SET_RANGE, [knob, str(value)]))


def fill(page: Any, box: str, text: str) -> None:
    """Type into a box and wait for the picture of another step."""
    before = page.evaluate("document.body.dataset.key")
    page.locator(f"#{box} textarea").fill(text)
    page.wait_for_function("(before) => document.body.dataset.key !== before", arg=before, timeout=30_000)


def generate(page: Any, length: int = 12) -> list[dict[str, str]]:
    page.evaluate(SET_RANGE, ["max-tokens", str(length)])
    page.evaluate("""() => {
      window.begun = false;
      new MutationObserver((_, observer) => {
        if (document.body.dataset.generating !== 'true') return;
        window.begun = true;
        observer.disconnect();
      }).observe(document.body, { attributes: true, attributeFilter: ['data-generating'] });
    }""")
    page.locator("#generate").click()
    page.wait_for_function("window.begun")  # a short text may have ended by now
    page.wait_for_selector("body[data-generating=false]", timeout=60_000)
    return tokens_shown(page)


def tokens_shown(page: Any) -> list[dict[str, str]]:
    return page.evaluate("""() => [...document.querySelectorAll('#tokens [data-index]')].map(
      (token) => ({ ...token.dataset, text: token.textContent }))""")
