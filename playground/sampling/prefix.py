"""The crossing token: walking tokens in some order, the one at which their summed mass passes a target.

Knows nothing about samplers or draws: top-p, typical-p and the draw are all this one question.
"""

from __future__ import annotations

import torch

from playground.sampling.softmax import total

SMALL = 2048  # columns up to which a plain sort is cheapest
SHIFT = 16  # bits of a float32 dropped to name its bucket: 128 buckets an octave
SLACK = 1e-6  # for thresholds on a sum of probabilities: one that misses by rounding alone has reached it
NUM_BUCKETS = 1 << (31 - SHIFT)


def crossing(key: torch.Tensor, mass: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """int64[B]: the column at which each row's mass first exceeds its target, walking up ``key``, ties by column.

    key float[B,K] (+inf for removed tokens), mass float64[B,K], target float64[B,1] or [1,1]. Where rounding keeps
    the whole mass at or below the target it is the last column with any mass.
    """
    if key.is_cuda or key.shape[1] <= SMALL:
        return crossing_by_sorting(key, mass, target)
    return crossing_by_buckets(key, mass, target)


def crossing_by_sorting(key: torch.Tensor, mass: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The plain way, and the reference of the fast one: sort everything, sum, look."""
    order = key.argsort(dim=-1, stable=True)
    sorted_mass = mass.gather(-1, order)
    passed = (sorted_mass.cumsum(-1) <= target).sum(-1, keepdim=True)
    ranks = torch.arange(key.shape[1], device=key.device)
    last = torch.where(sorted_mass > 0, ranks, 0).amax(-1, keepdim=True)
    return order.gather(-1, torch.minimum(passed, last))[:, 0]


def crossing_by_buckets(key: torch.Tensor, mass: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The fast way: add up the mass of each bucket of keys, then sort only the bucket in which the target lies.

    A non-negative float32 read as an integer keeps its order, so its leading bits name a bucket; the resolution is
    relative, which suits keys of any scale.
    """
    num_rows = key.shape[0]
    distance = (key - key.amin(-1, keepdim=True)).float().abs_()  # abs: -0.0, read as an integer, is negative
    buckets = distance.view(torch.int32) >> SHIFT
    line = buckets if num_rows == 1 else buckets + torch.arange(num_rows, dtype=torch.int32)[:, None] * NUM_BUCKETS
    sums = torch.bincount(line.flatten(), mass.flatten(), num_rows * NUM_BUCKETS).view(num_rows, NUM_BUCKETS)
    upto = sums.cumsum(-1)
    chosen = (upto <= target).sum(-1, keepdim=True)
    if int(chosen.max()) == NUM_BUCKETS:  # the whole mass is at or below the target
        last = torch.where(sums > 0, torch.arange(NUM_BUCKETS), 0).amax(-1, keepdim=True)
        chosen = torch.minimum(chosen, last)
    rest = target - (upto.gather(-1, chosen) - sums.gather(-1, chosen))
    found = torch.zeros(num_rows, dtype=torch.int64)
    for row in range(num_rows):
        members = torch.from_numpy((buckets[row].numpy() == int(chosen[row])).nonzero()[0])
        if members.numel() == 0:
            continue  # a row of NaN has no answer, but its batch-mates have theirs
        inside = crossing_by_sorting(key[row, members][None], mass[row, members][None], rest[row, None])
        found[row] = members[inside[0]]
    return found


def up_to(key: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    """bool[B,K]: the tokens from the first in order to ``column`` int64[B] inclusive, ties by column."""
    edge = key.gather(-1, column[:, None])
    if key.is_cuda:
        tied = (key == edge) & (torch.arange(key.shape[1], device=key.device) <= column[:, None])
        return (key < edge) | tied
    keys, edges = key.numpy(), edge.numpy()  # NumPy compares five times faster than torch
    found = torch.from_numpy(keys <= edges)
    tied = torch.from_numpy((keys == edges).ravel().nonzero()[0])
    later = tied % key.shape[1] > column[tied // key.shape[1]]
    found.view(-1)[tied[later]] = False
    return found


def mass_before(key: torch.Tensor, mass: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    """float64[B]: the mass of the tokens that come before ``column`` int64[B] in order."""
    ahead = up_to(key, column).scatter_(-1, column[:, None], False)
    return total(torch.where(ahead, mass, 0.0))[:, 0]
