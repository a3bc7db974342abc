"""Many users, many settings: as few passes as their orders allow, and the results of each alone."""

import random
import time
from dataclasses import dataclass

import pytest
import torch

from playground.errors import PlaygroundError
from playground.sampling import Chain, Sampler, batch, draw, stack, usable_rows
from playground.sampling.batch import groups
from playground.sampling.columns import column
from playground.sampling.sequences import common_sequence, numbered

NUM_TOKENS = 49_152


def users(num_users: int, same_order: bool) -> list[Chain]:
    shuffle = random.Random(0)
    chains = []
    for number in range(num_users):
        stages = [
            f"temperature:{0.7 + number / 50}",
            "top_k:60",
            "top_p:0.95",
            f"min_p:{0.02 + number / 1000}",
            "typical_p:0.9",
            "repetition_penalty:1.1",
            "frequency_penalty:0.2",
            "presence_penalty:0.3",
            f"logit_bias:{number}_1.5",
        ]
        if not same_order:
            shuffle.shuffle(stages)
        chains.append(Chain.from_url(",".join(stages)))
    return chains


def rows_for(chains: list[Chain], num_tokens: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    scores = 3 * torch.randn(len(chains), num_tokens, generator=generator)
    return scores, [torch.randint(0, num_tokens, (50 + row,), generator=generator) for row in range(len(chains))]


@pytest.mark.parametrize("same_order", [True, False])
def test_together_equals_alone_over_a_wide_vocabulary(same_order):
    chains = users(6, same_order)
    scores, history = rows_for(chains, 6000)
    u = torch.linspace(0.01, 0.99, 6, dtype=torch.float64)
    plan = stack(chains)
    together = plan.apply(scores, history)
    tokens, log_probs = plan.draw(scores, u, history)
    for row, chain in enumerate(chains):
        alone = chain.apply(scores[row : row + 1], [history[row]])
        assert torch.equal(together[row : row + 1], alone)
        assert int(tokens[row]) == int(draw.draw(alone, u[row : row + 1])[0])
        assert float(log_probs[row]) == float(draw.log_prob(alone, tokens[row : row + 1])[0])


def test_fitting_orders_share_one_pass():
    texts = ["temperature:0.5,min_p:0.1", "min_p:0.2", "top_k:5,temperature:2", "", "top_k:9,temperature:3,min_p:0.3"]
    chains = tuple(Chain.from_url(text) for text in texts)
    assert len(stack(chains).groups) == 1
    assert [sampler.name for sampler in stack(chains).groups[0].samplers] == ["top_k", "temperature", "min_p"]
    opposite = Chain.from_url("min_p:0.1,temperature:0.5")
    assert [group.rows for group in stack((*chains, opposite)).groups] == [(0, 1, 2, 3, 4), (5,)]


def test_stages_that_are_off_cost_no_pass():
    chains = (Chain.from_url("temperature:1,min_p:0.1"), Chain.from_url("min_p:0.1,temperature:1,top_p:1"))
    assert [[sampler.name for sampler in group.samplers] for group in stack(chains).groups] == [["min_p"]]


def test_copies_of_a_stage_are_told_apart():
    chains = (Chain.from_url("temperature:2,min_p:0.1,temperature:3"), Chain.from_url("temperature:2,min_p:0.3"))
    assert len(stack(chains).groups) == 1
    scores, _ = rows_for(list(chains), 100)
    for row, chain in enumerate(chains):
        assert torch.equal(stack(chains).apply(scores)[row], chain.apply(scores[row : row + 1])[0])


@dataclass(frozen=True)
class Last(Sampler):
    """A stage without parameters, hence without an off setting, that draws the token itself."""

    name, title, slot, kind, keeps_argmax, off = "last", "Last", 99, "draw", True, None

    def apply(self, scores, context):
        return scores


@dataclass(frozen=True)
class Switched(Last):
    """The same, shaping instead of drawing."""

    name, kind = "switched", "shape"


def test_what_cannot_be_switched_off_is_not_forced_on_anyone():
    warm, stage = Chain.from_url("temperature:2").samplers, (Switched(),)
    assert len(stack([Chain(warm + stage), Chain(warm)]).groups) == 2
    assert len(stack([Chain(warm + stage), Chain(stage)]).groups) == 1


def test_a_draw_stays_last():
    warm, stage = Chain.from_url("temperature:2").samplers, (Last(),)
    with pytest.raises(PlaygroundError, match="must be the last stage"):
        Chain(stage + warm)
    assert len(stack([Chain(stage), Chain(stage)]).groups) == 1
    assert common_sequence(numbered(stage), numbered(stage + warm)) is None


def test_a_pass_on_a_cpu_fits_its_cache(monkeypatch):
    cells = []
    plain = batch.fold

    def watched(samplers, now, states):
        cells.append(now.scores.numel())
        return plain(samplers, now, states)

    monkeypatch.setattr(batch, "fold", watched)
    monkeypatch.setattr(batch, "BLOCK", 4 * NUM_TOKENS)
    stack([Chain.from_url("min_p:0.1")] * 10).apply(torch.zeros(10, NUM_TOKENS))
    assert len(cells) == -(-10 // (batch.BLOCK // NUM_TOKENS))
    assert max(cells) <= batch.BLOCK and sum(cells) == 10 * NUM_TOKENS


def test_plans_are_kept():
    chains = tuple(users(3, True))
    assert groups(chains, 2) is groups(tuple(users(3, True)), 2)


def test_rows_must_match_the_plan():
    with pytest.raises(PlaygroundError, match="2 rows"):
        stack(users(2, True)).apply(torch.zeros(3, 50))


@pytest.mark.parametrize("spoil", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("num_tokens", [500, 5_000, 150_000])  # sorted; by buckets; a pass of its own
def test_a_spoilt_row_spoils_nobody_else(num_tokens, spoil):
    chains = [Chain.from_url("top_p:0.99,top_k:30,typical_p:0.9,temperature:0.5,presence_penalty,min_p:0.1")] * 3
    scores, history = rows_for(chains, num_tokens)
    u = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    clean = stack(chains).draw(scores, u, history)
    scores[1] = spoil
    assert usable_rows(scores).tolist() == [True, False, True]
    for found, expected in zip(stack(chains).draw(scores, u, history), clean, strict=True):
        assert torch.equal(found[[0, 2]], expected[[0, 2]])


def test_half_precision_comes_out_as_float32():
    scores = torch.randn(2, 300, generator=torch.Generator().manual_seed(0)).bfloat16()
    chain = Chain.from_url("temperature:0.7,top_p:0.9")
    assert torch.equal(stack([chain] * 2).apply(scores), chain.apply(scores.float()))
    assert chain.apply(scores).dtype == torch.float32


def best_time_s(work, times: int = 12) -> float:
    """Seconds of this thread: what else the machine does is not our cost."""
    work()
    found = []
    for _ in range(times):
        start = time.thread_time()
        work()
        found.append(time.thread_time() - start)
    return min(found)


def test_32_orders_cost_at_most_4_times_one_order():
    """One order is the mean of four of the 32: some end with a few tokens at once, others sum up the vocabulary."""
    different = stack(users(32, False))
    assert len(different.groups) > 25
    scores, history = rows_for(list(different.chains), NUM_TOKENS)
    many_s = best_time_s(lambda: different.apply(scores, history), times=6)
    ones_s = []
    for chain in different.chains[:4]:
        names = [sampler.name for sampler in chain.samplers]
        same = stack([Chain(tuple(sorted(o.samplers, key=lambda s: names.index(s.name)))) for o in different.chains])
        assert len(same.groups) == 1
        ones_s.append(best_time_s(lambda same=same: same.apply(scores, history), times=3))
    one_s = sum(ones_s) / len(ones_s)
    assert many_s < 4 * one_s, f"{1000 * many_s:.0f} ms against {1000 * one_s:.0f} ms"


def test_columns_are_never_scalars():
    """A 0-d tensor has a weaker dtype, and CUDA divides by its reciprocal: alone would differ from together."""
    assert column(0.5, torch.zeros(3, 4)).shape == (1, 1)
    assert column(torch.ones(3, 1), torch.zeros(3, 4), torch.float32).dtype == torch.float32
