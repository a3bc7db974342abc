"""Exponents for wanted moments: the distribution nearest to the base whose features have the target means.

Knows nothing about where rows come from, nor about models and texts. p(x) ∝ a(x) exp(λ·φ(x)) is the information
projection of the base a (Khalifa et al., arXiv 2012.11635); λ minimises the convex dual, from rows weighted a/q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.control import arrays, refusals
from playground.control.arrays import Floats
from playground.control.dual import Dual, log_sum_exp
from playground.control.faces import filtered
from playground.control.hull import face
from playground.control.lbfgs import lbfgs
from playground.control.newton import Minimum, gradually, newton
from playground.control.pareto import pareto_k
from playground.control.scaling import Scaling
from playground.control.tilt import Tilt
from playground.errors import PlaygroundError

MANY_FEATURES = 200
"""From here on a covariance matrix costs more than the curvature it tells."""
FAR_SCORE = 30.0
"""Nats: exponents that weigh rows by more than e^30 may stand for infinite ones."""
LOW_ESS, HIGH_K = 100.0, 0.7
"""Where the effective sample size and the shape of the weights' tail begin to warn."""
LARGEST = 1e100


@dataclass(frozen=True)
class Fit:
    """The exponents, how well they are known, and what they do to the rows."""

    exponents: Floats
    """float64[F]; ±inf where a target at the edge makes the feature a filter."""
    status: str
    """``converged``, ``not_converged``, or ``warning: ...`` with what makes the answer shaky."""
    residual: float
    """Largest distance of a fitted moment from its target."""
    ess: float
    """Effective sample size (Σw)²/Σw², in rows."""
    standard_errors: Floats
    """float64[F], of the exponents, from the rows' scatter (sandwich); NaN for filters, 0 for an enumerated support."""
    largest_share: float
    """Weight of the heaviest row."""
    pareto_k: float
    """Shape of the weights' tail; NaN where there is none."""
    moments: Floats
    """float64[F], fitted."""
    base_moments: Floats
    """float64[F], at exponents 0."""
    base_errors: Floats
    """float64[F], their standard errors."""
    log_z: float
    """log of the base mean of exp(λ·φ) over the rows that the filters leave."""
    kl: float
    """KL(p‖base), nats: the least that any distribution with these moments has."""
    num_iterations: int
    probabilities: Floats = field(repr=False)
    """float64[N]: the fitted weights, summing to 1."""
    finite_exponents: Floats = field(repr=False)
    """float64[F]: the tilt among the rows that no filter excludes; 0 for a feature that is a filter by itself."""
    directions: Floats = field(repr=False)
    """float64[K,F]: only rows with d·(φ - target) = 0 are left."""
    heights: Floats = field(repr=False)
    """float64[K]: the largest |d·(φ - target)| of the rows; what counts as 0 is measured by it."""
    targets: Floats = field(repr=False)

    @property
    def tilt(self) -> Tilt:
        """What the exponents do to any row."""
        return Tilt(self.finite_exponents, self.directions, self.heights, self.targets, self.exponents)

    def log_tilt(self, features: Any, contexts: Sequence[Any] | None = None) -> Floats:
        """float64[N]: λ·φ of any rows, and -inf for those that a filter excludes. ``contexts`` (each row's prompt) are
        all the same to this fit, and are not to a ``ContextFit``."""
        return self.tilt.log_factor(features)

    def log_factor(self, features: Any, contexts: Sequence[Any] | None = None) -> Floats:
        """float64[N]: log P/a of any rows."""
        return self.log_tilt(features, contexts)


