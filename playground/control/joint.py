"""A target over several prompts in any of three ways, as one value: log P/a of a row follows its prompt.

Knows nothing about what a prompt is. With λ_c the exponents of prompt c, P(c, x) = τ_c a(x|c) exp(λ_c·φ(x)) / K_c.
*pooled*: one λ, K = 1, so that prompts' shares move with Z_c (arXiv 2012.11635); *averaged*: one λ, K_c = Z_c, every
prompt keeps its share (2112.00791); *each*: λ_c and K_c = Z_c, every prompt meets the target by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from playground.control import arrays
from playground.control.context_fit import ContextFit, Made, described
from playground.control.contexts import ContextRows, fit_per_context, fit_pooled, quoted, solve_averaged
from playground.control.fit import DEPENDENT, Fit, in_words, shaky
from playground.control.tilt import Tilt
from playground.errors import PlaygroundError

WAYS = ("pooled", "averaged", "each")


def fit_joint(rows: ContextRows, targets: Any, way: str = "pooled", names: Sequence[str] | None = None) -> ContextFit:
    """The target in one of WAYS. ``targets``: float64[F]; for ``each`` also float64[C,F], a prompt's own in each row.
    PlaygroundError where it cannot be met, with the prompt where it is one prompt's fault."""
    check_way(way)
    if way == "each":
        return _each(rows, targets, names)
    if way == "averaged":
        wanted = arrays.vector(targets, "targets", rows.features.shape[1])
        shared = solve_averaged(rows, wanted, names)
        warnings = [DEPENDENT] if shared.scaling.num_lost and not shared.tilt.directions.size else []
        status = "" if shared.minimum.settled else "not_converged"
        made = Made(way, (shared.tilt,) * len(rows.labels), wanted, status, warnings, shared.minimum.num_iterations)
        return described(rows, made)
    pooled = fit_pooled(rows, targets, names)
    tilts = (pooled.tilt,) * len(rows.labels)
    return described(rows, Made(way, tilts, pooled.targets, pooled.status, [], pooled.num_iterations))


def tilted(rows: ContextRows, exponents: Any, way: str = "pooled") -> ContextFit:
    """The target of exponents float64[F] that somebody has set, ``pooled`` or ``averaged``, with the figures it has."""
    check_way(way)
    if way == "each":
        raise PlaygroundError("Exponents set by hand are one set for all prompts: choose pooled or averaged for that.")
    given = arrays.vector(exponents, "exponents", rows.features.shape[1])
    return described(rows, Made(way, (Tilt.by_hand(given),) * len(rows.labels), None, "", [], 0))


def check_way(way: str) -> None:
    """PlaygroundError for a name that is none."""
    if way not in WAYS:
        raise PlaygroundError(f"contexts is one of {', '.join(WAYS)}; got {str(way)[:40]}.")


def _each(rows: ContextRows, targets: Any, names: Sequence[str] | None) -> ContextFit:
    fits: list[Fit] = []
    refused: list[str] = []
    for label, found in fit_per_context(rows, targets, names).items():
        if isinstance(found, str):
            refused.append(f"Prompt {quoted(label)}: {found}")
        else:
            fits.append(found)
    if refused:
        more = f" (and {len(refused) - 1} more of {len(rows.labels)} prompts)" if len(refused) > 1 else ""
        raise PlaygroundError(refused[0] + more)
    weakest = min(range(len(fits)), key=lambda number: fits[number].ess)
    heaviest = max(range(len(fits)), key=lambda number: np.nan_to_num(fits[number].pareto_k, nan=-np.inf))
    warnings = [DEPENDENT] if any(DEPENDENT in one.status for one in fits) else []
    if not rows.enumerated:
        for number in dict.fromkeys((weakest, heaviest)):
            of = f" of prompt {quoted(rows.labels[number])}"
            num_rows = int((rows.which == number).sum())
            warnings += shaky(fits[number].ess, fits[number].pareto_k, num_rows, of)
    status = "not_converged" if any(one.status == "not_converged" for one in fits) else in_words(warnings)
    wanted = rows.shares @ np.array([one.targets for one in fits])
    iterations = sum(one.num_iterations for one in fits)
    made = Made("each", tuple(one.tilt for one in fits), wanted, status, [], iterations)
    residual = max(one.residual for one in fits)
    return described(rows, made, np.array([one.standard_errors for one in fits]), residual)
