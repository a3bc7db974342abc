"""Memory and coins through the engine: continued, forked and batched texts draw the same tokens."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from playground.engine import Engine, Request
from playground.errors import PlaygroundError
from playground.models import Model
from playground.sampling import Chain
from tests.engine.wrappers import ids, run

CHAIN = Chain.from_url("temperature:1.4,xtc:0.5:0.05,mirostat_v2:3:0.5")
OTHERS = [
    Chain.from_url(url) for url in ("temperature:1.1", "mirostat_v2:2:1", "xtc:0.3:0.01,top_p:0.9", "xtc:0.7:0.02")
]


def request(model: Model, chain: Chain = CHAIN, **settings) -> Request:
    return Request(ids(model, "The old house"), chain, 12, 5, ignore_eos=True, **settings)


def test_the_memory_moves_and_is_handed_on(model: Model) -> None:
    with Engine(model) as engine:
        steps, _ = run(engine, request(model))
    assert steps[0].memory == (None, None, 6.0) and steps[0].memory_after != steps[0].memory
    assert all(one.memory_after == two.memory for one, two in pairwise(steps))
    assert {step.coins[1] < 0.5 for step in steps} == {True, False}


@pytest.mark.parametrize("place", [1, 6])
def test_a_continued_text_goes_on_with_its_memory(model: Model, place: int) -> None:
    whole = request(model)
    with Engine(model) as engine:
        steps, _ = run(engine, whole)
        kept = tuple(step.token_id for step in steps[:place])
        memory = steps[place - 1].memory_after
        rest, _ = run(engine, replace(whole, continued_ids=kept, memory=memory, max_tokens=12 - place))
    assert [step.token_id for step in rest] == [step.token_id for step in steps[place:]]
    assert [(step.memory, step.coins) for step in rest] == [(step.memory, step.coins) for step in steps[place:]]


def test_samples_fork_with_memories_of_their_own(model: Model) -> None:
    with Engine(model) as engine:
        together, _ = run(engine, request(model, num_samples=3))
        for sample in range(3):
            alone, _ = run(engine, request(model, first_sample=sample))
            found = [(step.token_id, step.memory) for step in together if step.sample == sample]
            assert found == [(step.token_id, step.memory) for step in alone]


def test_batch_mates_change_nothing(model: Model) -> None:
    with Engine(model) as engine:
        streams = [engine.submit(request(model, chain)) for chain in (CHAIN, *OTHERS)]
        together = [[item for item in stream if hasattr(item, "token_id")] for stream in streams]
        for chain, found in zip((CHAIN, *OTHERS), together, strict=True):
            alone, _ = run(engine, request(model, chain))
            assert [step.token_id for step in found] == [step.token_id for step in alone]
            assert [step.memory for step in found] == [step.memory for step in alone]


def test_a_memory_of_another_chain_is_refused_and_can_be_carried(model: Model) -> None:
    with Engine(model) as engine:
        with pytest.raises(PlaygroundError, match="one value for each stage"):
            engine.submit(request(model, memory=(1.0,)))
        other = Chain.from_url("mirostat_v2:4:0.1")
        assert other.carried(CHAIN, (None, None, 4.5)) == (4.5,)
        assert Chain.from_url("min_p:0.1,mirostat_v2:4:0.1").carried(OTHERS[0], (None,)) == (None, 8.0)
