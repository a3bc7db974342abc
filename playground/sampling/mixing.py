"""The arithmetic of guidance: the logits of several branches -> one base distribution, before the chain.

Knows nothing about samplers, prompts or models; its rows come from wherever they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from playground.errors import PlaygroundError
from playground.sampling import metrics
from playground.sampling.columns import Number, column
from playground.sampling.guidance import SCALE, Guidance
from playground.sampling.seen import LARGEST_SCORE
from playground.sampling.softmax import softmax

T = TypeVar("T")
BLOCK = 1024
"""Sums run over blocks of this many tokens, so that their last bit depends on neither batch-mates nor threads."""


@dataclass(frozen=True)
class Moment:
    """What a guidance does at one step, once the gate and the schedule have spoken."""

    weights: tuple[float, ...]
    strength: float
    """s of the schedule; 0 where the gate is closed."""
    is_open: bool = True
    entropy_bits: float | None = None
    """Of the prompt branch, where the gate looks at it."""
    divergence_bits: float | None = None
    """Jensen-Shannon, of the first two branches, where the schedule looks at it."""

    @property
    def is_off(self) -> bool:
        """The step is the prompt's own."""
        return self.weights[0] == 1.0 and not any(self.weights[1:])


def moment(guidance: Guidance, index: int, prompt: torch.Tensor, others: torch.Tensor) -> Moment:
    """Gate and schedule at the token of this index; float[V] of the prompt, float[n−1,V] of the other branches."""
    entropy = divergence = None
    is_open = True
    if guidance.gate.kind == "entropy":
        entropy = float(metrics.entropy_bits(softmax(prompt[None])[0]))
        is_open = entropy > guidance.gate.bits
    elif guidance.gate.kind == "first":
        is_open = index < guidance.gate.tokens

    def measured() -> float:
        nonlocal divergence
        other = others[:1].double() / guidance.temperatures[0]
        divergence = float(metrics.js_bits(softmax(prompt[None])[0], softmax(other)[0]))
        return divergence

    if len(guidance.weights) == 1:
        return Moment(guidance.weights, 1.0, is_open, entropy)
    strength = guidance.schedule.strength(index, measured) if is_open else 0.0
    return Moment(guidance.weights_at(strength), strength, is_open, entropy, divergence)


def mix(
    guidances: Sequence[Guidance],
    indices: Sequence[int],
    prompt: torch.Tensor,
    others: Sequence[torch.Tensor],
    moments: Sequence[Moment] | None = None,
) -> torch.Tensor:
    """Many users' branches -> float[B,V], nats: each row under its own guidance, at its own index in its text.

    ``prompt``: float[B,V]; ``others[b]``: float[n−1,V], the other branches of row b (no rows where it has none).
    Rows without guidance are the prompt's bit for bit, and a batch of them is ``prompt`` itself. ``moments``: what
    ``moment`` said of each row, where somebody has asked already.
    """
    groups: dict[int, list[tuple[int, Guidance, Moment]]] = {}
    for row, guidance in enumerate(guidances):
        if guidance.is_off or not len(others[row]):
            continue
        now = moments[row] if moments else moment(guidance, indices[row], prompt[row], others[row])
        if not now.is_off:
            groups.setdefault(len(now.weights), []).append((row, guidance, now))
    if not groups:
        return prompt
    base = prompt.clone()
    for group in groups.values():
        for part in _parts(group, prompt):
            rows = [row for row, _, _ in part]
            branches = [prompt[_place(rows)]]
            branches += [_stacked([others[row][at] for row in rows]) for at in range(len(part[0][2].weights) - 1)]
            base[_place(rows)] = _mixed(
                branches,
                torch.tensor([now.weights for _, _, now in part], dtype=torch.float64),
                torch.tensor([guidance.temperatures for _, guidance, _ in part], dtype=torch.float64),
                torch.tensor([[guidance.mask] for _, guidance, _ in part], dtype=torch.float64),
            )
    return base


def guide(cond: torch.Tensor, negative: torch.Tensor, scale: Number) -> torch.Tensor:
    """Classifier-free guidance: cond + (scale − 1)·(log_softmax(cond) − log_softmax(negative)), float[B,V], nats, or
    float[V] each.

    ``scale`` is a number or a column float64[B,1]. Rows at scale 1 are ``cond`` bit for bit, and the scores stay on
    the scale of the prompt's raw logits, so a later repetition penalty has the same strength at every scale.
    A token that either branch removed (-inf) is removed, unless that would leave the row empty; scale 1 asks
    nothing of the negative branch. (Past scale 1 a token that is impossible under the negative would score +inf.)
    """
    scale = scale if isinstance(scale, torch.Tensor) else SCALE.check("guidance.scale", scale)  # refuses NaN and such
    if negative.dim() == 2 and len(negative) == 1:
        negative = negative.expand(len(cond), -1)
    if cond.shape != negative.shape or cond.dim() not in (1, 2):
        raise PlaygroundError(
            f"Both branches are float[B,V] or float[V]; theirs are {tuple(cond.shape)} and {tuple(negative.shape)}."
        )
    if cond.dim() == 1:
        return guide(cond[None], negative[None], scale)[0]
    scales = column(scale, cond).expand(len(cond), 1).cpu()
    rows = [row for row, value in enumerate(scales[:, 0].tolist()) if value != 1.0]
    if not rows:
        return cond
    mixed = cond.clone()
    for part in _parts(rows, cond):
        at = _place(part)
        weights = torch.cat([scales[at], 1.0 - scales[at]], dim=1)
        neutral = torch.ones(len(part), 1, dtype=torch.float64)
        mixed[at] = _mixed([cond[at], negative[at]], weights, neutral, neutral - 1.0)
    return mixed


