"""Contrastive search by hand."""

from __future__ import annotations

import pytest
import torch

from playground.sampling.search.contrastive import ContrastiveSearch, candidates, likeness, weigh

CONTEXT = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
STATES = torch.tensor([[2.0, 0.0], [0.0, 5.0]])
"""The first candidate says what stands there (cosine 1); the second one's cosines are 0 and 0.8."""


def test_the_example_on_paper() -> None:
    """alpha 0.6: 0.4 * 0.7 - 0.6 * 1 = -0.32 against 0.4 * 0.3 - 0.6 * 0.8 = -0.36; at 0.8 the second one wins."""
    place, tried = weigh(ContrastiveSearch(alpha=0.6), [5, 9], [0.7, 0.3], STATES, CONTEXT)
    assert place == 0 and [one.penalty for one in tried] == pytest.approx([1.0, 0.8])
    assert [one.score for one in tried] == pytest.approx([-0.32, -0.36])
    place, tried = weigh(ContrastiveSearch(alpha=0.8), [5, 9], [0.7, 0.3], STATES, CONTEXT)
    assert place == 1 and [one.score for one in tried] == pytest.approx([0.14 - 0.8, 0.06 - 0.64])


def test_alpha_0_is_greedy_and_equal_scores_go_to_the_more_probable() -> None:
    assert weigh(ContrastiveSearch(alpha=0.0), [5, 9], [0.7, 0.3], STATES, CONTEXT)[0] == 0
    assert weigh(ContrastiveSearch(alpha=1.0), [5, 9], [0.7, 0.3], STATES[[1, 1]], CONTEXT)[0] == 0


def test_candidates_are_the_best_with_ties_by_token_id() -> None:
    probs = torch.tensor([0.1, 0.3, 0.0, 0.3, 0.1, 0.2], dtype=torch.float64)
    assert candidates(probs, 2) == [1, 3]
    assert candidates(probs, 4) == [1, 3, 5, 0]
    assert candidates(probs, 10) == [1, 3, 5, 0, 4]  # what was removed is no candidate


def test_a_state_of_length_0_is_like_nothing() -> None:
    assert likeness(torch.zeros(1, 2), CONTEXT).tolist() == [0.0]


def test_likeness_needs_no_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    states, context = torch.randn(3, 8, generator=generator), torch.randn(20, 8, generator=generator)
    expected = [max(torch.cosine_similarity(one, other, dim=0).item() for other in context) for one in states]
    assert likeness(states * 7, context / 3).tolist() == pytest.approx(expected, abs=1e-6)
