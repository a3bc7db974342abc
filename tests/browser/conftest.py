"""What every test in this folder shares: the Chromium that is there and a server on the real model, started once.

Knows nothing about the page. Without a browser the tests skip and say why; where CI is set they fail instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.models import Model
from tests.browser.driving import clean_tab
from tests.browser.serving import serving

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def absent(reason: str) -> None:
    """A missing browser is a skip on a laptop and a failure where CI promised one."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("playwright is not installed: pip install -r tests/requirements.txt")
    with sync_playwright() as playwright:
        found = next((path for path in map(shutil.which, NAMES) if path), None)
        if not found and Path(playwright.chromium.executable_path).exists():
            found = playwright.chromium.executable_path
        if not found:
            absent("no Chromium found: install the chromium package or run `playwright install chromium`")
        chromium = playwright.chromium.launch(executable_path=found, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def url(default_model: Model) -> Iterator[str]:
    """A server on the default model."""
    with serving() as address:
        yield address


@pytest.fixture(scope="session")
def toy_url() -> Iterator[str]:
    """A server on the toy model, where texts cost nothing."""
    with serving("--backend", "toy") as address:
        yield address


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """A fresh tab that fails the test on any script error, dialog or request to another host."""
    with clean_tab(browser, url) as tab:
        yield tab
