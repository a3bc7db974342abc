"""Laws that every registered sampler obeys, whatever its settings."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import SAMPLERS, Chain, Context, Sampler, stack
from playground.sampling.softmax import softmax

from .strategies import chains, histories, rows, samplers, settings_of


def each(*kinds: type[Sampler]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds, ids=[kind.name for kind in kinds])


everyone = each(*SAMPLERS.values())


def applied(sampler: Sampler, row: torch.Tensor, history: list[int]) -> torch.Tensor:
    return Chain((sampler,)).apply(row[None], [history])[0]


@everyone
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_leaves_its_input_alone_keeps_a_token_and_revives_none(kind, data):
    sampler, row, history = data.draw(settings_of(kind)), data.draw(rows()), data.draw(histories())
    row = row.double() if data.draw(st.booleans()) else row  # a conversion that copies nothing copies no mistake either
    before = row.clone()
    after = applied(sampler, row, history)
    assert torch.equal(row, before)
    assert not after.isnan().any() and not (after == torch.inf).any()
    alive_before, alive_after = before > -torch.inf, after > -torch.inf
    assert alive_after.any() and not (alive_after & ~alive_before).any()
    assert float(softmax(after[None]).sum()) == pytest.approx(1.0, abs=1e-9)


@each(*(kind for kind in SAMPLERS.values() if kind.kind == "truncate"))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_truncation_only_removes(kind, data):
    sampler, row, history = data.draw(settings_of(kind)), data.draw(rows()), data.draw(histories())
    for _, resolved in sampler.branches():  # of a random one, whichever way its coin falls
        after = applied(resolved, row, history)
        alive = after > -torch.inf
        assert torch.equal(after[alive], row[alive])


@each(*(kind for kind in SAMPLERS.values() if kind.off is not None))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_off_equals_absence(kind, data):
    sampler, row = kind(**kind.off), data.draw(rows())
    assert sampler.is_off
    assert torch.equal(applied(sampler, row, data.draw(histories())), row)


@each(*(kind for kind in SAMPLERS.values() if kind.shift_invariant))
@settings(max_examples=12, deadline=None)
@given(data=st.data(), shift=st.integers(-400, 400))
def test_a_constant_on_all_logits_changes_no_probability(kind, data, shift):
    sampler, row, history = data.draw(settings_of(kind)), data.draw(rows()), data.draw(histories())
    if set(sampler.variant) & set(kind.shifting_flavours):
        return
    plain, shifted = (softmax(applied(sampler, row + move, history)[None]) for move in (0.0, shift / 8))
    assert torch.allclose(plain, shifted, atol=2e-3 if sampler.kind == "shape" else 1e-5, rtol=0)


@each(*(kind for kind in SAMPLERS.values() if kind.keeps_argmax))
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_who_claims_to_keep_the_argmax_keeps_it(kind, data):
    row = data.draw(rows())
    after = applied(data.draw(settings_of(kind)), row, data.draw(histories()))
    assert after[row.argmax()] == after.max() > -torch.inf


def test_the_laws_of_shift_and_argmax_can_fail():
    """The exceptions are real: a law test that held for everyone would test nothing."""
    row = torch.tensor([2.0, 1.0, 0.0])
    penalty = SAMPLERS["repetition_penalty"](penalty=2.0)
    plain, shifted = (softmax(applied(penalty, row + move, [0])[None]) for move in (0.0, 5.0))
    assert not torch.allclose(plain, shifted, atol=1e-3)
    typical = SAMPLERS["typical_p"](typical_p=0.2)
    assert applied(typical, torch.tensor([0.6, 0.3, 0.1]).log(), [])[0] == -torch.inf


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(chains(), rows(), histories()), min_size=2, max_size=5))
def test_batched_equals_one_at_a_time(users):
    plan = stack([chain for chain, _, _ in users])
    together = plan.apply(torch.stack([row for _, row, _ in users]), [history for _, _, history in users])
    for number, (chain, row, history) in enumerate(users):
        assert torch.equal(together[number], chain.apply(row[None], [history])[0])


@settings(max_examples=25, deadline=None)
@given(st.lists(samplers(), min_size=2, max_size=6), rows(), st.randoms(use_true_random=False))
def test_columns_equal_numbers(found, row, shuffle):
    """The same code with a parameter as a column: the same sampler with different settings in one pass."""
    kind = type(found[0])
    users = [Chain((sampler if isinstance(sampler, kind) else kind(),)) for sampler in found]
    shuffle.shuffle(users)
    history = [[1, 2, 2]] * len(users)
    together = stack(users).apply(row.expand(len(users), -1), history)
    for number, chain in enumerate(users):
        assert torch.equal(together[number], chain.apply(row[None], history[:1])[0])


@settings(max_examples=30, deadline=None)
@given(chains(), rows(), histories())
def test_trace_and_apply_agree(chain, row, history):
    trace = chain.trace(row, history)
    final = chain.apply(row[None], [history])
    assert torch.equal(trace.scores, final[0])
    assert torch.allclose(trace.probs, softmax(final)[0], atol=1e-12)
    assert float(trace.probs.sum()) == pytest.approx(1.0, abs=1e-9)
    for token_id, stage in enumerate(trace.removed_by.tolist()):
        assert (stage == -1) == bool(final[0, token_id] > -torch.inf)
        if stage >= 0:  # alive before that stage, gone after it
            before = trace.stages[stage - 1].scores if stage else row
            assert before[token_id] > -torch.inf and trace.stages[stage].scores[token_id] == -torch.inf


@everyone
def test_context_without_history_is_the_empty_history(kind):
    row = torch.linspace(-3, 3, 24)[None]
    sampler = kind()
    without = sampler.apply(row, Context.of(row))
    assert torch.equal(without, sampler.apply(row, Context.of(row, [[]])))