def _parts(rows: list[T], like: torch.Tensor) -> list[list[T]]:
    """On a CPU one row at a time: its float64 stays in the cache, which is several times faster than a whole batch
    through memory. On a GPU all at once."""
    return [rows] if like.is_cuda else [[row] for row in rows]


def _place(rows: list[int]) -> list[int] | slice:
    """An index of some rows; of a single one a slice, which copies nothing."""
    return slice(rows[0], rows[0] + 1) if len(rows) == 1 else rows


def _stacked(rows: list[torch.Tensor]) -> torch.Tensor:
    """float[V] each -> float[b,V], without a copy where there is one."""
    return rows[0][None] if len(rows) == 1 else torch.stack(rows)


def _mixed(
    branches: Sequence[torch.Tensor], weights: torch.Tensor, temperatures: torch.Tensor, masks: torch.Tensor
) -> torch.Tensor:
    """Some rows of float[b,V] a branch, prompt first; float64[b,n], [b,n−1] and [b,1] on the CPU -> float[b,V].

    Written as z₀ + Σ wᵢ·(log pᵢ − log p₀) + (Σw − 1)·log p₀: branches that are equal then cancel exactly.
    """
    prompt, others = branches[0], branches[1:]
    excess = (weights[:, :1] - 1.0) + weights[:, 1:].sum(1, keepdim=True)
    own, own_total = prompt.double(), log_total(prompt)
    change = None
    for at, other in enumerate(others):
        wide, heat, total = other.double(), temperatures[:, at : at + 1], None
        if (heat != 1.0).any():
            wide = wide.div_(heat.to(wide.device)) if wide is not other else wide / heat.to(wide.device)
            total = log_total(wide)
        total = own_total - (log_total(other) if total is None else total)
        difference = wide.sub(own).add_(total).mul_(weights[:, at + 1 : at + 2].to(wide.device))
        idle = weights[:, at + 1 : at + 2] == 0
        if idle.any():  # 0 times what it has removed would be NaN
            difference.masked_fill_(idle.to(wide.device), 0.0)
        change = difference if change is None else change.add_(difference)
    assert change is not None
    if excess.any():
        change.add_((own - own_total).mul_(excess.to(own.device)))
    scores = change.add_(own).clamp_(-LARGEST_SCORE, LARGEST_SCORE).to(prompt.dtype)
    removed = _removed(branches, weights)
    below = _below_mask(prompt, masks)
    if removed is None and below is None:
        return scores
    gone = removed if below is None else below if removed is None else removed | below
    assert gone is not None
    alone = prompt if below is None else prompt.masked_fill(below, -torch.inf)
    return torch.where(gone.all(-1, keepdim=True), alone, scores.masked_fill_(gone, -torch.inf))


def log_total(scores: torch.Tensor) -> torch.Tensor:
    """float[b,V] -> float64[b,1]: the logarithm of the sum of exp. Its rounding (1e-7) shifts a whole row alike.

    In float32, a tenth of the time of float64.
    """
    top = scores.amax(-1, keepdim=True)
    weights = (scores - top).float().exp_()
    even = weights.shape[-1] // BLOCK * BLOCK
    sums = weights[:, :even].unflatten(-1, (-1, BLOCK)).sum(-1).double().sum(-1) if even else 0.0
    total = sums + weights[:, even:].double().sum(-1)
    return top.double() + total[:, None].log_()


def _removed(branches: Sequence[torch.Tensor], weights: torch.Tensor) -> torch.Tensor | None:
    """bool[b,V]: what any branch that counts has removed; None where nothing is (the ordinary case, found cheaply)."""
    if not any(bool((branch.amin() == -torch.inf).item()) for branch in branches):
        return None
    removed = branches[0] == -torch.inf
    for at, other in enumerate(branches[1:], 1):
        removed = removed | ((other == -torch.inf) & (weights[:, at : at + 1] != 0).to(other.device))
    return removed


def _below_mask(prompt: torch.Tensor, masks: torch.Tensor) -> torch.Tensor | None:
    """bool[b,V]: the tokens less plausible under the prompt than the mask asks for, compared as min-p compares."""
    if not masks.any():
        return None
    threshold = prompt.amax(-1, keepdim=True) + masks.log().to(prompt.device, prompt.dtype)
    return prompt < threshold