def fit(
    features: Any, log_weights: Any, targets: Any, *, names: Sequence[str] | None = None, enumerated: bool = False
) -> Fit:
    """Fit float64[F] exponents to ``targets`` float64[F] on rows ``features`` float64[N,F].

    ``log_weights`` float64[N] is log a - log q of rows drawn from q (0 where q is the base), or log a where the rows
    enumerate the whole support (say ``enumerated`` to leave out the diagnostics of sampling); -inf: outside the
    support. PlaygroundError where no weighting of the rows has these moments.
    """
    table = arrays.table(features, "features")
    weights = arrays.log_values(log_weights, "log_weights", len(table))
    wanted = arrays.vector(targets, "targets", table.shape[1])
    if not np.isfinite(wanted).all():
        raise PlaygroundError("A target must be a finite number.")
    support = weights > -np.inf
    if not support.any():
        raise refusals.no_rows(len(table))
    if not np.isfinite(table[support]).all():
        row = int(np.flatnonzero(support & ~np.isfinite(table).all(axis=1))[0])
        raise PlaygroundError(f"A feature has no finite value at row {row}; leave the row out with log_weights -inf.")
    if max(float(np.abs(table[support]).max()), float(np.abs(wanted).max())) > LARGEST:
        raise PlaygroundError(f"A feature or target lies beyond ±{LARGEST:g}, too large to be squared: rescale it.")
    names = arrays.names_of(names, table.shape[1])
    kept, directions = filtered(table, wanted, support, names)
    units = np.where(np.ptp(table[support], axis=0) > 0, table[support].std(axis=0), 1.0)
    solved = _solve(table, weights, wanted, kept, names, units)
    return _described(table, weights, wanted, support, _with(solved, directions), enumerated)


def at_exponents(features: Any, log_weights: Any, exponents: Any, *, enumerated: bool = False) -> Fit:
    """The target of exponents float64[F] that somebody has set, with the figures it has; its targets are the moments
    that come out, and its exponents have no errors."""
    table = arrays.table(features, "features")
    weights = arrays.log_values(log_weights, "log_weights", len(table))
    given = arrays.vector(exponents, "exponents", table.shape[1])
    support = weights > -np.inf
    if not support.any():
        raise refusals.no_rows(len(table))
    scores = weights[support] + (table[support] - table[support].mean(axis=0)) @ given
    moments = np.exp(scores - log_sum_exp(scores)) @ table[support]
    none, scaling = np.zeros((0, given.size)), Scaling.of(table[support], moments)
    solved = _Solved(given, support, none, replace(scaling, num_lost=0), Minimum(given, True, 0))
    found = _described(table, weights, moments, support, solved, enumerated)
    return replace(found, standard_errors=np.full(given.size, 0.0 if enumerated else np.nan))


@dataclass(frozen=True)
class _Solved:
    """The minimum, in the features' own units."""

    exponents: Floats
    kept: NDArray[np.bool_]
    directions: Floats
    scaling: Scaling
    minimum: Minimum


def _with(solved: _Solved, directions: Floats) -> _Solved:
    joined = np.concatenate([directions, solved.directions])
    return _Solved(solved.exponents, solved.kept, joined, solved.scaling, solved.minimum)


def _solve(
    table: Floats, weights: Floats, wanted: Floats, kept: NDArray[np.bool_], names: Sequence[str], units: Floats
) -> _Solved:
    """Minimise; where that does not settle, find out why: the targets are outside the hull, on a face, or too hard."""
    scaling = Scaling.of(table[kept], wanted, units)
    if scaling.outside is not None:
        raise refusals.not_together(names, wanted, scaling.outside, table[kept])
    dual = Dual(scaling.rows(table[kept]), weights[kept])
    minimum = minimise(dual)
    none = np.zeros((0, table.shape[1]))
    far = float(np.abs(dual.rows @ minimum.exponents).max(initial=0.0)) > FAR_SCORE
    if minimum.settled and not far:  # moderate exponents with these moments: the proof that the targets are inside
        return _Solved(scaling.exponents(minimum.exponents), kept, none, scaling, minimum)
    if dual.excludes_all(minimum.exponents):  # the search ran to infinity and met the proof on its way
        raise refusals.not_together(names, wanted, scaling.exponents(minimum.exponents), table[kept])
    on = face(dual.rows)
    if not on.inside:
        raise refusals.not_together(names, wanted, scaling.exponents(on.separating(dual.rows)), table[kept])
    directions = scaling.directions(on.directions)
    if on.support.all():  # inside after all, only far from where the search began
        minimum = minimum if minimum.settled else gradually(dual)
        return _Solved(scaling.exponents(minimum.exponents), kept, none, scaling, minimum)
    rows = kept.copy()
    rows[kept] = on.support
    return _with(_solve(table, weights, wanted, rows, names, units), directions)


