"""Random stages: exact marginals, both branches through the rest of the chain, coins that replay."""

import pytest
import torch

from playground.errors import PlaygroundError
from playground.sampling import Chain, stack
from playground.sampling.draw import Purpose, coin, draw, log_prob, uniform
from playground.sampling.softmax import softmax

ROW = torch.tensor([0.4, 0.3, 0.2, 0.1]).log() + 2.5
WIDE = 3 * torch.randn(3, 4000, generator=torch.Generator().manual_seed(5))
REST = "temperature:1.7,top_p:0.8,min_p:0.1"


def final(url: str, row: torch.Tensor = ROW) -> torch.Tensor:
    return softmax(Chain.from_url(url).apply(row[None]))[0]


def test_the_mixture_is_that_of_the_whole_rest_of_the_chain():
    """By hand: acting leaves 2/3, 1/3, and top-p 0.6 keeps the first; not acting it keeps 0.4, 0.3."""
    assert final("xtc:1:0.15,top_p:0.6").tolist() == pytest.approx([0, 0, 1, 0])
    assert final("xtc:0.25:0.15,top_p:0.6").tolist() == pytest.approx([0.75 * 4 / 7, 0.75 * 3 / 7, 0.25, 0], abs=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
@pytest.mark.parametrize("before", ["", "top_k:60,", "temperature:0.8,min_p:0.01,"])
def test_apply_and_trace_give_the_weighted_sum_of_both_sides(share, before):
    url = f"{before}xtc:{share}:0.05,{REST}"
    for row in WIDE:
        acts, acts_not = (final(f"{before}xtc:{p}:0.05,{REST}", row) for p in (1, 0))
        assert torch.allclose(final(url, row), share * acts + (1 - share) * acts_not, atol=1e-6)
        trace = Chain.from_url(url).trace(row)
        assert [each.branch.weight for each in trace.branches] == pytest.approx([share, 1 - share])
        assert torch.allclose(trace.branches[0].trace.probs, acts, atol=1e-9)
        assert torch.allclose(trace.branches[1].trace.probs, acts_not, atol=1e-9)
        assert torch.equal(trace.scores, Chain.from_url(url).apply(row[None])[0])


def test_every_stage_of_the_trace_is_the_mixture():
    trace = Chain.from_url("xtc:0.25:0.15,top_p:0.6").trace(ROW)
    xtc, top_p = trace.stages
    assert xtc.params == {"probability": 0.25, "threshold": 0.15}
    assert xtc.probs.tolist() == pytest.approx([0.3, 0.225, 0.15 + 1 / 6, 0.075 + 1 / 12], abs=1e-6)
    assert xtc.support == 4 and xtc.kept_mass == pytest.approx(0.25 * 0.3 + 0.75)
    assert xtc.note.startswith("2 top choices go, 70.0%")
    assert top_p.support == 3 and trace.removed_by.tolist() == [-1, -1, -1, 1]
    assert top_p.kept_mass == pytest.approx(0.25 * 2 / 3 + 0.75 * 0.7)


@pytest.mark.parametrize("url", ["xtc:{}:0.1", "xtc:{}:0.1,temperature:2", "top_k:3,xtc:{}:0.1,repetition_penalty:1.5"])
def test_the_scale_stays_that_of_the_logits_and_the_ends_are_continuous(url):
    for end, near in ((0, 1e-9), (1, 1 - 1e-9)):
        plain = Chain.from_url(url.format(end)).apply(ROW[None], [[0, 1]])[0]
        mixed = Chain.from_url(url.format(near)).apply(ROW[None], [[0, 1]])[0]
        alive = plain > -torch.inf
        assert torch.allclose(mixed[alive], plain[alive], atol=1e-5)


def test_a_coin_that_changes_nothing_changes_no_bit():
    flat = torch.zeros(1, 20)
    assert (
        Chain.from_url("xtc:0.3:0.1,temperature:1.3").apply(flat).equal(Chain.from_url("temperature:1.3").apply(flat))
    )


def test_coins_take_their_branch_and_the_log_probability_is_the_mixtures():
    chains = [
        Chain.from_url(url) for url in (f"xtc:0.5:0.02,{REST}", REST, f"top_k:50,xtc:0.5:0.02,xtc:0.5:0.001,{REST}")
    ]
    plan, u = stack(chains), torch.tensor([0.3, 0.6, 0.1], dtype=torch.float64)
    mixture = plan.apply(WIDE)
    for coins in ([(0.1,), (), (None, 0.1, 0.9)], [(0.9,), (), (None, 0.9, 0.1)]):
        padded = [
            tuple(own) + (None,) * (len(chain.samplers) - len(own)) for own, chain in zip(coins, chains, strict=True)
        ]
        tokens, log_probs = plan.draw(WIDE, u, coins=padded)
        for row, (chain, own) in enumerate(zip(chains, padded, strict=True)):
            branch = chain.decided(own).apply(WIDE[row : row + 1])
            assert int(tokens[row]) == int(draw(branch, u[row : row + 1])[0])
            assert float(log_probs[row]) == float(log_prob(mixture[row : row + 1], tokens[row : row + 1])[0])
            trace = chain.trace(WIDE[row])
            assert torch.equal(trace.taken(own).scores, branch[0])


def test_the_draws_have_the_distribution_that_is_shown():
    chain = Chain.from_url("xtc:0.4:0.15,top_p:0.9")
    number = 6000
    coins = [chain.coins(3, 0, step) for step in range(number)]
    u = torch.tensor([uniform(3, 0, step) for step in range(number)], dtype=torch.float64)
    tokens, _ = stack([chain] * number).draw(ROW.expand(number, -1), u, coins=coins)
    counts = torch.bincount(tokens, minlength=4) / number
    assert torch.allclose(counts.double(), softmax(chain.apply(ROW[None]))[0], atol=0.02)


def test_coins_are_numbers_of_their_own():
    chain = Chain.from_url("temperature:2,xtc,xtc:0.3")
    coins = chain.coins(7, 1, 5)
    assert coins[0] is None and coins[1] == uniform(7, 1, 5, Purpose.XTC) == coin(7, 1, 5, Purpose.XTC)
    assert len({*coins[1:], uniform(7, 1, 5)}) == 3
    assert Chain.from_url("xtc,min_p:0.1,xtc:1").coins(7, 1, 5) == (coins[1], None, coins[2])
    assert Chain.from_url("min_p:0.1").coins(7, 1, 5) == ()


def test_too_many_outcomes_are_refused_and_certain_ones_are_not_counted():
    assert len(Chain.from_url(",".join(["xtc:0.5"] * 4)).trace(ROW).branches) == 16
    with pytest.raises(PlaygroundError, match="32 outcomes"):
        Chain.from_url(",".join(["xtc:0.5"] * 5))
    Chain.from_url(",".join(["xtc:1", "xtc:0"] * 5))


def test_the_least_likely_top_choice_stays():
    assert final("xtc:1:0.2", torch.tensor([0.4, 0.2, 0.2, 0.2]).log()).tolist() == pytest.approx([0, 0, 0, 1])
    assert final("xtc:1:0.5").tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1])  # none or one reaches it
    assert final("xtc:1:0").tolist() == pytest.approx([0, 0, 0, 1])


@pytest.mark.parametrize("spoil", [torch.nan, torch.inf])
def test_a_spoilt_row_spoils_nobody_else(spoil):
    chains = [Chain.from_url(f"top_k:40,xtc:0.5:0.02,{REST}")] * 3
    u = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    coins = [chain.coins(1, 0, 0) for chain in chains]
    clean, spoilt = stack(chains).draw(WIDE, u, coins=coins), WIDE.clone()
    spoilt[1] = spoil
    for found, expected in zip(stack(chains).draw(spoilt, u, coins=coins), clean, strict=True):
        assert torch.equal(found[[0, 2]], expected[[0, 2]])


def test_a_branch_of_few_tokens_beside_one_of_all() -> None:
    """Threshold 0: where XTC acts one token of a thousand is left, where it does not all are; the mixture has all."""
    row = torch.linspace(3, 0, 1000)
    trace = Chain.from_url("xtc:0.5:0,temperature:2").trace(row)
    assert [stage.support for stage in trace.stages] == [1000, 1000]
    applied = Chain.from_url("xtc:0.5:0,temperature:2").apply(row[None])[0]
    assert trace.probs.tolist() == pytest.approx(torch.softmax(applied.double(), -1).tolist(), abs=1e-6)
