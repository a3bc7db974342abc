"""Make the README's pictures: the real page with the default model, light, dark, and on a phone.

Run: python tests/screenshots.py [--backend toy] [--cache-dir DIR]. Writes assets/screenshots/*.png.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "assets" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"]
PICTURES = {
    "play.png": {"viewport": {"width": 1440, "height": 1100}, "color_scheme": "light"},
    "play-dark.png": {"viewport": {"width": 1440, "height": 1100}, "color_scheme": "dark"},
    "play-phone.png": {"viewport": {"width": 360, "height": 1400}, "color_scheme": "light", "is_mobile": True,
                       "device_scale_factor": 2},
}
CONTROL = {"viewport": {"width": 1440, "height": 1180}, "color_scheme": "light"}
EXAMPLE = "The dragon and the plane"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="transformers")
    parser.add_argument("--cache-dir", default=None)
    arguments = parser.parse_args()
    options = ["--backend", arguments.backend]
    options += ["--cache-dir", arguments.cache_dir] if arguments.cache_dir else []
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving(options) as address, sync_playwright() as playwright:
        found = next((path for path in map(shutil.which, BROWSERS) if path), None)
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        for name, context in PICTURES.items():
            take(browser, address, FOLDER / name, context)
        take_control(browser, address, FOLDER / "control.png")
        browser.close()


def take(browser: Browser, address: str, path: Path, options: dict[str, Any]) -> None:
    """One picture: the dragon example generated, the first token's step open."""
    context = browser.new_context(**options, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}/?__theme={options['color_scheme']}")
    page.wait_for_selector('body[data-ready="true"]', timeout=60_000)
    page.get_by_role("button", name=EXAMPLE).first.click()
    page.wait_for_timeout(1500)  # the pause after typing, and the view of the new prompt
    page.locator("button#generate, #generate button").first.click()
    page.wait_for_selector('#tokens [data-index="20"]', timeout=60_000)
    page.wait_for_function(SETTLED, timeout=120_000)
    page.locator('#tokens [data-index="0"]').click()
    page.wait_for_timeout(1500)
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)
    page.screenshot(path=str(path))
    check(page, path)
    context.close()
    print(f"wrote {path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def take_control(browser: Browser, address: str, path: Path) -> None:
    """Half of the texts shall say *amazing*: pools of the model and of a prompt that asks for it, one in ten taken."""
    context = browser.new_context(**CONTROL, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}/?__theme=light")
    page.wait_for_selector('body[data-ready="true"]', timeout=60_000)
    page.locator("#pg-tab-control").click()
    page.fill("#prompt textarea", "The movie was absolutely")
    page.wait_for_timeout(1500)
    for proposal in ("prompt", "model"):
        page.locator("#pg-control-proposal").select_option(proposal)
        if proposal == "prompt":
            page.fill("#pg-control-asked", "It was great, stunning, amazing. The movie was absolutely")
        page.locator("#pg-control-draw").click()
        page.wait_for_selector("#pg-control-cancel", state="visible", timeout=20_000)
        page.wait_for_selector("#pg-control-cancel", state="hidden", timeout=300_000)
    page.get_by_role("button", name="1 in 10").click()
    page.wait_for_timeout(1500)
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)
    if page.locator(".pg-control-legend li").count() < 4:
        raise SystemExit(f"{path.name}: the curve has no legend; the picture was not made")
    page.screenshot(path=str(path))
    context.close()
    print(f"wrote {path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


SETTLED = """() => {
  const count = document.querySelectorAll('#tokens [data-index]').length;
  const now = performance.now();
  if (window.__count !== count) { window.__count = count; window.__since = now; }
  return now - window.__since > 1500;
}"""
"""No new token for a second and a half: the text is finished."""


def check(page: Page, path: Path) -> None:
    """A picture that shows nothing must not reach the README."""
    rows = page.locator("#distribution [data-token-id]").count()
    tokens = page.locator("#tokens [data-index]").count()
    if rows < 10 or tokens < 10:
        path.unlink()
        raise SystemExit(f"{path.name}: {rows} rows and {tokens} tokens on the page; the picture was not kept")


@contextmanager
def serving(options: list[str]) -> Iterator[str]:
    """The program on a free port, once its model answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port), *options], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, server)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def wait_until_ready(address: str, server: subprocess.Popen[bytes], limit_s: float = 600.0) -> None:
    """Until /healthz says ready (a first start fetches and converts the model)."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:
                state = json.load(answer)["state"]
        except OSError:
            state = "starting"
        if state == "failed":
            break
        if state == "ready":
            return
        time.sleep(0.3)
    raise SystemExit("the server did not become ready; see its output above")


if __name__ == "__main__":
    main()
