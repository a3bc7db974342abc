"""The section "Take away" in a real browser: code that follows the knobs, and settings brought back onto the strip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driving import SET_RANGE, after_paint, clean_tab

pytestmark = [pytest.mark.browser, pytest.mark.model]

MODELFILE = """FROM x
PARAMETER temperature 0.7
PARAMETER top_p 0.9
PARAMETER num_ctx 4096
PARAMETER stop "<b>#</b>"
"""


@pytest.fixture
def page(page: Any) -> Any:
    page.locator("#pg-tab-take-away").click()
    page.wait_for_function("document.querySelector('#pg-code')?.textContent.includes('generate')")
    return page


def code_has(page: Any, words: str) -> None:
    page.wait_for_function("(words) => document.querySelector('#pg-code').textContent.includes(words)", arg=words)


def test_the_code_follows_the_knobs_and_the_target(page: Any) -> None:
    code_has(page, "min_p=0.05")
    page.evaluate(SET_RANGE, ["knob-min_p-min_p", "0.2"])
    code_has(page, "min_p=0.2")
    page.locator("#pg-target").select_option("vllm")
    code_has(page, "SamplingParams(")
    page.evaluate(SET_RANGE, ["guidance-scale", "1.5"])
    page.wait_for_function("document.querySelector('#pg-losses').textContent.includes('guidance')")
    page.evaluate(SET_RANGE, ["max-tokens", "33"])
    code_has(page, "max_tokens=33")


def test_it_is_copied_and_saved(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#pg-copy").click()
    page.wait_for_function("document.querySelector('#pg-copy').textContent === 'Copied'")
    said = "[...document.querySelectorAll('[role=status].pg-sr')].some((node) => node.textContent === 'Copied.')"
    page.wait_for_function(said)
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#pg-code").text_content()
    with page.expect_download() as download:
        page.locator("#pg-download").click()
    assert download.value.suggested_filename == "sample_transformers.py"
    with page.expect_download() as download:
        page.locator("#pg-trace-csv").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert "token_id" in lines[0] and len(lines) > 20
    with page.expect_download() as download:
        page.locator("#pg-state").click()
    state = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert [stage["sampler"] for stage in state["chain"]] == ["temperature", "min_p"]


def test_a_modelfile_comes_back_onto_the_strip(page: Any) -> None:
    page.locator("#pg-paste").fill(MODELFILE)
    page.wait_for_selector("#pg-ignored")
    assert "num_ctx" in page.locator("#pg-ignored").text_content()
    assert "top_k 40" in page.locator("#pg-unsaid").text_content()
    assert "<b>#</b>" in page.locator("#pg-taken").text_content(), "as text, not as markup"
    assert page.locator("#pg-preview b").count() == 1
    after_paint(page, lambda: page.locator("#pg-apply").click())
    on = page.evaluate("""() => [...document.querySelectorAll('#pipeline .pg-card[id]:not(.pg-away)')]
        .map((card) => card.id).filter((id) => !['card-guidance', 'card-draw'].includes(id))""")
    assert set(on) == {"card-top_p", "card-temperature"}
    code_has(page, "TemperatureLogitsWarper(0.7)")  # behind top-p, which transformers alone would not do
    code_has(page, "<b>#</b>")


def test_what_is_no_settings_is_refused_in_its_place(page: Any) -> None:
    page.locator("#pg-paste").fill("<img src=x onerror=alert(1)>")
    page.wait_for_selector(".pg-refused")
    assert page.locator("#pg-apply").is_disabled()
    assert page.locator("#pg-preview img").count() == 0


def test_a_file_is_opened(page: Any) -> None:
    preset = {"name": "p.yaml", "mimeType": "text/yaml", "buffer": b"temperature: 0.3\nmin_p: 0.2"}
    page.set_input_files("#pg-file-picker", preset)
    page.wait_for_selector("#pg-taken")
    assert "text-generation-webui" in page.locator("#pg-preview").text_content()


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_is_wider_than_the_screen(browser: Any, url: str, width: int) -> None:
    with clean_tab(browser, url, viewport={"width": width, "height": 780}) as tab:
        tab.locator("#pg-tab-take-away").click()
        tab.wait_for_selector("#pg-code span")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
