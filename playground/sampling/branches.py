"""Branches: a row split at a random stage into the outcomes of its coin, their exact mixture, and the one a coin takes.

Knows nothing about particular samplers or where coins come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from playground.sampling.candidates import Branch, Candidates, Pick
from playground.sampling.sampler import Sampler
from playground.sampling.softmax import total
from playground.sampling.softmax import weights as weights_of
from playground.sampling.stacking import merged, separate

Coins = tuple[float | None, ...]  # one a stage: its number in [0, 1), None where the stage has no coin


def outcomes(stage: int, sampler: Sampler) -> list[tuple[float, Pick, Sampler]]:
    """Each outcome of a stage: its probability, the coins that lead there, and the stage as it then is."""
    found, low = [], 0.0
    for probability, resolved in sampler.branches():
        found.append((probability, Pick(stage, low, low + probability), resolved))
        low += probability
    share, last, resolved = found[-1]
    return [*found[:-1], (share, last._replace(high=math.inf), resolved)]  # the sum may end just below 1


def split(stage: int, sampler: Sampler, now: Candidates) -> tuple[Sampler, Candidates, list[int]]:
    """Every row once for each outcome of its coin: the stage of those rows, the rows, and which row each was."""
    before = now.branches or tuple(Branch(row, 1.0) for row in range(len(now.scores)))
    samplers, branches, rows = [], [], []
    for row, (branch, own) in enumerate(zip(before, separate(sampler, len(before)), strict=True)):
        found = outcomes(stage, own)
        for probability, pick, resolved in found:
            samplers.append(resolved)
            picks = branch.picks if len(found) == 1 else (*branch.picks, pick)
            branches.append(Branch(branch.origin, branch.weight * probability, picks))
            rows.append(row)
    if len(rows) == len(before):
        return merged(samplers), now, rows
    return merged(samplers), Candidates(now.scores[rows], now.context.at(rows), tuple(branches)), rows


def mixed(now: Candidates) -> Candidates:
    """One row an origin: the exact mixture of its branches."""
    if now.branches is None:
        return now
    groups = _by_origin(now.branches)
    ids = now.context.candidate_ids
    parts = []
    for rows in groups:
        if len(rows) == 1:
            parts.append((now.scores[rows[0]], None if ids is None else ids[rows[0]]))
        else:
            weights = [now.branches[row].weight for row in rows]
            parts.append(mixture(weights, now.scores[rows], None if ids is None else ids[rows]))
    scores = [part[0] for part in parts]
    context = now.context.at([rows[0] for rows in groups])
    if ids is None:
        return Candidates(torch.stack(scores), context)
    padding = now.context.vocabulary_size  # joined rows may be wider or narrower than they were
    columns = [part[1] for part in parts if part[1] is not None]
    return Candidates(_padded(scores, -torch.inf), context.among(_padded(columns, padding)))


def taken(now: Candidates, coins: Sequence[Coins]) -> Candidates:
    """One row an origin: the branch that its coins take."""
    if now.branches is None:
        return now
    rows = []
    for origin, places in enumerate(_by_origin(now.branches)):
        own = coins[origin]
        rows.append(next(row for row in places if takes(now.branches[row].picks, own)))
    return Candidates(now.scores[rows], now.context.at(rows))


def takes(picks: Sequence[Pick], coins: Coins) -> bool:
    """Whether coins lead to the branch with these picks."""
    return all(pick.low <= (coins[pick.stage] or 0.0) < pick.high for pick in picks)


def mixture(
    weights: Sequence[float], scores: torch.Tensor, ids: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Branches float[N,K] of one row, their columns int64[N,K] -> the scores float[K] of their mixture, its columns.

    The scale stays that of raw logits: the branches' normalisers in the mean, so that a branch whose weight goes to 1
    goes over into itself.
    """
    if ids is not None:
        alive = scores > -torch.inf
        union = ids[alive].unique()
        if not union.numel():  # rows of NaN, which must not stop their batch-mates
            return scores[0], ids[0]
        rows, columns = alive.nonzero(as_tuple=True)
        aligned = scores.new_full((len(scores), union.numel()), -torch.inf)
        aligned[rows, torch.searchsorted(union, ids[rows, columns])] = scores[rows, columns]
        scores, ids = aligned, union
    shares, scores = _distinct(weights, scores)
    if len(shares) == 1:
        return scores[0], ids
    unnormalised = weights_of(scores)
    totals, tops = total(unnormalised)[:, 0], scores.double().amax(-1)
    parts = torch.tensor(shares, dtype=torch.float64, device=scores.device)
    factors = (parts / totals).tolist()
    mixed_probs = unnormalised[0] * factors[0]
    for factor, row in zip(factors[1:], unnormalised[1:], strict=True):
        mixed_probs += row * factor  # not a matrix product, whose last bit depends on the number of columns
    log_probs = mixed_probs.log()
    gone = mixed_probs == 0
    if bool(gone.any()):  # removed by all of them, or a probability that underflows, which is a survivor
        columns = gone.nonzero()[:, 0]
        log_parts = (parts / totals).log()[:, None] + scores[:, columns].double() - tops[:, None]
        log_probs[columns] = torch.logsumexp(log_parts, 0)
    return (log_probs + float((parts * (tops + totals.log())).sum())).to(scores.dtype), ids


def _distinct(weights: Sequence[float], scores: torch.Tensor) -> tuple[list[float], torch.Tensor]:
    """Branches that ended in the same scores are one: where a coin changes nothing, neither does its mixture."""
    kept: list[int] = []
    shares: list[float] = []
    for row, weight in enumerate(weights):
        same = next((at for at, other in enumerate(kept) if torch.equal(scores[row], scores[other])), None)
        if same is None:
            kept.append(row)
            shares.append(weight)
        else:
            shares[same] += weight
    return shares, scores[kept]


def _by_origin(branches: Sequence[Branch]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for row, branch in enumerate(branches):
        groups.setdefault(branch.origin, []).append(row)
    return list(groups.values())


def _padded(rows: Sequence[torch.Tensor], padding: float) -> torch.Tensor:
    out = rows[0].new_full((len(rows), max(row.numel() for row in rows)), padding)
    for line, row in zip(out, rows, strict=True):
        line[: row.numel()] = row
    return out
