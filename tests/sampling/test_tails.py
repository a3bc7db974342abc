"""Tail-free and top-h find by partial selection what a full sort finds, and grow only where they must."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import Chain, ranked
from playground.sampling.samplers.tail_free import FLAT
from playground.sampling.softmax import softmax

SLACK = 1e-6


def by_hand(probs: list[float], z: float, textgen: bool, vocabulary_size: int) -> int:
    """How many of the sorted probabilities tail-free keeps, in the plainest Python."""
    curve = [*probs, *[0.0] * (min(2, vocabulary_size - len(probs)) if textgen else 0)]
    bends = [abs(a - 2 * b + c) for a, b, c in zip(curve, curve[1:], curve[2:], strict=False)]
    whole = sum(bends)
    if whole <= FLAT:
        bends = [1.0] * len(bends)
        whole = len(bends)
    reached = 0.0
    count = len(curve)
    for place, bend in enumerate(bends):
        reached += bend
        if place >= (0 if textgen else 1) and reached > (z + SLACK) * whole:
            count = place + (1 if textgen else 0)
            break
    return max(1, min(count, vocabulary_size - 1 if textgen else count, len(probs)))


def top_h_by_hand(probs: list[float], share: float) -> int:
    """The paper's rule: as long as the survivors' own entropy stays within the share."""
    limit = share * -sum(p * math.log(p) for p in probs if p > 0) + 1e-12
    for count in range(1, len(probs) + 1):
        mass = sum(probs[:count])
        if -sum(p / mass * math.log(p / mass) for p in probs[:count] if p > 0) > limit:
            return max(1, count - 1)
    return len(probs)


def spread(seed: int, width: float, num_tokens: int = 700) -> torch.Tensor:
    scores = width * torch.randn(1, num_tokens, generator=torch.Generator().manual_seed(seed))
    scores[0, ::5] = -torch.inf if seed % 2 else scores[0, ::5]
    return scores


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from([0.0, 0.01, 0.3, 2.0, 6.0]), st.floats(0, 0.999), st.booleans())
def test_tail_free_is_what_a_full_sort_finds(seed, width, z, textgen):
    scores = spread(seed, width)
    probs = softmax(scores)[0]
    alive = sorted(probs[scores[0] > -torch.inf].tolist(), reverse=True)
    kept = Chain.from_url(f"tail_free:{z!r}" + (":textgen" if textgen else "")).apply(scores)[0] > -torch.inf
    assert int(kept.sum()) == by_hand(alive, z, textgen, scores.shape[1])
    assert float(probs[kept].min()) >= max(probs[~kept].tolist(), default=0.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.sampled_from([0.0, 0.3, 2.0, 6.0]), st.floats(0.01, 1))
def test_top_h_of_the_paper_is_what_a_full_sort_finds(seed, width, share):
    scores = spread(seed, width)
    alive = sorted(softmax(scores)[0][scores[0] > -torch.inf].tolist(), reverse=True)
    kept = Chain.from_url(f"top_h:{share!r}:paper").apply(scores)[0] > -torch.inf
    assert abs(int(kept.sum()) - top_h_by_hand(alive, share)) <= (1 if width == 0 else 0)  # equals tie at the border


@pytest.mark.parametrize("url", ["tail_free:0.95", "tail_free:0.95:textgen", "top_h:0.8:paper", "top_h:0.8"])
def test_no_more_is_sorted_than_the_answer_needs(url, monkeypatch):
    widths = []
    plain = torch.Tensor.topk

    def watched(self, k, *args, **kwargs):
        widths.append(k)
        return plain(self, k, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "topk", watched)
    monkeypatch.setattr(torch.Tensor, "sort", None)
    monkeypatch.setattr(torch.Tensor, "argsort", None)
    chain = Chain.from_url(url)
    chain.apply(4 * torch.randn(1, 30_000, generator=torch.Generator().manual_seed(0)))
    assert 0 < max(widths) <= ranked.FIRST_WIDTH * ranked.GROWTH
    chain.apply(0.1 * torch.randn(1, 30_000, generator=torch.Generator().manual_seed(0)))
    assert max(widths) > ranked.FIRST_WIDTH * ranked.GROWTH or url == "top_h:0.8"  # a flat row needs more, and gets it


def test_a_batch_mate_that_needs_more_changes_nothing():
    rows = torch.cat([spread(2, 6.0), spread(4, 0.01)])
    for url in ("tail_free:0.9", "top_h:0.5:paper"):
        together = Chain.from_url(url).apply(rows)
        assert torch.equal(together[:1], Chain.from_url(url).apply(rows[:1]))


def test_the_largest_with_ties_by_column():
    scores = torch.tensor([[1.0, 2.0, 1.0, 1.0], [3.0, 3.0, 3.0, 0.0]])
    assert ranked.largest(scores, torch.tensor([[2], [2]])).tolist() == [
        [True, True, False, False],
        [True, True, False, False],
    ]
    assert ranked.largest(scores, torch.tensor([[4], [0]])).tolist() == [[True] * 4, [True, False, False, False]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from([1, 2, 17, 200, 500]), st.sampled_from(["plain", "tied", "removed", "few"]))
def test_the_kth_largest_is_that_of_a_sort(seed, rank, what):
    scores = 3 * torch.randn(1, 9000, generator=torch.Generator().manual_seed(seed))
    if what == "tied":
        scores = scores.round()
    elif what == "removed":
        scores[:, 3::2] = -torch.inf
    elif what == "few":
        scores[:, 100:] = -torch.inf
    assert torch.equal(ranked.kth_largest(scores, rank), scores.sort(descending=True).values[:, rank - 1 : rank])
