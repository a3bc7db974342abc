"""The crossing token: the fast way is exact, and it is the one taken."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import Chain, prefix
from playground.sampling.softmax import softmax


def by_hand(key: torch.Tensor, mass: torch.Tensor, target: float) -> int:
    """One row, in the plainest Python."""
    order = sorted(range(len(key)), key=lambda column: (float(key[column]), column))
    reached = 0.0
    for column in order:
        reached += float(mass[column])
        if reached > target:
            return column
    return [column for column in order if mass[column] > 0][-1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 5.0, 40.0]), st.booleans(), st.floats(0, 0.999))
def test_all_ways_agree(seed, spread, tied, target):
    generator = torch.Generator().manual_seed(seed)
    scores = spread * torch.randn(3, 400, generator=generator)
    scores = scores.round() if tied else scores
    scores[:, ::7] = -torch.inf
    mass, targets = softmax(scores), torch.tensor([[target], [target / 2], [0.0]], dtype=torch.float64)
    fast = prefix.crossing_by_buckets(-scores, mass, targets)
    assert torch.equal(fast, prefix.crossing_by_sorting(-scores, mass, targets))
    for row in range(3):
        assert int(fast[row]) == by_hand(-scores[row], mass[row], float(targets[row]))


def test_a_target_beyond_the_mass_gives_the_last_token_with_mass():
    key = torch.tensor([[0.0, 2.0, 1.0, torch.inf]])
    mass = torch.tensor([[0.5, 0.2, 0.3, 0.0]], dtype=torch.float64)
    beyond = torch.tensor([[1.0]], dtype=torch.float64)
    assert prefix.crossing_by_sorting(key, mass, beyond).tolist() == [1]
    assert prefix.crossing_by_buckets(key, mass, beyond).tolist() == [1]


def test_all_tied_goes_by_token_id():
    scores = torch.zeros(1, 5000)
    third = torch.tensor([[0.3]], dtype=torch.float64)
    assert prefix.crossing(-scores, softmax(scores), third).tolist() == [1500]


@pytest.mark.parametrize("url", ["top_p:0.95", "typical_p:0.95", "temperature:0.7,min_p:0.05", "top_k:50"])
def test_no_stage_sorts_the_full_vocabulary(url, monkeypatch):
    """The fast path is the one taken: whatever is sorted is a small part of the row."""
    sorted_sizes = []
    for name in ("argsort", "sort"):
        plain = getattr(torch.Tensor, name)

        def watched(self, *args, _plain=plain, **kwargs):
            sorted_sizes.append(self.shape[-1])
            return _plain(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, watched)
    chain = Chain.from_url(url)
    chain.apply(3 * torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0)))
    assert max(sorted_sizes, default=0) < 5_000
    assert sorted_sizes or not ("top_p" in url or "typical" in url)  # the watch works
