"""Processors that look back: at the text (DRY), or at what was drawn from their own last distribution.

Knows nothing about transformers itself; the sources are run by whoever takes them away (and by the tests).
"""

from __future__ import annotations

from typing import Any

from playground.sampling.interop.processor import own
from playground.sampling.interop.values import Notes


def _say_breakers(sampler: Any, notes: Notes) -> None:
    if sampler.sequence_breakers:
        notes.lost(f"{sampler.title}'s sequence breakers are left out of this code.")


DRY = own(
    "Dry",
    ("multiplier", "base", "allowed_length", "last_n"),
    '''
class Dry(LogitsProcessor):
    """Penalise what would repeat a run of the last n tokens (0: all), the more the longer the run already is."""

    def __init__(self, multiplier, base, allowed_length, last_n):
        self.multiplier, self.base, self.allowed_length, self.last_n = multiplier, base, allowed_length, last_n

    def __call__(self, input_ids, scores):
        penalised = scores.clone()
        for row, ids in enumerate(input_ids[:, -self.last_n :].tolist()):
            longest = {}
            for end in range(1, len(ids)):
                length = 0
                while length < end and ids[end - 1 - length] == ids[-1 - length]:
                    length += 1
                longest[ids[end]] = max(length, longest.get(ids[end], 0))
            for token, length in longest.items():
                if length >= self.allowed_length:
                    penalised[row, token] -= self.multiplier * self.base ** (length - self.allowed_length)
        return penalised
''',
    _say_breakers,
)
MIROSTAT = own(
    "Mirostat",
    ("tau", "eta", "m"),
    '''
class Mirostat(LogitsProcessor):
    """Keep the k likeliest tokens: k from mu and from how steeply the m likeliest fall; steer mu so that the drawn
    tokens surprise by tau bits.

    Remembers its last distribution to see what was drawn from it: make a new one for each text.
    """

    def __init__(self, tau, eta, m):
        self.tau, self.eta, self.m, self.mu, self.last = tau, eta, m, 2 * tau, None

    def __call__(self, input_ids, scores):
        if self.last is not None:
            drawn = self.last.gather(1, input_ids[:, -1:])
            self.mu = self.mu - self.eta * (-drawn.log2() - self.tau)
        size = scores.shape[-1]
        best = scores.topk(min(self.m, size), dim=-1).values.double()
        ranks = torch.arange(1, best.shape[-1], device=scores.device, dtype=torch.float64)
        here = best[:, 1:] > -torch.inf
        steps = ((ranks + 1) / ranks).log() * here
        falls = torch.where(here, best[:, :-1] - best[:, 1:], 0.0)
        slope = (falls * steps).sum(-1, keepdim=True) / (steps * steps).sum(-1, keepdim=True)
        log_size = math.log(max(2, size))
        flat = (slope - 1).abs() < 1e-9
        excess = torch.where(flat, 1.0, slope - 1)
        quotient = torch.where(flat, 1 / log_size, excess / -torch.expm1(-excess * log_size))
        log_k = (quotient.log() + self.mu * math.log(2)) / slope
        k = (log_k.nan_to_num(nan=0.0).clamp(0, math.log(size + 1)).exp() + 1e-9).long()
        order = scores.argsort(dim=-1, descending=True, stable=True)
        kept = torch.zeros_like(scores, dtype=torch.bool)
        kept = kept.scatter(1, order, torch.arange(size, device=scores.device) < k)
        scores = scores.masked_fill(~kept, -torch.inf)
        self.last = scores.double().softmax(-1)
        return scores
''',
)
MIROSTAT_V2 = own(
    "MirostatV2",
    ("tau", "eta"),
    '''
class MirostatV2(LogitsProcessor):
    """Remove what is more surprising than mu bits, and steer mu so that the drawn tokens surprise by tau.

    Remembers its last distribution to see what was drawn from it: make a new one for each text.
    """

    def __init__(self, tau, eta):
        self.tau, self.eta, self.mu, self.last = tau, eta, 2 * tau, None

    def __call__(self, input_ids, scores):
        if self.last is not None:
            drawn = self.last.gather(1, input_ids[:, -1:])
            self.mu = self.mu - self.eta * (-drawn.log2() - self.tau)
        surprise = -scores.double().log_softmax(-1) / torch.tensor(2.0).log()
        best = torch.zeros_like(scores, dtype=torch.bool).scatter(1, scores.argmax(-1, keepdim=True), True)
        kept = scores.masked_fill((surprise > self.mu) & ~best, -torch.inf)
        self.last = kept.double().softmax(-1)
        return kept
''',
)
ADAPTIVE = own(
    "AdaptiveP",
    ("target", "decay"),
    '''
class AdaptiveP(LogitsProcessor):
    """Prefer tokens of about the target probability, corrected by what was drawn lately.

    Remembers its last distribution to see what was drawn from it: make a new one for each text.
    """

    def __init__(self, target, decay):
        self.target, self.decay, self.last = target, decay, None
        self.total, self.weight = target / (1 - decay), 1 / (1 - decay)

    def __call__(self, input_ids, scores):
        if self.last is not None:
            self.total = self.last.gather(1, input_ids[:, -1:]) + self.decay * self.total
            self.weight = 1 + self.decay * self.weight
        self.last = scores.double().softmax(-1)
        aim = torch.as_tensor(2 * self.target - self.total / self.weight).clamp(0, 1)
        distance = (self.last - aim).abs() / 0.3
        bent = (5 - 10 * distance**2 / (1 + distance)).to(scores.dtype)
        return torch.where(scores > -torch.inf, bent, scores)
''',
)
