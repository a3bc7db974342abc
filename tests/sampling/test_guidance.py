"""Guidance: the property tests of classifier-free guidance over two branches."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.sampling import Chain, Guidance, cfg, guide, mix
from playground.sampling.softmax import log_softmax, softmax

from .strategies import rows

GENERATOR = torch.Generator().manual_seed(9)
COND, NEGATIVE = (3 * torch.randn(4, 200, generator=GENERATOR) for _ in range(2))
scales = st.floats(-1, 7)


def test_scale_1_is_the_prompt_bit_for_bit_alone_and_in_a_column():
    assert guide(COND, torch.full_like(COND, torch.nan), 1.0) is COND  # the second branch is not even read
    column = torch.tensor([[1.0], [2.0], [1.0], [0.0]], dtype=torch.float64)
    mixed = guide(COND, NEGATIVE, column)
    assert torch.equal(mixed[[0, 2]], COND[[0, 2]]) and not torch.equal(mixed[1], COND[1])
    for row in range(4):
        assert torch.equal(mixed[row], guide(COND[row : row + 1], NEGATIVE[row : row + 1], float(column[row]))[0])


@settings(max_examples=40, deadline=None)
@given(rows(), scales)
def test_equal_branches_are_neutral_bit_for_bit(row, scale):
    assert torch.equal(guide(row[None], row[None].clone(), scale), row[None])


def test_scale_0_is_the_negative_branch():
    assert torch.allclose(softmax(guide(COND, NEGATIVE, 0.0)), softmax(NEGATIVE), atol=1e-6)


def test_it_is_the_formula_of_the_paper():
    paper = 2.5 * (log_softmax(COND) - log_softmax(NEGATIVE)) + log_softmax(NEGATIVE)
    assert torch.allclose(softmax(guide(COND, NEGATIVE, 2.5)), softmax(paper), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(scales, st.floats(-20, 20), st.floats(-20, 20))
def test_a_constant_on_either_branch_changes_nothing(scale, one, other):
    plain = softmax(guide(COND.double(), NEGATIVE.double(), scale))
    shifted = softmax(guide(COND.double() + one, NEGATIVE.double() + other, scale))
    assert torch.allclose(plain, shifted, atol=1e-9)


def test_two_tokens_have_log_odds_linear_in_the_scale():
    cond, negative = torch.tensor([[2.0, 0.5]]), torch.tensor([[-1.0, 1.0]])
    for scale in (-1.0, 0.3, 4.0):
        guided = guide(cond, negative, scale)[0]
        assert float(guided[0] - guided[1]) == pytest.approx(scale * 1.5 + (1 - scale) * -2.0, abs=1e-5)


def test_a_uniform_negative_is_a_temperature():
    guided = softmax(guide(COND, torch.zeros_like(COND), 4.0))
    assert torch.allclose(guided, softmax(Chain.from_url("temperature:0.25").apply(COND)), atol=1e-6)


def test_temperature_commutes_with_it():
    after = Chain.from_url("temperature:2").apply(guide(COND, NEGATIVE, 3.0))
    before = guide(COND / 2, NEGATIVE / 2, 3.0)
    assert torch.allclose(softmax(after), softmax(before), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(rows(), rows(), scales)
def test_removed_tokens_make_no_nan_and_stay_removed(cond, negative, scale):
    guided = guide(cond[None], negative[None], scale)[0]
    assert not guided.isnan().any() and not (guided == torch.inf).any() and (guided > -torch.inf).any()
    assert (guided[cond == -torch.inf] == -torch.inf).all()
    both = (cond > -torch.inf) & (negative > -torch.inf)
    if scale != 1 and both.any():
        assert torch.equal(guided > -torch.inf, both)


def test_branches_without_a_common_token_leave_the_prompt():
    cond, negative = torch.tensor([[1.0, -torch.inf]]), torch.tensor([[-torch.inf, 1.0]])
    assert torch.equal(guide(cond, negative, 3.0), cond)


def test_the_chain_is_continuous_at_scale_1_even_under_a_repetition_penalty():
    """With log-probabilities instead of logits the penalty would multiply where it divided: a jump at 1."""
    chain = Chain.from_url("repetition_penalty:1.5")
    history = COND.topk(5).indices
    at_1, near_1 = (softmax(chain.apply(guide(COND, NEGATIVE, scale), history)) for scale in (1.0, 1.0 + 1e-5))
    assert torch.allclose(at_1, near_1, atol=1e-3)


def test_inputs_are_left_alone():
    cond, negative = COND.clone(), NEGATIVE.clone()
    guide(cond, negative, 3.0)
    assert torch.equal(cond, COND) and torch.equal(negative, NEGATIVE)


@pytest.mark.parametrize("scale", [math.nan, math.inf, "2", True, None, 1e9])
def test_bad_scales_are_explained(scale):
    for use in (cfg, lambda bad: guide(COND, NEGATIVE, bad)):
        with pytest.raises(PlaygroundError, match=r"scale must be a number from -1000 to 1000"):
            use(scale)


def test_guidance_is_a_value():
    assert cfg(2) == cfg(2.0) and hash(cfg(2)) == hash(cfg(2.0))
    assert Guidance().is_off and cfg(1).is_off and cfg(3.5).sum_of_weights == 1
    assert torch.equal(mix([cfg(2)] * 4, [0] * 4, COND, list(NEGATIVE[:, None])), guide(COND, NEGATIVE, 2.0))


def test_a_single_row_may_come_without_its_batch():
    assert torch.equal(guide(COND[0], NEGATIVE[0], 2.5), guide(COND[:1], NEGATIVE[:1], 2.5)[0])
    assert torch.equal(guide(COND, NEGATIVE[:1], 2.5), guide(COND, NEGATIVE[:1].repeat(4, 1), 2.5))
    with pytest.raises(PlaygroundError, match="theirs are"):
        guide(COND, NEGATIVE[:, :-1], 2.5)
