"""What a pool says about a target: features, fit, ratios, curve, the accepted, the floor; no model is asked.

Knows nothing about engines or pages. Everything here costs milliseconds, so it is done again at every drag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.control.contexts import ContextRows, fit_averaged, fit_per_context, fit_pooled
from playground.control.curve import Curve
from playground.control.evaluation import Evaluated, Evaluator
from playground.control.features import Feature
from playground.control.fit import Fit, fit
from playground.control.joint import check_way, fit_joint
from playground.control.pool import Pool
from playground.control.qrs import qrs
from playground.control.sampling import accepted, resampled
from playground.errors import PlaygroundError

NUM_BETAS = 61
LogRatio = Callable[[Pool, Floats], Floats]
"""Any rows and their features float64[N,F] -> float64[N], log P/q: the target on texts that no pool has seen."""


@dataclass(frozen=True)
class Analysis:
    """A pool seen through features. Rows on which a feature raised are left out, and ``reasons`` says why."""

    pool: Pool
    features: tuple[Feature, ...]
    values: Floats
    """float64[N,F]."""
    reasons: Mapping[int, str]
    """Number of a row of the pool as drawn -> what went wrong there."""
    enumerated: bool = False
    """Whether the rows are every text there is, once each, rather than draws."""

    @classmethod
    def of(cls, pool: Pool, features: Sequence[Feature], evaluator: Evaluator) -> Analysis:
        if not len(pool):
            raise PlaygroundError("There are no texts yet: draw a pool first.")
        if not features:
            raise PlaygroundError("Name at least one feature: what should the texts be like?")
        return cls.read(pool, features, evaluator.table(features, pool.texts))

    @classmethod
    def read(cls, pool: Pool, features: Sequence[Feature], found: Evaluated) -> Analysis:
        """A pool whose texts have been read."""
        good = [row for row in range(len(pool)) if row not in found.reasons]
        if not good:
            raise PlaygroundError(f"No text could be scored. The first reason: {found.reasons[0]}")
        return cls(pool.of(good) if found.reasons else pool, tuple(features), found.values[good], found.reasons)

    @property
    def names(self) -> list[str]:
        return [one.label for one in self.features]

    def fit(self, targets: Any, contexts: str = "pooled", free: Sequence[int] = ()) -> Fit:
        """Exponents for ``targets`` float64[F]. Where the pool follows several prompts, a ContextFit, ``contexts``
        being one of WAYS (``each``: targets may be float64[C,F]); with one prompt all ways are the same. ``free``:
        features that nobody asked anything of, whose targets are only what the pool has."""
        check_way(contexts)
        if self.has_prompts:
            return fit_joint(self.context_rows, targets, contexts, self.names)
        weights = self.pool.log_base if self.enumerated else self.pool.log_weights
        fitted = fit(self.values, weights, targets, names=self.names, enumerated=self.enumerated)
        return _with_unseen(fitted, [j for j, one in enumerate(self.features) if one.yes_no and j not in free])

    @cached_property
    def prompts(self) -> frozenset[str]:
        """Those that the texts follow."""
        return frozenset(self.pool.contexts)

    @property
    def has_prompts(self) -> bool:
        """Whether the texts follow more than one prompt."""
        return len(self.prompts) > 1

    @cached_property
    def context_rows(self) -> ContextRows:
        """The pool as rows of its prompts, which count alike."""
        return ContextRows.of(self.values, self.pool.log_weights, self.pool.contexts)

    @cached_property
    def log_shares(self) -> Floats | None:
        """float64[N]: what each row counts among proposals that take every prompt equally often, whatever happened to
        be drawn of each; None where all rows count alike."""
        if not self.has_prompts:
            return None
        rows = self.context_rows
        return -np.log(len(rows.labels) * np.bincount(rows.which))[rows.which]

    def fit_contexts(self, targets: Sequence[float]) -> dict[str, Any]:
        """All three answers for several prompts, named."""
        rows = self.context_rows
        return {
            "pooled": fit_pooled(rows, targets, self.names),
            "averaged": fit_averaged(rows, targets, self.names),
            "per_context": fit_per_context(rows, targets, self.names),
        }

    def log_ratio(self, fitted: Fit) -> Floats:
        """float64[N]: log P/q, P = a·exp(λ·φ), over the constant of its prompt where the target has those."""
        return ratio_to(fitted)(self.pool, self.values)

    def curve(self, log_ratio: Floats, log_betas: Floats | None = None) -> Curve:
        """The quasi-rejection curve; without β's, about 60 from where almost all is accepted to past the largest."""
        log_betas = betas_for(log_ratio) if log_betas is None else log_betas
        log_q = self.pool.log_proposal
        return qrs(log_ratio + log_q, log_q, log_betas, log_q if self.enumerated else self.log_shares)

    def resampled(self, log_ratio: Floats, num_texts: int, seed: int) -> NDArray[np.int64]:
        """int64[num_texts]: rows again, in proportion to their weight under the target."""
        scores = log_ratio if self.log_shares is None else log_ratio + self.log_shares
        return resampled(np.exp(scores - scores.max()), num_texts, seed)

    def accepted(self, log_ratio: Floats, log_beta: float) -> NDArray[np.bool_]:
        """bool[N], by each row's own dart."""
        return accepted(log_ratio, self.pool.uniforms, log_beta)

    @property
    def reachable(self) -> tuple[float, float]:
        """Share of the model's own mass that the proposal can write at all, and its standard error: the mean of a/q
        over draws from q. 1 minus it is a floor under the distance between anything accepted and the model. Only where
        tokens are cut off: otherwise everything can be written, and the mean would only tell of unlucky draws."""
        if not self.pool.truncated:
            return 1.0, 0.0
        weights = np.exp(self.pool.log_weights)
        error = float(weights.std(ddof=1) / np.sqrt(len(weights))) if len(weights) > 1 else 1.0
        return min(1.0, float(weights.mean())), error


