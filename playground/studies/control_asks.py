"""What is asked of a pool: targets, or exponents set by hand, over its prompts in one of three ways; and a β.

Knows nothing about how it is shown. The target that an Ask names is found here, from an Analysis alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from playground.control.arrays import Floats
from playground.control.context_fit import ContextFit
from playground.control.curve import Curve
from playground.control.fit import Fit, at_exponents
from playground.control.joint import tilted
from playground.errors import PlaygroundError
from playground.studies.analysis import Analysis


@dataclass(frozen=True)
class Ask:
    """What the page wants to see: targets, or exponents set by hand, and a β."""

    targets: tuple[float, ...] = ()
    """NaN: as it is under the model."""
    exponents: tuple[float, ...] | None = None
    log_beta: float | None = None
    acceptance_rate: float | None = None
    measure: str = "tvd"
    bands: bool = False
    only: str = ""
    """``accepted``, ``rejected`` or ``resampled``: what the list shows; empty: the pool as drawn."""
    contexts: str = "pooled"
    """One of ``joint.WAYS``: how several prompts are meant."""
    own: tuple[tuple[float, ...], ...] | None = None
    """Of several prompts with exponents of their own, once filled: what each of them is to have."""
    free: tuple[int, ...] = ()
    """Once filled: the features whose target was left as it is under the model."""

    def filled(self, analysis: Analysis) -> Ask:
        """With a number for every target; as it is under the model means, for each of several prompts, its own mean."""
        wanted, under_model = np.array(self.targets), np.isnan(self.targets)
        base, own = bare(analysis, self.contexts), None
        if self.contexts == "each" and isinstance(base, ContextFit):
            own = tuple(tuple(np.where(under_model, part.base_moments, wanted).tolist()) for part in base.parts)
        targets, free = np.where(under_model, base.base_moments, wanted), np.flatnonzero(under_model)
        return replace(self, targets=tuple(targets.tolist()), own=own, free=tuple(free.tolist()))


def weights_of(analysis: Analysis) -> Floats:
    """float64[N]: log weights under which the rows stand for the model."""
    return analysis.pool.log_base if analysis.enumerated else analysis.pool.log_weights


def bare(analysis: Analysis, contexts: str = "pooled") -> Fit:
    """The pool as it is: exponents 0, the features' means under the model and their errors."""
    if analysis.has_prompts:
        return tilted(analysis.context_rows, np.zeros(len(analysis.features)), _shared(contexts))
    return at_exponents(analysis.values, weights_of(analysis), np.zeros(len(analysis.features)), enumerated=True)


def target_of(analysis: Analysis, ask: Ask) -> Fit:
    """What is asked for, fitted or set by hand; ``ask`` is filled. PlaygroundError where it cannot be."""
    if ask.exponents is not None:
        return _by_hand(analysis, ask.exponents, ask.contexts)
    return analysis.fit(ask.targets if ask.own is None else ask.own, ask.contexts, ask.free)


def refusal_of(analysis: Analysis, j: int, ask: Ask) -> str:
    """Why feature ``j``'s target is impossible by itself; empty where it is not."""
    alone = replace(analysis, features=analysis.features[j : j + 1], values=analysis.values[:, j : j + 1])
    own = None if ask.own is None else tuple((row[j],) for row in ask.own)
    try:
        target_of(alone, replace(ask, targets=ask.targets[j : j + 1], own=own, exponents=None))
    except PlaygroundError as refusal:
        return str(refusal)
    return ""


def beta_of(curve: Curve, ask: Ask) -> float:
    """The β that is asked for, directly or by its acceptance rate; the largest ratio seen where nothing is."""
    if ask.acceptance_rate is not None:
        rate = min(ask.acceptance_rate, float(curve.ratios.above[0]))
        return curve.log_beta_for(rate)
    return curve.ratios.log_largest if ask.log_beta is None else ask.log_beta


def _by_hand(analysis: Analysis, exponents: Sequence[float], contexts: str) -> Fit:
    """The target of exponents that somebody has set, with the figures it has."""
    if len(exponents) != len(analysis.features):
        raise PlaygroundError(f"There are {len(analysis.features)} features; give as many exponents.")
    if analysis.has_prompts:
        return tilted(analysis.context_rows, exponents, contexts)
    return at_exponents(analysis.values, weights_of(analysis), exponents, enumerated=analysis.enumerated)


def _shared(contexts: str) -> str:
    """The way with one set of exponents that counts the prompts as this one does."""
    return "averaged" if contexts == "each" else contexts
