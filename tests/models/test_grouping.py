"""Rows share a forward exactly as long as padding costs less than another forward."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.models.grouping import NEVER, Costs, Row, forward_costs, group_rows, padding_bytes, segment_costs

FORWARDS = forward_costs(540_000_000, "cpu")
SEGMENTS = segment_costs("cpu")
KV_BYTES = 46_080
"""Both of the default model."""

ROWS = st.lists(st.builds(Row, st.integers(0, 8000), st.integers(1, 600)), min_size=1, max_size=24)


def grouped(rows: list[Row], costs: Costs = FORWARDS) -> list[list[int]]:
    return [sorted(group) for group in group_rows(rows, costs, KV_BYTES)]


@pytest.mark.parametrize("costs", [FORWARDS, SEGMENTS])
def test_sixteen_lanes_of_similar_length_are_one_rectangle(costs: Costs) -> None:
    assert grouped([Row(200 + 3 * lane, 1) for lane in range(16)], costs) == [list(range(16))]


@pytest.mark.parametrize("costs", [FORWARDS, SEGMENTS])
def test_one_long_text_does_not_make_fifteen_short_ones_long(costs: Costs) -> None:
    assert grouped([Row(8000, 1), *[Row(100, 1)] * 15], costs) == [list(range(1, 16)), [0]]


def test_packed_rows_of_unequal_width_are_never_padded() -> None:
    assert grouped([Row(0, 5), Row(0, 4), Row(9, 5)], SEGMENTS) == [[1], [0, 2]]
    assert padding_bytes([Row(0, 5), Row(0, 4)], SEGMENTS, 0) == NEVER


def test_a_short_negative_prompt_shares_the_forward_of_its_prompt() -> None:
    assert grouped([Row(900, 1), Row(3, 1)]) == [[0, 1]]


def test_a_prefill_does_not_widen_decoding_rows() -> None:
    assert grouped([Row(50, 1), Row(0, 256), Row(60, 1)]) == [[0, 2], [1]]


def test_a_call_without_rows_has_no_groups() -> None:
    assert grouped([]) == []


@given(ROWS, st.sampled_from([FORWARDS, SEGMENTS]))
def test_every_row_runs_once_and_no_group_wastes_more_than_another_costs(rows: list[Row], costs: Costs) -> None:
    groups = grouped(rows, costs)
    assert sorted(index for group in groups for index in group) == list(range(len(rows)))
    for group in groups:
        assert len(group) == 1 or padding_bytes([rows[i] for i in group], costs, KV_BYTES) < costs.rectangle_bytes
