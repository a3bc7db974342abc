"""A tuning from start to end in a real browser on the real model, and a pool of what it then writes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.control_section import SLIDE, said

pytestmark = pytest.mark.browser

RUN_MS, POOL_MS = 240_000, 90_000


def draw(page: Any, num_texts: int, chip: int) -> None:
    """Draw a pool and wait until it stands as the chip of that number."""
    page.fill("#pg-control-texts", str(num_texts))
    page.locator("#pg-control-draw").click()
    drawn(page, chip)


def drawn(page: Any, chip: int) -> None:
    page.locator(".pg-control-pools button").nth(chip).wait_for(timeout=POOL_MS)
    page.wait_for_selector("#pg-control-cancel", state="hidden", timeout=POOL_MS)


def test_a_whole_run_and_a_pool_of_what_it_writes(page: Any) -> None:
    page.fill("#prompt textarea", "The movie was absolutely")
    page.locator("#pg-tab-control").click()
    page.locator("#pg-control-proposal").wait_for()
    assert page.locator("#pg-control-proposal [value=tuned]").is_disabled(), "there is no tuned model yet"
    page.fill("#pg-control-tokens", "6")
    draw(page, 96, chip=1)
    page.locator("#pg-control-kind").select_option("contains")
    page.locator(".pg-control-add [name=text]").fill("the")
    page.get_by_role("button", name="Add feature").click()
    page.get_by_role("button", name="Take contains “amazing” away").click()
    page.locator(".pg-gauge-track input").first.evaluate(SLIDE, 1.0)
    page.wait_for_function("() => document.querySelector('.pg-gauges').innerText.includes('pointwise')", timeout=10_000)
    tuning = page.locator(".pg-tuning")
    tuning.get_by_label("Passes over the pool").fill("2")
    tuning.get_by_label("Steps on its own texts").fill("1")
    tuning.get_by_label("Texts a step").fill("16")
    tuning.get_by_label("go back to the best").uncheck()
    tuning.get_by_role("button", name="Tune", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.pg-tuning-progress').innerText.includes('The run has ended')", timeout=RUN_MS
    )
    assert page.locator(".pg-tuning-chart .main-svg").count() > 0
    tuning.get_by_role("button", name="Draw a pool from it").click()
    drawn(page, chip=2)
    assert "tuned, step" in said(page, ".pg-control-pools button:nth-child(3)")
    two_lines = "() => document.querySelectorAll('.pg-control-legend [data-mark^=line]').length === 2"
    page.wait_for_function(two_lines, timeout=10_000)
    assert "the model" in said(page, ".pg-control-legend")
    tuning.get_by_label("How the texts are found").select_option("beam")
    tuning.get_by_role("button", name="Write", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.pg-tuning-writing').innerText.includes('a sample of nothing')", timeout=60_000
    )
