"""Rows share a forward exactly as long as padding costs less than another forward."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playground.models.grouping import Row, forward_costs, group_rows, padding_bytes

COSTS = forward_costs(540_000_000, "cpu")
KV_BYTES = 46_080
"""Both of the default model."""

ROWS = st.lists(st.builds(Row, st.integers(0, 8000), st.integers(1, 600)), min_size=1, max_size=24)


def grouped(rows: list[Row]) -> list[list[int]]:
    return [sorted(group) for group in group_rows(rows, COSTS, KV_BYTES)]


def test_sixteen_lanes_of_similar_length_are_one_forward() -> None:
    assert grouped([Row(200 + 9 * lane, 1) for lane in range(16)]) == [list(range(16))]


def test_one_long_text_does_not_make_fifteen_short_ones_long() -> None:
    assert grouped([Row(8000, 1), *[Row(100, 1)] * 15]) == [list(range(1, 16)), [0]]


def test_a_short_negative_prompt_shares_the_forward_of_its_prompt() -> None:
    assert grouped([Row(900, 1), Row(3, 1)]) == [[0, 1]]


def test_a_prefill_does_not_widen_decoding_rows() -> None:
    assert grouped([Row(50, 1), Row(0, 256), Row(60, 1)]) == [[0, 2], [1]]


def test_a_call_without_rows_has_no_groups() -> None:
    assert group_rows([], COSTS, KV_BYTES) == []


@given(ROWS)
def test_every_row_runs_once_and_no_group_wastes_a_forward(rows: list[Row]) -> None:
    groups = grouped(rows)
    assert sorted(index for group in groups for index in group) == list(range(len(rows)))
    for group in groups:
        assert len(group) == 1 or padding_bytes([rows[i] for i in group], COSTS, KV_BYTES) < COSTS.forward_bytes
