"""Which layer DoLa contrasts with, by hand."""

from __future__ import annotations

import pytest
import torch

from playground.errors import PlaygroundError
from playground.sampling.search.dola import candidate_layers, choose, divergence_bits


@pytest.mark.parametrize(
    ("num_layers", "bucket", "tied", "layers"),
    [
        (8, "low", False, (0, 2)),
        (8, "high", False, (4, 6)),
        (30, "low", True, (2, 4, 6, 8, 10, 12, 14)),
        (30, "high", True, (15, 17, 19, 21, 23, 25, 27, 29)),
        (2, "low", True, (1,)),
        (2, "low", False, (0,)),
        (2, "high", True, (1,)),
        (1, "low", True, (0,)),
        (4, "low", True, (2,)),
        (48, "low", False, tuple(range(0, 20, 2))),
        (48, "high", False, tuple(range(28, 48, 2))),
    ],
)
def test_the_buckets(num_layers: int, bucket: str, tied: bool, layers: tuple[int, ...]) -> None:
    assert candidate_layers(num_layers, bucket, tied) == layers


def test_an_unknown_bucket_is_a_clear_error() -> None:
    with pytest.raises(PlaygroundError, match="low or the high"):
        candidate_layers(8, "middle", False)


def test_the_example_on_paper() -> None:
    """Two tokens, the last layer says (0.9, 0.1). A layer that says (0.5, 0.5): the mean is (0.7, 0.3), and
    ½·(0.7·ln(0.7/0.9) + 0.3·ln(0.3/0.1) + 0.7·ln(0.7/0.5) + 0.3·ln(0.3/0.5)) = 0.11797 nats = 0.17020 bits.
    The same answer is 0 bits away, the opposite one 0.9·... = 0.73697 bits."""
    final = torch.tensor([0.9, 0.1]).log()
    earlier = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]).log()
    assert divergence_bits(final, earlier).tolist() == pytest.approx([0.0, 0.17020, 0.73697], abs=1e-4)
    assert choose((2, 4, 6), final, earlier).layer == 6
    assert choose((2, 4), final, earlier[[1, 1]]).layer == 2


def test_a_layer_that_excludes_what_the_last_one_allows_is_infinitely_far() -> None:
    final, earlier = torch.zeros(2), torch.tensor([[0.0, -torch.inf], [0.0, 0.0]])
    assert divergence_bits(final, earlier).tolist() == [torch.inf, 0.0]
    assert divergence_bits(final, final[None].clone().fill_(-torch.inf).index_fill(1, torch.tensor([0]), 0.0)).isinf()


def test_a_constant_on_a_layers_logits_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    final, earlier = torch.randn(50, generator=generator), torch.randn(3, 50, generator=generator)
    assert torch.allclose(divergence_bits(final, earlier), divergence_bits(final - 7, earlier + 3), atol=1e-6)
