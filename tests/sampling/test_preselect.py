"""Preselection: it is taken on the default path, and what it gives is bit for bit what the plain way gives."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import SAMPLERS, Chain, Context, fold, stack
from playground.sampling.candidates import Candidates
from playground.sampling.preselect import preselected

from .watching import sorted_widths

URLS = [
    "temperature:0.8,min_p:0.05",
    "temperature:1.7,temperature:0.3,min_p:0.001,top_p:0.9",
    "min_p:1",
    "top_p:1,temperature:2,top_k:30,min_p:0.1",
    "top_k:30:llama.cpp",
    "temperature:0.001,top_h:0.7",
    "temperature:3,top_h:0.4,typical_p:0.8",
]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(URLS), st.integers(0, 999), st.sampled_from([0.0, 0.1, 3.0, 1e6]), st.booleans(), st.booleans())
def test_it_equals_the_plain_way(url, seed, spread, tied, removed):
    scores = spread * torch.randn(3, 1500, generator=torch.Generator().manual_seed(seed))
    scores = scores.round() if tied else scores
    if removed:
        scores[:, ::4] = -torch.inf
    chain = Chain.from_url(url)
    plain = chain.candidates(scores, compact=False).full()
    assert torch.equal(chain.candidates(scores).full(), plain)
    assert torch.equal(stack([chain] * 3).apply(scores), plain)
    assert torch.equal(chain.apply(scores[1:2])[0], plain[1])


@pytest.mark.parametrize("url", URLS)
def test_the_stages_see_few_tokens_from_the_first_on(url, monkeypatch):
    widths = []
    plain = fold.applied

    def watched(sampler, now, states):
        widths.append(now.scores.shape[1])
        return plain(sampler, now, states)

    monkeypatch.setattr(fold, "applied", watched)
    Chain.from_url(url).apply(3 * torch.randn(2, 20_000, generator=torch.Generator().manual_seed(0)))
    assert max(widths) < 5_000


def test_rows_with_different_settings_share_it():
    chains = [Chain.from_url(f"temperature:{0.5 + row / 4},min_p:{0.02 * row + 0.01}") for row in range(6)]
    scores = 3 * torch.randn(6, 3000, generator=torch.Generator().manual_seed(2))
    together = stack(chains).apply(scores)
    for row, chain in enumerate(chains):
        assert torch.equal(together[row], chain.candidates(scores[row : row + 1], compact=False).full()[0])


@pytest.mark.parametrize(
    "url",
    [
        "top_p:0.9",  # its choice depends on what lies below
        "temperature:0,min_p:0.1",  # the first of equals alone stays: not a division
        "repetition_penalty:1.3,min_p:0.1",
        "temperature:0.7",
        "top_n_sigma:1,min_p:0.1",
        "top_h:0.4:paper",
        "min_p:0,top_k:0",
    ],
)
def test_it_is_left_alone_where_it_could_be_wrong(url):
    scores = 3 * torch.randn(1, 3000, generator=torch.Generator().manual_seed(2))
    now = Candidates(scores, Context.of(scores))
    assert preselected(Chain.from_url(url).samplers, now) is now


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if "reach" in vars(kind)])
def test_who_tells_its_reach_does_not_look_further(name):
    """Tokens beyond the reach change nothing: with them gone the survivors are the same."""
    scores = 3 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(7))
    sampler = SAMPLERS[name]()
    best = scores.amax(-1, keepdim=True)
    without = scores.masked_fill(scores < best - sampler.reach(scores, best, 1.0), -torch.inf)
    assert int((without > -torch.inf).sum()) < 1000
    assert torch.equal(sampler.apply(without, Context.of(scores)), sampler.apply(scores, Context.of(scores)))


def test_no_default_chain_sorts_a_whole_vocabulary():
    scores = 3 * torch.randn(2, 49_152, generator=torch.Generator().manual_seed(0))
    for url in ("temperature:0.8,min_p:0.05", "temperature:0.8,top_k:200,top_p:0.95,min_p:0.02", "top_p:0.9,min_p:0.1"):
        assert max(sorted_widths(lambda url=url: Chain.from_url(url).apply(scores)), default=0) < 5_000
    assert sorted_widths(lambda: scores.sort()) == [49_152]  # the watch sees
