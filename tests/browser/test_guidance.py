"""The guidance family in a real browser: a preset is chosen, and card, panel and distribution are its published sum."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from playground.sampling import Guidance, Schedule, metrics, mix, moment
from playground.studies import first_view
from tests.browser.driving import after_paint, fill, generate, slide

pytestmark = [pytest.mark.browser, pytest.mark.model]

ROWS = """() => Object.fromEntries([...document.querySelectorAll('#distribution [data-token-id][data-p-final]')].map(
  ({ dataset }) => [dataset.tokenId, [Number(dataset.pFinal), dataset.removedBy ?? ""]]))"""


@pytest.fixture
def page(page: Any) -> Any:
    """A fresh tab without any stage: what guidance leaves is what is drawn from."""
    after_paint(page, lambda: page.locator("#pg-neutralise").click())
    return page


def choose(page: Any, preset: str) -> None:
    """A preset from the card's menu; its rows may have to be read first."""
    after_paint(page, lambda: page.select_option("#guidance-preset", preset))
    page.wait_for_selector(f"body[data-guidance={preset}]:not([data-stale])", timeout=30_000)


def first_rows() -> tuple[torch.Tensor, torch.Tensor]:
    """float32[1,V]: the default prompt's row and that of its last token."""
    first = first_view.load()
    assert first is not None
    return first.prompt[None], first.negative[None]


def assert_drawn(page: Any, guidance: Guidance, negative: torch.Tensor) -> None:
    """The rows on screen are those of the guidance."""
    scores = mix([guidance], [0], first_rows()[0], [negative])
    probs = torch.softmax(scores.double(), -1)[0]
    rows = page.evaluate(ROWS)
    assert len(rows) > 3
    for token, (final, _) in rows.items():
        assert final == pytest.approx(float(probs[int(token)]), rel=1e-4), "rows read again agree to 1e-4 nats"


def test_adacad_is_chosen_turned_and_drawn(page: Any) -> None:
    choose(page, "adacad")
    slide(page, "guidance-knob-k", 1)  # the last token alone: its row is known here
    prompt, negative = first_rows()
    guidance = Guidance((2.0, -1.0), schedule=Schedule("divergence"))
    assert_drawn(page, guidance, negative)
    strength = moment(guidance, 0, prompt[0], negative).strength
    jsd = float(metrics.js_bits(prompt.double().softmax(-1), negative.double().softmax(-1)))
    assert strength == pytest.approx(jsd)
    panel = page.locator("#pg-guidance").inner_text()
    assert f"strength s = {jsd:.2f}" in panel and "Σw = 1" in panel and "the last prompt token" in panel
    assert page.locator("#pg-formula").inner_text() == f"log p = prompt + {jsd:.2f} · (prompt − negative)"
    slide(page, "guidance-knob-floor", 0.9)
    assert_drawn(page, Guidance((2.0, -1.0), schedule=Schedule("divergence", floor=0.9)), negative)
    slide(page, "guidance-scale", 1.5)
    assert_drawn(page, Guidance((1.5, -0.5), schedule=Schedule("divergence", floor=0.9)), negative)


def test_the_sum_of_weights_and_a_mask(page: Any) -> None:
    choose(page, "coherence")  # ten tokens of ten: the branches agree, and only the sum of the weights acts
    assert_drawn(page, Guidance((1.0, -0.5)), first_rows()[0])
    assert page.locator(".pg-badge").inner_text() == "Σw = 0.5"
    assert "temperature: here of 2.00" in page.locator(".pg-badge").get_attribute("title")
    page.locator(".pg-recipe summary").click()
    slide(page, "guidance-knob-mask", 0.5)
    assert_drawn(page, Guidance((1.0, -0.5), mask=0.5), first_rows()[0])
    assert "✂ Guidance" in page.locator("#distribution").inner_text()
    assert "mask:" in page.locator(".pg-gate").inner_text()


def test_a_gate_closes_and_opens(page: Any) -> None:
    choose(page, "entropy")
    assert "gate open here" in page.locator(".pg-gate").inner_text()
    slide(page, "guidance-knob-bits", 12)
    assert "gate closed here" in page.locator(".pg-gate").inner_text()
    assert_drawn(page, Guidance(), first_rows()[1])
    assert "OUTPUT ERROR" in page.locator(".pg-branches").inner_text()


def test_switching_back_is_plain_cfg_and_the_box_says_what_it_is_for(page: Any) -> None:
    caption = page.locator("#negative-prompt label").first
    choose(page, "preadd")
    assert "before the prompt" in caption.inner_text()
    fill(page, "negative-prompt", "A tale of war.")
    assert "A tale of war." in page.locator(".pg-branches").inner_text()
    fill(page, "negative-prompt", "")
    choose(page, "cfg")
    assert "steer away from" in caption.inner_text()
    assert page.locator("#guidance-scale input[type=number]").input_value() == "1.5"
    assert_drawn(page, Guidance((1.5, -0.5)), first_rows()[1])


def test_the_keyboard_chooses_a_preset_and_the_whole_vocabulary(page: Any) -> None:
    page.locator("#guidance-preset").focus()
    after_paint(page, lambda: page.keyboard.type("Coh"))
    assert page.locator("#guidance-preset").input_value() == "coherence"
    plausible = page.locator("#pg-guidance .pg-grow").evaluate_all("rows => rows.map((row) => row.dataset.tokenId)")
    page.locator(".pg-guidance-toggle input").focus()
    page.keyboard.press("Space")
    anywhere = page.locator("#pg-guidance .pg-grow").evaluate_all("rows => rows.map((row) => row.dataset.tokenId)")
    assert len(anywhere) == len(plausible) == 14
    assert "whole vocabulary" in page.locator("#pg-guidance h3").first.inner_text()


def test_a_text_is_written_and_looked_at_under_a_preset(page: Any) -> None:
    choose(page, "entropy")
    tokens = generate(page, 8)
    for index in (1, 6):
        after_paint(page, lambda index=index: page.locator(f'#tokens [data-index="{index}"]').click())
        drawn = page.evaluate("document.querySelector('#distribution .pg-drawn')?.dataset.tokenId")
        assert drawn == tokens[index]["tokenId"], "the generator and the picture went by the same gate"


def test_presets_that_need_more_models_say_so(page: Any) -> None:
    option = page.locator("#guidance-preset option[value=contrastive]")
    assert option.is_disabled() and "needs 1 more model" in option.inner_text()