def ratio_to(fitted: Fit) -> LogRatio:
    """log P/q with P = a·exp(λ·φ), over the constant of the row's prompt; -inf for what the fit's filters exclude."""

    def log_ratio(rows: Pool, values: Floats) -> Floats:
        return rows.log_weights + fitted.log_factor(values, rows.contexts)

    return log_ratio


def _with_unseen(fitted: Fit, asked: Sequence[int]) -> Fit:
    """All or none of the texts are to have a yes/no feature, and in this pool they do: nothing was to be excluded here,
    so the fit has no filter, but among fresh texts there may be some."""
    unseen = [j for j in asked if fitted.targets[j] in (0.0, 1.0) and fitted.exponents[j] == 0.0]
    if not unseen:
        return fitted
    exponents, errors, identity = fitted.exponents.copy(), fitted.standard_errors.copy(), np.eye(fitted.targets.size)
    exponents[unseen], errors[unseen] = np.where(fitted.targets[unseen] == 1.0, np.inf, -np.inf), np.nan
    return replace(
        fitted,
        exponents=exponents,
        standard_errors=errors,
        directions=np.concatenate([fitted.directions, np.copysign(identity, exponents[:, None])[unseen]]),
        heights=np.concatenate([fitted.heights, np.zeros(len(unseen))]),
    )


def betas_for(log_ratio: Floats) -> Floats:
    """float64[M]: a grid of log β over the ratios seen, a little wider on both sides."""
    finite = log_ratio[log_ratio > -np.inf]
    if not finite.size:
        raise PlaygroundError("No text of the pool is inside the target; draw more, or another proposal.")
    low, high = float(np.percentile(finite, 1)), float(finite.max())
    log_z = float(np.logaddexp.reduce(finite) - np.log(log_ratio.size))
    low, high = min(low, log_z) - 0.7, max(high, log_z) + 0.7
    return np.union1d(np.linspace(low, high, NUM_BETAS), finite.max())
