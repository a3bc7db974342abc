"""What is particular to the newer samplers and to flavours: limits, windows, who counts, what an engine computes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.sampling import SAMPLERS, Chain
from playground.sampling.softmax import softmax

from .test_samplers import survivors


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if "flavour" in kind.params()])
def test_flavours_are_ours_first_explained_and_each_has_an_example(name):
    fact = SAMPLERS[name].params()["flavour"]
    assert fact.default == fact.choices[0][0] == "ours"
    assert all(meaning and not meaning.endswith(".") for _, meaning in fact.choices)
    shown = {example.params.get("flavour", "ours") for example in SAMPLERS[name].examples}
    assert shown == {value for value, _ in fact.choices}


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if "flavour" in kind.params()])
def test_a_flavours_example_fails_for_ours(name):
    """Otherwise the flavour would be a word."""
    for example in SAMPLERS[name].examples:
        if example.params.get("flavour", "ours") != "ours":
            row = torch.tensor(example.logits) if example.logits else torch.tensor(example.probs).log()
            left = [
                Chain((SAMPLERS[name](**{**example.params, "flavour": flavour}),))
                .trace(row, list(example.token_ids), example.prompt_length)
                .probs
                for flavour in (example.params["flavour"], "ours")
            ]
            assert not torch.allclose(*left, atol=1e-3), example.says


def test_an_unknown_flavour_is_refused_with_the_known_ones():
    with pytest.raises(PlaygroundError, match=r"top_k.flavour must be one of ours, llama.cpp"):
        Chain.from_url("top_k:5:nobody")


def test_rows_with_different_flavours_in_one_batch():
    from playground.sampling import stack

    chains = [Chain.from_url(url) for url in ("top_k:2", "top_k:2:llama.cpp", "top_k:2")]
    left = stack(chains).apply(torch.tensor([[1.0, 1.0, 1.0, 0.0]]).expand(3, -1))
    assert (left > -torch.inf).sum(-1).tolist() == [3, 2, 3]


def test_quadratic_refuses_a_curve_that_turns_the_ranking_over():
    with pytest.raises(PlaygroundError, match="lifted above"):
        Chain.from_url("quadratic:0.3:4")
    distances = torch.linspace(0, -20, 4001, dtype=torch.float64)
    for factor in (0.1, 1.0, 10.0):
        for curve in (1.0, 2.0, 3.0):
            assert (SAMPLERS["quadratic"](factor, curve).apply(distances[None], None)[0].diff() <= 0).all()
    k, s = (3 - 4) / 2, (4 - 1) / 2  # what it would do at 4: a token 0.1 below the best one rises above it
    assert -k * 0.3 * 0.1**2 + s * 0.3 * (-0.1) ** 3 == pytest.approx(0.00105)


def test_quadratic_near_zero_is_flat_and_zero_is_off():
    row = torch.tensor([3.0, 1.0, 0.0])
    flat = Chain.from_url("quadratic:0.0001").trace(row).probs
    assert flat.tolist() == pytest.approx([1 / 3] * 3, abs=1e-3)
    assert torch.equal(Chain.from_url("quadratic:0").apply(row[None])[0], row)


def test_quadratic_removes_nothing_however_far():
    assert survivors("quadratic:1000:3", [0.0, -1e25, 1e30]) == [0, 1, 2]


def test_dynamic_temperature_at_its_ends():
    assert survivors("dynamic_temperature:0:0", [1.0, 3.0, 3.0]) == [1]
    even = Chain.from_url("dynamic_temperature:0.5:2").apply(torch.zeros(1, 4) + 6)
    assert even.tolist() == [[3.0] * 4]  # all equal: the hot end
    alone = torch.tensor([[5.0, -torch.inf]])
    assert torch.equal(Chain.from_url("dynamic_temperature:0:2").apply(alone), alone)
    # Blind to removed tokens: the highest entropy is that of the two left.
    two = torch.tensor([[4.0, 4.0, -torch.inf, -torch.inf]])
    assert Chain.from_url("dynamic_temperature:0.5:2").apply(two)[0, :2].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("url", ["epsilon_cutoff:0.25", "eta_cutoff:0.25", "top_a:1", "top_n_sigma:1", "p_less"])
def test_what_is_exactly_at_the_border_stays(url):
    """On paper: ¼ = ε; η = min(¼, √¼ · e^(−H)) is smaller; p_max² = ¼; one σ below the best; Σp² = ¼."""
    row = {
        "top_a:1": torch.tensor([0.5, 0.25, 0.25]).log(),
        "top_n_sigma:1": torch.tensor([2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 1.5, 0.5]),
        "p_less": torch.zeros(4),
    }.get(url, torch.tensor([0.5, 0.25, 0.25]).log())
    assert survivors(url, row)[:1] == [0] and len(survivors(url, row)) >= 2
    if url in {"epsilon_cutoff:0.25", "top_a:1"}:
        assert survivors(url, row) == [0, 1, 2]
    if url == "p_less":
        assert survivors(url, row) == [0, 1, 2, 3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0.1, 3), st.booleans())
def test_sigma_is_what_each_engine_computes(seed, reach, removed):
    row = 3 * torch.randn(4000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if removed:
        row[::3] = -torch.inf
    left = row[row > -torch.inf]
    expected = {
        "ours": left.std(correction=0),
        "textgen": row.masked_fill(row == -torch.inf, 0.0).std(correction=1),
        "koboldcpp": left.sort(descending=True).values[:3000].std(correction=0),
    }
    for flavour, sigma in expected.items():
        kept = Chain.from_json([{"sampler": "top_n_sigma", "n": reach, "flavour": flavour}]).apply(row[None])[0]
        assert torch.equal(kept > -torch.inf, row >= row.max() - reach * sigma)


def test_a_shifting_flavour_is_declared_because_it_shifts():
    row = torch.tensor([4.0, 3.0, 0.0, -torch.inf])
    chain = Chain.from_url("top_n_sigma:0.3:textgen")
    assert survivors(chain.to_url(), row) == [0] and survivors(chain.to_url(), row + 100) == [0, 1, 2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.floats(0, 1))
def test_top_p_of_exllamav3_stops_before_it_crosses(seed, wanted):
    row = 2 * torch.randn(60, generator=torch.Generator().manual_seed(seed))
    probs = softmax(row[None])[0]
    order = probs.argsort(descending=True)
    count = max(1, int((probs[order].cumsum(0) <= wanted + 1e-6).sum())) if wanted < 1 else 60
    left = survivors(f"top_p:{wanted!r}:exllamav3", row)
    assert left == sorted(order[:count].tolist())
    if 0 < wanted < 1 and count < 60:
        assert len(survivors(f"top_p:{wanted!r}", row)) in {count, count + 1}


def test_output_only_windows():
    row, history = torch.zeros(1, 3), [[0, 0, 1, 1, 2]]
    for url, expected in {
        "frequency_penalty:1:0:vllm": [0.0, -1.0, -1.0],
        "frequency_penalty:1:1:vllm": [0.0, 0.0, -1.0],
        "frequency_penalty:1:4:vllm": [0.0, -1.0, -1.0],
        "presence_penalty:1:0:vllm": [0.0, -1.0, -1.0],
        "presence_penalty:1:0": [-1.0, -1.0, -1.0],
    }.items():
        assert Chain.from_url(url).apply(row, history, prompt_length=3).tolist() == [expected], url
    assert Chain.from_url("presence_penalty:1:0:vllm").apply(row, history, prompt_length=9).tolist() == [[0.0] * 3]


def test_ours_and_vllm_side_by_side_keep_their_own_counts():
    chain = Chain.from_url("frequency_penalty:1,frequency_penalty:1:0:vllm")
    assert chain.apply(torch.zeros(1, 2), [[0, 0, 1]], prompt_length=2).tolist() == [[-2.0, -2.0]]


def test_no_repeated_ngram_leaves_a_token_and_needs_a_whole_run():
    assert survivors("no_repeat_ngram:1", [1.0, 3.0, 2.0], [0, 1, 2]) == [1]
    assert survivors("no_repeat_ngram:4", [1.0, 3.0, 2.0], [0, 1, 2]) == [0, 1, 2]
    assert survivors("no_repeat_ngram:2", [1.0, 3.0, 2.0], [2, 2]) == [0, 1]


def test_a_ban_names_tokens_of_this_model_and_leaves_one():
    assert survivors("token_ban:0_2", [1.0, 3.0, 2.0]) == [1]
    assert survivors("token_ban:0_1_2", [1.0, 3.0, 3.0]) == [1]
    assert survivors("top_k:1,token_ban:1", [1.0, 3.0, 2.0]) == [1]
    with pytest.raises(PlaygroundError, match="token 3; this model has tokens 0 to 2"):
        survivors("token_ban:3", [1.0, 3.0, 2.0])


def test_the_length_of_the_prompt_may_be_numpys_or_torchs_number():
    chain = Chain.from_json([{"sampler": "presence_penalty", "penalty": 1.0, "flavour": "vllm"}])
    scores, history = torch.zeros(2, 4), [[0, 1], [0, 1]]
    plain = chain.apply(scores, history, 1)
    for length in (np.int64(1), torch.tensor(1), torch.tensor([1, 1]), [1, 1]):
        assert torch.equal(chain.apply(scores, history, length), plain)
    for wrong in ([1], -1):
        with pytest.raises(PlaygroundError, match="prompt_length"):
            chain.apply(scores, history, wrong)
