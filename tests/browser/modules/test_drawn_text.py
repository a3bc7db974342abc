"""Tokens as an instrument: batches with positions, gaps, keyboard, shading; the table and the numbers."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_the_text_is_whole_and_each_token_carries_its_place(gallery: Any, views: Any) -> None:
    page, text = gallery(), views["text"]
    shown = page.evaluate(
        "pg.all('#tokens [role=option]').map(({dataset: d}) => [d.prompt ?? null, d.index ?? null, d.tokenId])"
    )
    assert shown[: len(text["prompt"])] == [[str(t["index"]), None, str(t["token_id"])] for t in text["prompt"]]
    assert shown[len(text["prompt"]) :] == [[None, str(t["index"]), str(t["token_id"])] for t in text["output"]]
    plain = [t for t in text["prompt"] + text["output"] if t["text"]]
    joined = page.evaluate(
        "pg.all('#tokens [role=option]:not(.pg-bytes):not(.pg-special)').map((span) => span.textContent).join('')"
    )
    assert joined == "".join(t["text"] for t in plain)
    assert page.locator("#tokens .pg-bytes").all_text_contents() == ["<0xE2>", "<0x9C>"]
    assert page.locator("#tokens .pg-special").text_content() == "<|im_end|>"


def test_batches_overlap_repeat_and_report_gaps(gallery: Any) -> None:
    page = gallery()
    result = page.evaluate(
        """() => {
          const counts = [];
          const text = () => pg.all('#tokens [data-index]').map((span) => span.textContent).join('');
          const send = (at, to, done = false) => {
            pg.text.apply({generation: 'g', at, tokens: pg.fakes(at, to), done});
            counts.push(pg.text.count);
          };
          send(0, 3); send(2, 5); send(0, 5); send(8, 9); send(5, 9); send(9, 9, true);
          const first = text();
          pg.text.apply({generation: 'h', at: 4, base: 4, tokens: [pg.fake(4, ' fork')], done: true});
          return {counts, text: first, calls: pg.calls, after: text()};
        }"""
    )
    assert result["counts"] == [3, 5, 5, 5, 9, 9]
    assert result["calls"] == [["gap", 5]]
    assert result["text"] == "".join(f" w{i}" for i in range(9))
    assert result["after"] == " w0 w1 w2 w3 fork"


def test_a_new_generation_whose_start_was_lost_asks_for_it(gallery: Any) -> None:
    page = gallery()
    page.evaluate("pg.text.apply({generation: 'n', at: 7, tokens: [pg.fake(7)], done: false})")
    assert page.evaluate("[pg.text.count, pg.calls]") == [0, [["gap", 0]]]


def test_fading_marks_the_first_and_clears(gallery: Any, views: Any) -> None:
    page, total = gallery(), len(views["text"]["output"])
    state = "['faded', 'fork'].map((name) => pg.all(`#tokens [data-index].pg-${name}`).length)"
    for at, wanted in [(10, [total - 10, 1]), (20, [total - 20, 1]), (0, [total, 1]), (None, [0, 0])]:
        page.evaluate("(at) => pg.text.fadeFrom(at)", at)
        assert page.evaluate(state) == wanted
    page.evaluate("pg.text.select(3)")
    assert page.locator("#tokens [aria-selected=true]").get_attribute("data-index") == "3"


def test_keyboard_walks_the_text(gallery: Any, views: Any) -> None:
    page = gallery()
    assert page.locator("#tokens [tabindex='0']").count() == 1
    page.locator("#tokens [data-index='0']").focus()
    where = "document.activeElement.dataset.index ?? 'p' + document.activeElement.dataset.prompt"
    for key, wanted in [
        ("ArrowRight", "1"),
        ("ArrowLeft", "0"),
        ("ArrowLeft", "p9"),
        ("Home", "p0"),
        ("End", str(len(views["text"]["output"]) - 1)),
    ]:
        page.keyboard.press(key)
        assert page.evaluate(where) == wanted
    page.locator("#tokens [data-index='2']").focus()
    top = page.evaluate("document.activeElement.getBoundingClientRect().top")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") > top + 10
    page.keyboard.press("Enter")
    (name, token), *rest = page.evaluate("pg.calls")
    assert name == "select" and not rest
    assert str(token["index"]) == page.evaluate("document.activeElement.dataset.index")


def test_surprise_is_shaded_and_confidence_quiet(gallery: Any) -> None:
    page = gallery()
    shades = page.evaluate(
        """() => {
          const tokens = [0.2, 1.5, 4, 12].map((bits, index) => pg.fake(index, 'w', {surprisal_bits: bits}));
          pg.text.apply({generation: 's', at: 0, tokens, done: true});
          return pg.all('#tokens [data-index]').map((span) => {
            const style = getComputedStyle(span);
            return [style.backgroundColor, style.textDecorationLine];
          });
        }"""
    )
    assert shades[0] == ["rgba(0, 0, 0, 0)", "none"]
    assert len({shade[0] for shade in shades}) == 4
    assert shades[3][1] == "underline"


def test_table_sorts_by_buttons_and_holds(gallery: Any, views: Any) -> None:
    page, view = gallery(), views["dragon"]
    ids = "pg.all('#table tbody tr').map((row) => Number(row.dataset.tokenId))"
    assert page.evaluate(ids) == [row["token_id"] for row in view["rows"]]
    page.get_by_role("button", name="p raw").click()
    by_raw = [row["token_id"] for row in sorted(view["rows"], key=lambda row: -row["p_raw"])]
    assert page.evaluate(ids) == by_raw
    assert page.locator("#table th[aria-sort='descending']").text_content() == "p raw"
    page.get_by_role("button", name="p raw").click()
    assert page.evaluate(ids) == by_raw[::-1]
    heads = page.locator("#table thead th").all_text_contents()
    assert heads == [
        "token",
        "id",
        "rank",
        "p raw",
        "Guidance",
        "Temperature",
        "Top-p",
        "Min-p",
        "p final",
        "removed by",
    ]


def test_csv_is_exact_and_harmless_in_a_spreadsheet(gallery: Any, views: Any) -> None:
    page = gallery()
    table = list(csv.DictReader(io.StringIO(page.evaluate("pg.table.toCsv(pg.views.hostile)"))))
    for line, row in zip(table, views["hostile"]["rows"], strict=True):
        assert float(line["p_raw"]) == row["p_raw"]
        assert line["removed_by"] == row["removed_by"]
        assert line["token"].removeprefix("'") == row["text"]
        assert not line["token"].startswith(("=", "+", "-", "@"))


def test_numbers_read_as_people_write_them(gallery: Any) -> None:
    page = gallery()
    cases = {
        "percent": {
            0: "0 %",
            1: "100 %",
            0.9999: ">99.9 %",
            0.174: "17.4 %",
            0.069: "6.9 %",
            0.0041: "0.41 %",
            0.0003: "0.03 %",
            4e-5: "0.004 %",
            1e-9: "<0.001 %",
        },
        "count": {49152: "49,152", 20: "20", 1234567: "1,234,567"},
        "choices": {15.44: "15.4", 614.6: "615", 1637.2: "1,637"},
        "ratio": {5.02: "×5.02", 0.29: "×0.29", 0.0291: "×0.029", 123.4: "×123", 15.94: "×15.9"},
        "bits": {9.26: "9.3", 0.04: "0.04", 0: "0"},
        "loss": {0.43: "−43 %", 0.004: "−0.4 %"},
    }
    for name, pairs in cases.items():
        for value, wanted in pairs.items():
            shown = page.evaluate("([name, value]) => pg.format[name](value)", [name, value])
            assert shown.replace("\u00a0", " ") == wanted


def test_plot_reacts_once_a_frame_and_follows_the_theme(gallery: Any) -> None:
    page = gallery()
    calls = page.evaluate(
        """async () => {
          const seen = [];
          const react = async (node, [{y, line}], layout, config) =>
            seen.push([y[0], line.color, layout.width, config.displayModeBar]);
          window.Plotly = {react};
          const node = document.body.appendChild(document.createElement('div'));
          node.style = 'width: 300px; height: 100px';
          const figure = (y) => ({data: [{y: [y], line: {color: 'var(--pg-final)'}}], layout: {}});
          await Promise.all([1, 2, 3].map((y) => pg.plot.draw(node, figure(y))));
          document.body.classList.add('dark');
          await new Promise((done) => setTimeout(done, 120));
          return seen;
        }"""
    )
    assert calls[0] == [3, "#0f8b8d", 300, False]
    assert calls[-1][1] == "#33b3b0"
    assert len(calls) <= 3
