"""One step's stored rows, what the model's own row decides by itself, and what the page asks of them.

Knows nothing about stages or drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from playground.engine import OtherBranch
from playground.sampling import Recipe, draw, metrics
from playground.studies.recall import Recall
from playground.studies.strip import Strip
from playground.studies.views import BaseView


@dataclass(frozen=True)
class BaseRow:
    """What only the model's own row decides: computed once a step and shared by every later drag."""

    probs: NDArray[np.float64]
    """float64[V]: the model on the prompt."""
    order: NDArray[np.int64]
    """int64[V]: token ids by descending probability, ties by id; the order of every rank axis."""
    rank_of: NDArray[np.int32]
    """int32[V]: 1-based rank of each token."""
    view: BaseView

    @classmethod
    def of(cls, logits: torch.Tensor) -> BaseRow:
        """From float32[V] logits. The one full sort a step costs happens here."""
        order = np.argsort(-logits.numpy(), kind="stable")
        rank_of = np.empty(len(order), np.int32)
        rank_of[order] = np.arange(1, len(order) + 1)
        probs = torch.softmax(logits.double(), -1).numpy()
        return cls(probs, order, rank_of, base_view(probs))


@dataclass(frozen=True)
class BranchRow:
    """Another branch of guidance at one step."""

    logits: torch.Tensor
    """float32[V]: its model on its text and what was generated so far."""
    told: OtherBranch


@dataclass(frozen=True)
class StepRows:
    """One step and its stored logits: enough to recompute everything that is drawn."""

    key: str
    prompt: torch.Tensor
    """float32[V]: the model on the prompt and what was generated so far."""
    others: tuple[BranchRow, ...]
    """The other branches of guidance, in order; none where their rows are not known."""
    token_ids: torch.Tensor
    """int64[T]: the whole history, prompt first."""
    prompt_length: int
    step: int
    """0 for the first token after the prompt."""
    title: str
    seed: int = 0
    at_end: bool = True
    recomputed: bool = False
    chosen: int | None = None
    """The token the text has here, where it goes on."""
    guidance_cost_ms: float | None = None
    """Measured cost of the other branches for one step, where it is known."""
    recall: Recall | None = None
    """What the stages of the text's own chain remembered here; None: nothing was written yet."""
    base: BaseRow | None = None
    """Of ``prompt``; computed where the caller has none stored."""
    dart: float | None = None
    """Where the token of a searched text stands on the ruler; None: the seed's own dart flies."""
    found_by: str = ""
    """The search that wrote the text here; empty: it was drawn."""

    @property
    def uniform(self) -> float:
        """The dart of this step, in [0, 1)."""
        return draw.uniform(self.seed, 0, self.step, draw.Purpose.DRAW) if self.dart is None else self.dart


@dataclass(frozen=True)
class Knobs:
    """What the page asks of a step: the strip, the guidance, and which tokens to show besides the largest."""

    strip: Strip
    recipe: Recipe = field(default_factory=Recipe)
    pins: tuple[int, ...] = ()


def base_view(probabilities: NDArray[np.float64]) -> BaseView:
    """Support, effective choices and entropy of float64[V] probabilities."""
    bits = float(metrics.entropy_bits(torch.as_tensor(probabilities)))
    return BaseView(support=int((probabilities > 0).sum()), choices=2.0**bits, entropy_bits=bits)
