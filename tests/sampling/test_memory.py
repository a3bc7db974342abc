"""Stages with memory: the memory is a value that travels beside the chain, shown on a stage made for this test."""

from dataclasses import dataclass

import torch

from playground.sampling import Chain, Sampler, stack
from playground.sampling.columns import Number, column
from playground.sampling.param import param


@dataclass(frozen=True)
class Fading(Sampler):
    """Lowers token 0 by ``step`` for every token drawn so far; its memory is that count."""

    step: Number = param(1.0, 0, 10, 0.1, label="Step", help="0 is off.")  # noqa: RUF009

    name, title, slot, kind, keeps_argmax, stateful = "fading", "Fading", 1, "shape", False, True
    off = {"step": 0.0}  # noqa: RUF012
    summary, formula, source, examples = "Fades.", "ℓ₀ − n", "this test", ()

    def start(self):
        return 0

    def apply(self, scores, context, state):
        faded = scores.clone()
        faded[:, :1] -= torch.tensor(state)[:, None] * column(self.step, scores, scores.dtype)
        return faded

    def observe(self, state, before, after, token_id):
        assert after[0] == before[0] - state * self.step and torch.equal(after[1:], before[1:])
        return state + 1


CHAIN = Chain((*Chain.from_url("temperature:0.5").samplers, Fading(2.0)))
ROW = torch.tensor([4.0, 1.0, 0.0])


def test_memory_starts_fresh_and_grows_with_what_is_observed():
    state = CHAIN.start()
    assert state == (None, 0)
    later = CHAIN.observe(CHAIN.observe(state, ROW, 1), ROW, 0)
    assert later == (None, 2) and state == (None, 0)
    assert CHAIN.apply(ROW[None]).tolist() == [[8.0, 2.0, 0.0]]
    assert CHAIN.apply(ROW[None], state=[later]).tolist() == [[4.0, 2.0, 0.0]]
    assert CHAIN.trace(ROW, state=later).scores.tolist() == [4.0, 2.0, 0.0]


def test_in_a_batch_each_row_has_its_own():
    chains = (CHAIN, Chain.from_url("temperature:2"), Chain((Fading(1.0),)))
    plan = stack(chains)
    assert len(plan.groups) == 1
    together = plan.apply(ROW.expand(3, -1), state=[(None, 1), (None,), (3,)])
    assert together.tolist() == [[6.0, 2.0, 0.0], [2.0, 0.5, 0.0], [1.0, 1.0, 0.0]]
