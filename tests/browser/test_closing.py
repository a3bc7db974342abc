"""Closing a real tab while its text is being written frees the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serve.live import running_server

pytestmark = pytest.mark.browser


def test_closing_a_tab_ends_its_text(browser: Any, tmp_path: Path) -> None:
    with running_server(tmp_path / "server.log", "--max-tokens", "2000", "--num-threads", "1") as live:
        page = browser.new_page()
        page.goto(live.url)
        page.wait_for_selector("body[data-ready=true]")
        # The page's own request, made endless: the toy's end token would stop it at once.
        page.evaluate("""() => { const own = window.PG.request; window.PG.request = (...given) => ({
            ...own(...given), max_tokens: 1900, strip: [{id: "logit_bias", on: true, bias: {"256": -100}}] }); }""")
        page.click("#generate")
        live.wait_until(num_running=1)
        page.close()
        live.wait_until(num_running=0, num_lanes_used=0, num_rows_kept=0)