def minimise(dual: Dual) -> Minimum:
    """Newton, or gradients alone where there are many features; nothing to do where no feature varies."""
    num_columns = dual.rows.shape[1]
    if num_columns == 0:
        return Minimum(np.zeros(0), True, 0)
    return newton(dual) if num_columns <= MANY_FEATURES else lbfgs(dual)


def _described(
    table: Floats, weights: Floats, wanted: Floats, support: NDArray[np.bool_], solved: _Solved, enumerated: bool
) -> Fit:
    # Everything is measured from the targets: λ·φ of a feature far from 0 would leave no digits for its differences.
    known = np.where(support[:, None], table - wanted, 0.0)
    scores = np.full(len(table), -np.inf)
    scores[solved.kept] = weights[solved.kept] + known[solved.kept] @ solved.exponents
    total, base_total = log_sum_exp(scores), log_sum_exp(weights)
    probabilities, base = np.exp(scores - total), np.exp(weights - base_total)
    gaps, base_gaps = probabilities @ known, base @ known
    tilt = Tilt.of(solved.exponents, solved.directions, wanted, known)
    ess, k = float(1 / (probabilities**2).sum()), pareto_k(probabilities[support])
    errors = np.zeros_like(wanted) if enumerated else solved.scaling.errors(table, wanted, probabilities)
    return Fit(
        exponents=tilt.limits,
        status=_status(solved, ess, k, int(support.sum()), enumerated),
        residual=float(np.abs(gaps).max(initial=0.0)),
        ess=ess,
        standard_errors=np.where(np.isinf(tilt.limits), np.nan, errors),
        largest_share=float(probabilities.max()),
        pareto_k=k,
        moments=wanted + gaps,
        base_moments=wanted + base_gaps,
        base_errors=np.sqrt(base**2 @ (known - base_gaps) ** 2),
        log_z=total - base_total + float(wanted @ solved.exponents),
        kl=float(gaps @ solved.exponents) - (total - base_total),
        num_iterations=solved.minimum.num_iterations,
        probabilities=probabilities,
        finite_exponents=solved.exponents,
        directions=solved.directions,
        heights=tilt.heights,
        targets=wanted,
    )


def _status(solved: _Solved, ess: float, k: float, num_rows: int, enumerated: bool) -> str:
    if not solved.minimum.settled:
        return "not_converged"
    warnings = []
    if solved.scaling.num_lost and not solved.directions.size:
        warnings.append(DEPENDENT)
    if not enumerated:
        warnings += shaky(ess, k, num_rows)
    return in_words(warnings)


DEPENDENT = "some features depend on each other, so these exponents are one choice of many"


def shaky(ess: float, k: float, num_rows: int, of: str = "") -> list[str]:
    """What makes an answer of so many rows shaky, in words; ``of`` says whose rows they are."""
    warnings = []
    if ess < LOW_ESS:
        warnings.append(f"the weights are worth only {ess:.0f} of {num_rows:,} rows{of}; draw more")
    if k > HIGH_K:
        warnings.append(f"a few rows{of} decide (tail shape {k:.2f}); another proposal helps more than more rows")
    return warnings


def in_words(warnings: Sequence[str]) -> str:
    """A status."""
    return "warning: " + "; ".join(warnings) if warnings else "converged"
