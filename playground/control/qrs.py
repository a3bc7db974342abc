"""Quasi-rejection sampling on rows: what acceptance rate buys how much divergence, for every β, from one sort.

Knows nothing about models or features. Accept x ~ q with probability min(1, P(x)/(β q(x))); the accepted follow
p_β ∝ min(P, βq) (Eikema et al., arXiv 2112.05702). Sorted by log P/q, every figure is a prefix sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from playground.control import arrays
from playground.control.curve import Curve
from playground.control.ratios import Ratios
from playground.errors import PlaygroundError

MOST = 1e-3
"""log of what probabilities may add up to: 1, and what float32 makes of it."""


def qrs(log_target: Any, log_proposal: Any, log_betas: Any, log_weights: Any = None) -> Curve:
    """The curve at ``log_betas`` float64[M] (-inf and +inf are the limits), for rows with log P ``log_target``
    float64[N] (-inf: outside the target) and log q ``log_proposal`` float64[N].

    ``log_weights``: log of each row's probability under the proposal, which is log q itself where the rows enumerate
    the support; None: the rows are draws from the proposal, 1/N each. A row the proposal cannot reach (-inf in both)
    keeps its target mass: it is the floor under TVD, and KL is infinite.
    """
    return Curve(ratios(log_target, log_proposal, log_weights), log_betas_of(log_betas))


def ratios(log_target: Any, log_proposal: Any, log_weights: Any = None) -> Ratios:
    """The rows sorted by P/q, checked."""
    target = arrays.log_values(log_target, "log_target")
    proposal = arrays.log_values(log_proposal, "log_proposal", target.size)
    if not target.size:
        raise PlaygroundError("There are no rows: draw a pool first.")
    unreachable = proposal == -np.inf
    if log_weights is None:
        if unreachable.any():
            row = int(np.flatnonzero(unreachable)[0])
            raise PlaygroundError(
                f"Row {row} has probability 0 under the proposal, so it cannot be a draw from it. Where the rows "
                "enumerate the support, give log_weights."
            )
        weights = np.full(target.size, -np.log(target.size))
    else:
        weights = arrays.log_values(log_weights, "log_weights", target.size)
        if (unreachable & (weights > -np.inf)).any():
            row = int(np.flatnonzero(unreachable & (weights > -np.inf))[0])
            raise PlaygroundError(f"Row {row} has a weight, but probability 0 under the proposal.")
        if (total := float(np.logaddexp.reduce(weights))) > MOST:
            raise PlaygroundError(
                f"log_weights are the rows' probabilities under the proposal, and these add up to e^{total:.4g} "
                f"instead of at most 1. Subtract {total:.6g} from each, or leave them out where the rows are draws."
            )
    return Ratios.of(target, proposal, weights)


def log_betas_of(values: Any) -> arrays.Floats:
    """float64[M]; NaN is refused."""
    return arrays.vector(values, "log_betas")
