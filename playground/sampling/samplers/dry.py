"""DRY (don't repeat yourself): a token that would continue a repeated passage pays the more, the longer that passage.

Knows nothing about other stages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from playground.errors import PlaygroundError
from playground.sampling.breakers import Breakers, last_tokens, resolve
from playground.sampling.columns import Number, per_row
from playground.sampling.context import Context
from playground.sampling.param import flavour, last_n, param, texts
from playground.sampling.repeats import continuations, since_breaker
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.seen import LARGEST_SCORE, within_range

TEXTGEN_LONGEST = 50
PASSAGE = (1, 2, 3, 9, 1, 2, 3, 8, 1, 2, 3)  # of the worked examples


@dataclass(frozen=True)
class Dry(Sampler):
    """Looks at the tokens, not at what they say: a name that returns is a short passage, a paragraph is a long one."""

    multiplier: Number = param(
        0.8, 0, 5, 0.05, label="Multiplier", unit="nats", hard_high=100,
        help="What the shortest passage that counts costs; 0 is off.",
    )  # fmt: skip
    base: Number = param(
        1.75, 1, 4, 0.05, label="Base", help="How the penalty grows with each further token.", hard_high=100
    )
    allowed_length: Number = param(
        2, 1, 20, 1, label="Allowed length", unit="tokens", help="From this length on a passage counts.", integer=True,
        hard_high=10**6,
    )  # fmt: skip
    last_n: Number = last_n()
    sequence_breakers: Any = texts(
        label="Breakers", help="Texts that no passage reaches over, such as a line break or the quotes of a speaker."
    )
    flavour: str = flavour(
        {
            "ours": "as in llama.cpp, but for a window of 0: here the whole text, there none",
            "koboldcpp": "breakers may be penalised; just the allowed length since a breaker does not count yet",
            "textgen": "a passage counts for 50 tokens at most; a breaker is the last token of its text alone",
        }
    )
    breakers: Breakers | None = field(default=None, repr=False)  # what ``bind`` made of the texts

    name = "dry"
    title = "DRY"
    slot = 25
    kind = "penalty"
    keeps_argmax = False
    off = {"multiplier": 0.0}
    summary = "Lowers every token that would continue a passage already in the text, more for longer passages."
    formula = "ℓ′ = ℓ − m · b^(L − a) where L ≥ a, L the longest end of the text that once stood before this token"
    source = "p-e-w, text-generation-webui #5677; pi6am, KoboldCpp #982; llama.cpp #9702"
    examples = (
        Example(
            "1 2 3 was followed by 9 and by 8, both L = 3: each pays 0.5 · 2^(3 − 2) = 1.",
            {"multiplier": 0.5, "base": 2.0, "allowed_length": 2},
            survivors=tuple(range(10)),
            logits=(0.0,) * 10,
            token_ids=PASSAGE,
            expected_probs=(0.1144720,) * 8 + (0.0421119,) * 2,
        ),
        Example(
            "A passage of just the allowed length pays m itself: ln 2 halves both.",
            {"multiplier": 0.6931472, "base": 4.0, "allowed_length": 3},
            survivors=tuple(range(10)),
            logits=(0.0,) * 10,
            token_ids=PASSAGE,
            expected_probs=(1 / 9,) * 8 + (1 / 18,) * 2,
        ),
        Example(
            "Within the last 8 tokens, 9 1 2 3 8 1 2 3, only 8 has stood behind 1 2 3.",
            {"multiplier": 0.6931472, "base": 1.0, "allowed_length": 3, "last_n": 8},
            survivors=tuple(range(10)),
            logits=(0.0,) * 10,
            token_ids=PASSAGE,
            expected_probs=(2 / 19,) * 8 + (1 / 19, 2 / 19),
        ),
        Example(
            "9 is a breaker, so no passage reaches over it: 1 2 before 5 is L = 2, not 3.",
            {"multiplier": 0.6931472, "base": 2.0, "breakers": Breakers({9: ((),)})},
            survivors=tuple(range(10)),
            logits=(0.0,) * 10,
            token_ids=(9, 1, 2, 5, 9, 1, 2),
            expected_probs=(2 / 19,) * 5 + (1 / 19,) + (2 / 19,) * 4,
        ),
        Example(
            "KoboldCpp penalises the breaker 9 itself, L = 3, which the others spare.",
            {"multiplier": 0.6931472, "base": 1.0, "flavour": "koboldcpp", "breakers": Breakers({9: ((),)})},
            survivors=tuple(range(10)),
            logits=(0.0,) * 10,
            token_ids=(1, 2, 3, 9, 1, 2, 3),
            expected_probs=(2 / 19,) * 9 + (1 / 19,),
        ),
        Example(
            "text-generation-webui: sixty equal tokens are L = 50 for one more, so the penalty is m · b⁰, ln 2.",
            {"multiplier": 0.6931472, "base": 2.0, "allowed_length": 50, "flavour": "textgen"},
            survivors=(0, 1),
            logits=(0.0, 0.0),
            token_ids=(1,) * 60,
            expected_probs=(2 / 3, 1 / 3),
        ),
    )
    demo = Demo(
        "Row, row, row your boat, gently down the stream. Row, row, row your boat, gently down the",
        "Without it the model sings the same line again. The longer the line it is about to repeat, the more the next "
        "word of it pays.",
        {"multiplier": 1.0},
    )

    def bind(self, vocabulary: Any) -> Dry:
        if not self.sequence_breakers:
            return self
        found = (last_tokens if self.flavour == "textgen" else resolve)(self.sequence_breakers, vocabulary)
        return self if found is self.breakers else replace(self, breakers=found)

    def apply(self, scores: torch.Tensor, context: Context) -> torch.Tensor:
        rows: list[int] = []
        token_ids: list[int] = []
        amounts: list[float] = []
        for row, values in enumerate(self._rows(context)):
            for token_id, amount in _penalties(self.flavour, context, row, *values).items():
                rows.append(row)
                token_ids.append(token_id)
                amounts.append(amount)
        if not rows:
            return scores
        found, columns, kept = context.locate(torch.tensor(rows), torch.tensor(token_ids), scores.device)
        penalties = torch.tensor(amounts, dtype=torch.float64, device=scores.device)[kept]
        penalised = scores.clone()
        penalised[found, columns] = within_range(scores[found, columns].double() - penalties).to(scores.dtype)
        return penalised

    def _rows(self, context: Context) -> list[tuple[Any, ...]]:
        """The settings of each row."""
        values = (self.multiplier, self.base, self.allowed_length, self.last_n, self.sequence_breakers, self.breakers)
        return list(zip(*(per_row(value, context.num_rows) for value in values), strict=True))


def _penalties(
    flavour: str,
    context: Context,
    row: int,
    multiplier: float,
    base: float,
    allowed: float,
    last_n: float,
    texts: tuple[str, ...],
    breakers: Breakers | None,
) -> dict[int, float]:
    """Token -> what it pays, nats, in one row."""
    if not multiplier:
        return {}
    if texts and breakers is None:
        raise PlaygroundError(
            "dry.sequence_breakers are texts, and only a model's vocabulary says which tokens they are: call "
            "chain.bind(model.backend.vocabulary) first, or leave them empty."
        )
    window, shortest = context.window(row, int(last_n)).tolist(), int(allowed)
    if len(window) <= shortest:
        return {}
    limit = since_breaker(window, breakers.tails) if breakers else len(window)
    if flavour == "koboldcpp" and breakers and limit <= shortest:
        return {}
    spared = breakers.singles() if breakers and flavour != "koboldcpp" else frozenset()
    if flavour == "textgen":
        limit = min(limit, TEXTGEN_LONGEST)
    return {
        token_id: _amount(multiplier, base, length - shortest)
        for token_id, length in continuations(window, limit).items()
        if length >= shortest and token_id not in spared
    }


def _amount(multiplier: float, base: float, excess: int) -> float:
    """multiplier · base^excess, finite whatever they are."""
    log_amount = math.log(multiplier) + excess * math.log(base)
    return min(LARGEST_SCORE, math.exp(min(log_amount, math.log(LARGEST_SCORE))))
