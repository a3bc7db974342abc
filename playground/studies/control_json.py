"""Fits and curves as plain data, for exports.

Knows nothing about pools or where the numbers came from. JSON knows no infinity and no NaN.
"""

from __future__ import annotations

import math
from typing import Any

from playground.control.context_fit import ContextFit
from playground.control.curve import Curve
from playground.control.fit import Fit


def fit_json(fitted: Fit) -> dict[str, Any]:
    """A fit as plain data; infinite exponents as texts, what is not known as null. Over several prompts also how they
    are meant (``contexts``) and each ``prompts``' own part."""
    return {
        "exponents": [finite(value) for value in fitted.exponents],
        "standard_errors": [finite(value) for value in fitted.standard_errors],
        "targets": fitted.targets.tolist(),
        "moments": fitted.moments.tolist(),
        "base_moments": fitted.base_moments.tolist(),
        "base_errors": fitted.base_errors.tolist(),
        "status": fitted.status,
        "residual": fitted.residual,
        "ess": fitted.ess,
        "largest_share": fitted.largest_share,
        "pareto_k": finite(fitted.pareto_k),
        "log_z": fitted.log_z,
        "kl": fitted.kl,
        **({"contexts": fitted.way, "prompts": parts_json(fitted)} if isinstance(fitted, ContextFit) else {}),
    }


def parts_json(fitted: ContextFit) -> list[dict[str, Any]]:
    """Each prompt's part of a target as plain data."""
    return [
        {
            "prompt": part.label,
            "num_texts": part.num_rows,
            "share": part.share,
            "base_moments": [finite(value) for value in part.base_moments],
            "moments": [finite(value) for value in part.moments],
            "exponents": [finite(value) for value in part.exponents],
            "standard_errors": [finite(value) for value in part.standard_errors],
            "log_z": finite(part.log_z),
            "kl": finite(part.kl),
            "ess": finite(part.ess),
        }
        for part in fitted.parts
    ]


def curve_json(curve: Curve) -> dict[str, Any]:
    """A curve as plain data."""
    return {
        "log_betas": curve.log_betas.tolist(),
        "acceptance_rate": curve.acceptance_rate.tolist(),
        "tvd": curve.tvd.tolist(),
        "kl": [finite(value) for value in curve.kl],
        "js": curve.js.tolist(),
        "tvd_bound": curve.tvd_bound.tolist(),
        "log_z": curve.ratios.log_z,
        "log_largest_ratio": curve.ratios.log_largest,
    }


def finite(value: float) -> float | str | None:
    """A number, ``inf`` or ``-inf`` as a text, None for what is not known."""
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else ("inf" if value > 0 else "-inf")
