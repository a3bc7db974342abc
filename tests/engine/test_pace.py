"""What rounds cost is learnt from the rounds themselves, and says how much the next one carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engine.pace import BULK_SHARE, MAX_AGE, MIN_TOKENS, NUM_MEASURED, Load, Pace, shares


def test_a_long_prompt_gets_the_small_share_beside_many_writers() -> None:
    pace = Pace(prefill_chunk=512)
    assert pace.num_prompt_tokens(1, 15, 15) == 512, "nothing is measured yet"
    pace.observe(Load(15), round_s=0.1)
    pace.observe(Load(15, num_prompt_tokens=100), round_s=0.3)
    assert pace.prompt_token_s == pytest.approx(0.002)
    assert pace.num_prompt_tokens(1, 15, 15) == 15, "0.3 of a round's 0.1 s, at 0.002 s a token"
    assert pace.num_prompt_tokens(3, 3, 15) == 50, "three prompts beside three writers take turns with them"
    assert pace.num_prompt_tokens(15, 1, 15) == 250, "fifteen prompts do not wait for one writer, up to half a second"
    assert pace.num_prompt_tokens(1, 0, 0) == 250
    pace.prompt_token_s = 10.0
    assert pace.num_prompt_tokens(1, 15, 15) == MIN_TOKENS, "a prompt always moves on"


def test_a_cost_is_that_of_the_rows_it_was_measured_with() -> None:
    """One writer's round costs less than sixteen writers', and each number keeps its own figure."""
    pace = Pace(512)
    for num_rows, round_s in ((1, 0.03), (16, 0.1), (1, 0.03)):
        pace.observe(Load(num_rows), round_s)
    assert pace.write_s(1) == 0.03 and pace.write_s(16) == 0.1
    assert pace.write_s(2) == 0.03, "the nearest number that was measured"
    assert pace.write_s(0) == 0.0


def test_one_hiccup_changes_nothing() -> None:
    pace = Pace(512)
    for round_s in (0.03, 5.0, 0.03):
        pace.observe(Load(1), round_s)
    for round_s in (0.07, 9.0, 0.07):
        pace.observe(Load(1, num_bulk_rows=10), round_s)
    assert pace.write_s(1) == 0.03 and pace.bulk_row_s == pytest.approx(0.004)


def test_bulk_work_is_let_in_by_what_it_costs() -> None:
    pace = Pace(512)
    pace.observe(Load(1), 0.03)
    assert pace.max_bulk_rows == 1, "what it costs is not known yet"
    pace.observe(Load(1, num_bulk_rows=1), 0.034)
    assert pace.bulk_row_s == pytest.approx(0.004)
    assert pace.max_bulk_rows == 2, "and never more than twice the last number"
    assert pace.bulk_s(1, 0) == pytest.approx(BULK_SHARE * 0.03)
    pace.prompt_token_s = 0.001
    assert pace.bulk_s(1, 100) == pytest.approx(BULK_SHARE * 0.13), "beside a prompt there is room for more"


def test_rows_that_cost_nothing_are_let_in_although_noise_makes_them_negative() -> None:
    pace = Pace(512)
    pace.observe(Load(1), 0.010)
    for num_bulk_rows in (1, 2, 4):
        pace.observe(Load(1, num_bulk_rows=num_bulk_rows), 0.009)
    assert pace.bulk_row_s == 0.0 and pace.max_bulk_rows == 8


def test_people_are_measured_alone_when_they_come_and_now_and_then() -> None:
    pace = Pace(512)
    assert pace.needs_quiet(1)
    quiet = 0
    for _ in range(160):
        if pace.needs_quiet(1):
            quiet += 1
            pace.observe(Load(1), 0.03)
        else:
            pace.observe(Load(1, num_bulk_rows=2), 0.04)
    assert 10 <= quiet <= 20, "one round in fifteen, once the cost is known"
    assert pace.needs_quiet(2), "another number of rows costs something else"


def test_old_measurements_are_replaced() -> None:
    """The machine was slow when somebody last wrote alone: all bulk work would seem to cost nothing."""
    pace = Pace(512)
    for _ in range(NUM_MEASURED):
        pace.observe(Load(1), 0.3)
    for _ in range(MAX_AGE):
        pace.observe(Load(40), 0.2)
    assert not pace.needs_quiet(1)
    pace.observe(Load(40), 0.2)
    assert pace.needs_quiet(1)
    pace.observe(Load(1), 0.03)
    assert pace.write_s(1) == 0.03 and not pace.needs_quiet(1)


def test_prompt_tokens_are_not_blamed_for_bulk_work_beside_them() -> None:
    pace = Pace(512)
    pace.observe(Load(1, num_prompt_tokens=10, num_bulk_rows=5), 9.0)
    assert pace.prompt_token_s is None, "nobody knows which of them it was"
    pace.observe(Load(1), 0.03)
    pace.observe(Load(1, num_bulk_rows=5), 0.05)
    pace.observe(Load(1, num_prompt_tokens=100, num_bulk_rows=5), 0.15)
    assert pace.prompt_token_s == pytest.approx(0.001)


@given(st.lists(st.integers(1, 1000), max_size=20), st.integers(1, 3000))
def test_shares_waste_nothing_and_favour_nobody(owed: list[int], budget: int) -> None:
    given_tokens = shares(owed, budget)
    assert all(0 <= share <= need for share, need in zip(given_tokens, owed, strict=True))
    assert sum(given_tokens) == min(budget, sum(owed))
    short = [share for share, need in zip(given_tokens, owed, strict=True) if share < need]
    assert not short or max(given_tokens) - min(short) <= 1, "who gets less than another gets all it needs"
