"""What is particular to one sampler and no law says: exact comparisons, windows, ties, the greedy limit."""

import pytest
import torch

from playground.sampling import Chain


def survivors(url: str, row: list[float] | torch.Tensor, history: list[int] | None = None) -> list[int]:
    scores = Chain.from_url(url).trace(torch.as_tensor(row), history or []).scores
    return (scores > -torch.inf).nonzero()[:, 0].tolist()


@pytest.mark.parametrize("top", [0.25, 0.4, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.25, 0.5])
def test_min_p_keeps_what_is_exactly_at_the_border(top, share):
    """On paper p = m·p_max; a threshold in float64 over scores in float32 would lose most of these."""
    row = torch.tensor([top, top * share, top * share * (1 - 1e-5)]).log()
    assert survivors(f"min_p:{share}", row) == [0, 1]


def test_temperature_before_or_after_min_p_matters():
    row = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert survivors("min_p:0.6,temperature:2", row) == [0, 1]
    assert survivors("temperature:2,min_p:0.6", row) == [0, 1, 2]


def test_greedy_is_the_first_maximum_after_the_penalties():
    assert survivors("temperature:0", [1.0, 5.0, 5.0]) == [1]
    assert survivors("presence_penalty:1,temperature:0", [1.0, 5.0, 5.0], [1]) == [2]


def test_truncations_at_their_ends():
    row = [3.0, 1.0, 2.0]
    assert survivors("top_p:0", row) == [0] and survivors("top_p:1", row) == [0, 1, 2]
    assert survivors("top_k:1", row) == [0] and survivors("top_k:99", row) == [0, 1, 2]
    assert survivors("min_p:1", row) == [0] and survivors("typical_p:1", row) == [0, 1, 2]


def test_typical_p_ignores_removed_tokens_in_its_entropy():
    """The known bug elsewhere: a removed token makes the entropy NaN and the stage keeps the likeliest instead."""
    row = torch.tensor([0.6, 0.3, 0.1, 0.0]).log()
    assert survivors("typical_p:0.2", row) == [1]


def test_windows_count_the_last_tokens_prompt_included():
    row, history = torch.zeros(1, 3), [[0, 0, 1]]
    assert Chain.from_url("frequency_penalty:1").apply(row, history).tolist() == [[-2.0, -1.0, 0.0]]
    assert Chain.from_url("frequency_penalty:1:2").apply(row, history).tolist() == [[-1.0, -1.0, 0.0]]
    assert Chain.from_url("presence_penalty:1:99").apply(row, history, prompt_length=2).tolist() == [[-1.0, -1.0, 0.0]]


def test_a_huge_bias_leaves_the_rest_finite():
    chain = Chain.from_json(
        [{"sampler": "logit_bias", "bias": {"1": 1e300}}, {"sampler": "temperature", "temperature": 0.1}]
    )
    trace = chain.trace(torch.zeros(3))
    assert trace.probs.tolist() == [0.0, 1.0, 0.0] and trace.stages[-1].support == 3
