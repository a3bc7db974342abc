"""Every worked example of every sampler holds, and every sampler has one."""

import pytest
import torch

from playground.sampling import SAMPLERS, Chain

EXAMPLES = [(kind, example) for kind in SAMPLERS.values() for example in kind.examples]


@pytest.mark.parametrize(("kind", "example"), EXAMPLES, ids=[f"{kind.name}: {each.says}" for kind, each in EXAMPLES])
def test_worked_example(kind, example):
    assert (example.logits is None) != (example.probs is None)
    row = torch.tensor(example.logits) if example.logits else torch.tensor(example.probs).log()
    trace = Chain((kind(**example.params),)).trace(row, list(example.token_ids), example.prompt_length)
    survivors = (trace.scores > -torch.inf).nonzero()[:, 0]
    assert tuple(survivors.tolist()) == example.survivors
    assert len(survivors) == len(row) or kind(**example.params).may_forbid
    if example.expected_probs is not None:
        assert trace.probs[survivors].tolist() == pytest.approx(example.expected_probs, abs=1e-6)


@pytest.mark.parametrize("kind", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_it_has_an_example_that_its_absence_fails(kind):
    """An example that also holds without the stage would prove nothing."""

    def changes(example):
        row = torch.tensor(example.logits) if example.logits else torch.tensor(example.probs).log()
        trace = Chain((kind(**example.params),)).trace(row, list(example.token_ids), example.prompt_length)
        return not torch.allclose(trace.probs, trace.base_probs, atol=1e-3)

    assert kind.examples and all(changes(example) for example in kind.examples)


def test_who_may_leave_a_token_without_any_chance():
    forbids = {name: kind(**kind.examples[0].params).may_forbid for name, kind in SAMPLERS.items()}
    bends = {"adaptive_p"} | {name for name, kind in SAMPLERS.items() if kind.kind in ("penalty", "shape")}
    assert {name for name, does in forbids.items() if not does} == bends
    assert not SAMPLERS["xtc"](probability=0.5).may_forbid, "the other side of the coin leaves all their chance"
    assert not SAMPLERS["min_p"](min_p=0.0).may_forbid
    assert SAMPLERS["logit_bias"](bias={"3": -100}).may_forbid and SAMPLERS["logit_bias"](bias={"3": 100}).may_forbid
