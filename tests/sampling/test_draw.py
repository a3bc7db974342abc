"""The draw: reproducible darts, and a ruler on which every token has its exact place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import Chain
from playground.sampling.draw import Purpose, draw, log_prob, place, uniform
from playground.sampling.softmax import softmax

from .strategies import rows


def test_uniform_is_a_function_of_its_arguments_alone():
    """Frozen values: a change of this function would change the text of every saved seed."""
    assert uniform(7, 0, 0) == uniform(7, 0, 0, Purpose.DRAW)
    assert uniform(7, 0, 0) == 0.6947778288757979 and uniform(7, 1, 2) == 0.7211176447248999


def test_every_argument_matters():
    names = {
        (seed, sample, step, purpose) for seed in (0, 1) for sample in (0, 1) for step in (0, 1) for purpose in Purpose
    }
    assert len({uniform(*name) for name in names}) == len(names)
    assert uniform(2**64 - 1, 0, 0) != uniform(0, 0, 0)


def test_uniform_is_uniform():
    found = torch.tensor([uniform(3, 0, step) for step in range(20_000)], dtype=torch.float64)
    assert found.min() >= 0 and found.max() < 1
    counts = torch.histc(found, 20, 0, 1)
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 45  # chi-squared, 19 degrees: p < 0.001


def test_the_ruler_by_hand():
    """0.4, 0.3, 0.2, 0.1 in descending order are the tokens 2, 0, 3, 1."""
    scores = torch.tensor([[0.3, 0.1, 0.4, 0.2]]).log()
    for u, token_id in [(0.0, 2), (0.39, 2), (0.41, 0), (0.69, 0), (0.71, 3), (0.89, 3), (0.91, 1), (0.999999999, 1)]:
        assert draw(scores, torch.tensor([u])).tolist() == [token_id], u
    start, width = place(scores, torch.tensor([3]))
    assert (float(start), float(width)) == pytest.approx((0.7, 0.2))


def test_ties_lie_in_order_of_token_id():
    scores = torch.tensor([[1.0, 2.0, 1.0, 2.0]])
    order = [int(draw(scores, torch.tensor([u]))) for u in (0.0, 0.5, 0.8, 0.95)]
    assert order == [1, 3, 0, 2]


@settings(max_examples=60, deadline=None)
@given(rows(), st.floats(0, 1, exclude_max=True))
def test_the_dart_lies_on_the_place_of_the_token_it_hits(row, u):
    token_id = draw(row[None], torch.tensor([u], dtype=torch.float64))
    start, width = place(row[None], token_id)
    assert float(start) - 1e-12 <= u <= float(start + width) + 1e-12
    assert row[token_id] > -torch.inf and float(width) > 0
    assert float(log_prob(row[None], token_id).exp()) == pytest.approx(float(width))


@pytest.mark.parametrize("spread", [0.0, 0.5, 4.0])
def test_over_a_wide_row_too(spread):
    scores = spread * torch.randn(8, 30_000, generator=torch.Generator().manual_seed(1))
    u = torch.linspace(0, 1 - 1e-9, 8, dtype=torch.float64)
    start, width = place(scores, draw(scores, u))
    assert ((start - 1e-9 <= u) & (u <= start + width + 1e-9)).all()


def test_many_darts_give_the_distribution():
    scores = Chain.from_url("temperature:1.5,top_k:6").apply(torch.linspace(0, 5, 12)[None])
    u = torch.tensor([uniform(11, 0, step) for step in range(20_000)], dtype=torch.float64)
    counts = torch.bincount(draw(scores.expand(len(u), -1), u), minlength=12)
    assert torch.allclose(counts.double() / len(u), softmax(scores)[0], atol=0.012)
    assert counts[:6].sum() == 0


def test_temperature_does_not_move_tokens_along_the_ruler():
    scores = torch.randn(1, 50, generator=torch.Generator().manual_seed(2))
    ranks = []
    for temperature in (0.5, 1, 2):
        cooled = Chain.from_url(f"temperature:{temperature}").apply(scores)
        starts = torch.cat([place(cooled, torch.tensor([token_id]))[0] for token_id in range(50)])
        ranks.append(starts.argsort().tolist())
    assert ranks[0] == ranks[1] == ranks[2]
