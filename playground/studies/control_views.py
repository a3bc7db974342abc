"""What the page shows of control: gauges, figures, the curve, the list of accepted and rejected texts, as plain data.

Knows nothing about sessions, engines or drawing. Made anew at every drag, from an Analysis alone; no model is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np

from playground.control.arrays import Floats
from playground.control.curve import Curve
from playground.control.fit import HIGH_K, LOW_ESS, Fit
from playground.control.proportion import Z, score_interval
from playground.errors import PlaygroundError
from playground.studies.analysis import Analysis
from playground.studies.context_views import prompt_views
from playground.studies.control_asks import Ask, bare, beta_of, refusal_of, target_of
from playground.studies.control_bands import Between, PointBands, curve_band, point_bands
from playground.studies.control_json import finite
from playground.studies.control_texts import text_rows

MEASURES = ("tvd", "kl", "js")
HIGH_SHARE = 0.1
"""A single text that stands for more of the target than this is worth a warning."""


class GaugeView(TypedDict):
    """One feature: what it is on average under the model, what is wanted, what the fit gives."""

    label: str
    key: str
    yes_no: bool
    unit: str
    low: float
    high: float
    base: float
    base_error: float
    """Standard error of ``base``."""
    base_between: Between
    """Its 95 % interval."""
    target: float | None
    fitted: float | None
    at_beta: float | None
    at_beta_between: Between | None
    """95 % interval of ``at_beta``; None while something is dragged."""
    exponent: float | str | None
    error: float | str | None
    """Standard error of the exponent."""
    kind: str
    """``pointwise`` (a filter) or ``distributional``."""
    finds: bool
    """Whether it finds something in one place of a text, which is marked there."""
    refusal: str
    """Why this target cannot be met; empty where it can."""


class CurveView(TypedDict):
    """One proposal's line: figures at each β, divergences in nats."""

    label: str
    acceptance_rate: list[float]
    divergence: list[float | None]
    low: list[float | None]
    high: list[float | None]
    """95 % band of the divergence from resampled rows; empty while something is dragged."""
    moments: list[list[float]]
    floor: float
    """Share that this proposal can never write, 0 where it can write all. Of the target, and then no β brings TVD below
    that, where the first pool can write all; else of the model: its own pool cannot tell how much of the target is
    among it, and its line is drawn against the part within its reach."""
    floor_of: str
    """``target`` or ``model``."""
    largest: int
    """Which point is the largest ratio seen: to its right TVD 0 only says that none larger was seen."""


def control_view(analysis: Analysis, ask: Ask, others: Sequence[tuple[str, Analysis]] = ()) -> dict[str, Any]:
    """Everything the section shows for one pool; ``others``: pools of other proposals, overlaid on the curve."""
    ask = ask.filled(analysis)
    base = bare(analysis, ask.contexts)
    view: dict[str, Any] = {
        "num_rows": len(analysis.pool),
        "reasons": sorted({reason for reason in analysis.reasons.values()})[:3],
        "num_left_out": len(analysis.reasons),
        "reachable": list(analysis.reachable) if not analysis.enumerated else [1.0, 0.0],
        "enumerated": analysis.enumerated,
        "refusal": "",
        "measure": ask.measure,
        "contexts": ask.contexts,
    }
    try:
        target = target_of(analysis, ask)
    except PlaygroundError as refusal:
        gauges = _gauges(analysis, base, None, ask, None)
        return view | {"refusal": str(refusal), "gauges": gauges, "prompts": prompt_views(analysis, base, None, ask)}
    log_ratio = analysis.log_ratio(target)
    curve = analysis.curve(log_ratio)
    log_beta = beta_of(curve, ask)
    point = analysis.curve(log_ratio, np.array([log_beta]))
    lines = [_line("this pool" if others else "", analysis, curve, ask)]
    for label, other in others:
        if other.prompts != analysis.prompts:  # one of them is still being drawn or read
            continue
        against = other.curve(other.log_ratio(target))
        cut = other.pool.truncated and not analysis.pool.truncated  # this pool has seen what that one cannot write
        lines.append(_line(label, other, against.missing(curve.ratios.log_z) if cut else against, ask, cut))
    taken = analysis.accepted(log_ratio, log_beta)
    bands = point_bands(point, ask.measure, analysis.values) if _has_bands(analysis, ask) else None
    return view | {
        "gauges": _gauges(analysis, base, target, ask, point.moments(analysis.values)[0], bands),
        "prompts": prompt_views(analysis, base, target, ask),
        "fit": _figures(analysis, target),
        "beta": _point(curve, point, log_beta, ask),
        "bands": bands,
        "lines": lines,
        "num_accepted": int(taken.sum()),
        "rows": text_rows(analysis, target, log_ratio, log_beta, taken, ask.only),
    }


def _gauges(
    analysis: Analysis, base: Fit, target: Fit | None, ask: Ask, at_beta: Floats | None, bands: PointBands | None = None
) -> list[GaugeView]:
    gauges = []
    for j, one in enumerate(analysis.features):
        values = analysis.values[:, j]
        wanted = float(ask.targets[j]) if j < len(ask.targets) else None
        refusal = "" if target is not None or wanted is None else refusal_of(analysis, j, ask)
        gauges.append(
            GaugeView(
                label=one.label,
                key=one.key,
                yes_no=one.yes_no,
                unit=one.unit,
                low=0.0 if one.yes_no else float(values.min()),
                high=1.0 if one.yes_no else float(values.max()),
                base=float(base.base_moments[j]),
                base_error=0.0 if analysis.enumerated else float(base.base_errors[j]),
                base_between=_base_between(analysis, base, j),
                target=wanted if ask.exponents is None else None,
                fitted=None if target is None else float(target.moments[j]),
                at_beta=None if at_beta is None else float(at_beta[j]),
                at_beta_between=None if bands is None else bands["moments"][j],
                exponent=None if target is None else finite(target.exponents[j]),
                error=None if target is None else finite(target.standard_errors[j]),
                kind="pointwise" if one.yes_no and wanted in (0.0, 1.0) and j not in ask.free else "distributional",
                finds=bool(one.finders),
                refusal=refusal,
            )
        )
    return gauges


def _base_between(analysis: Analysis, base: Fit, j: int) -> Between:
    """The 95 % interval of a feature's mean under the model: that of a share where it is one."""
    mean, error = float(base.base_moments[j]), float(base.base_errors[j])
    if analysis.enumerated:
        return mean, mean
    if analysis.features[j].yes_no:
        return score_interval(min(1.0, max(0.0, mean)), error, base.ess)
    return mean - Z * error, mean + Z * error


def _figures(analysis: Analysis, target: Fit) -> dict[str, Any]:
    return {
        "status": target.status,
        "kl": target.kl,
        "log_z": target.log_z,
        "ess": target.ess,
        "ess_share": target.ess / len(analysis.pool),
        "largest_share": target.largest_share,
        "pareto_k": finite(target.pareto_k),
        "residual": target.residual,
        "limits": {"ess": LOW_ESS, "k": HIGH_K, "share": HIGH_SHARE},
    }


def _point(curve: Curve, point: Curve, log_beta: float, ask: Ask) -> dict[str, Any]:
    rate = float(point.acceptance_rate[0])
    return {
        "log_beta": log_beta,
        "low": float(curve.log_betas[0]),
        "high": float(curve.log_betas[-1]),
        "log_beta_over_z": log_beta - curve.ratios.log_z,
        "log_largest": curve.ratios.log_largest,
        "acceptance_rate": rate,
        "per_accepted": 1 / rate if rate > 0 else None,
        "tvd": float(point.tvd[0]),
        "kl": finite(point.kl[0]),
        "js": float(point.js[0]),
        "tvd_bound": float(point.tvd_bound[0]),
        "kl_from_proposal": float(point.kl_from_proposal[0]),
        "divergence": finite(getattr(point, ask.measure)[0]),
    }


def _line(label: str, analysis: Analysis, curve: Curve, ask: Ask, of_target: bool = False) -> CurveView:
    def figure(one: Curve) -> Floats:
        values: Floats = getattr(one, ask.measure)
        return values

    low, high = curve_band(curve, ask.measure) if _has_bands(analysis, ask) else (np.zeros(0), np.zeros(0))
    return CurveView(
        label=label,
        acceptance_rate=curve.acceptance_rate.tolist(),
        divergence=[_number(value) for value in figure(curve)],
        low=[_number(value) for value in low],
        high=[_number(value) for value in high],
        moments=curve.moments(analysis.values).T.tolist(),
        floor=curve.ratios.unreachable_share if of_target else _floor(analysis),
        floor_of="target" if of_target else "model",
        largest=int(np.argmin(np.abs(curve.log_betas - curve.ratios.log_largest))),
    )


def _floor(analysis: Analysis) -> float:
    return 0.0 if analysis.enumerated else 1 - analysis.reachable[0]


def _has_bands(analysis: Analysis, ask: Ask) -> bool:
    """Whether anything is uncertain, and there is time to say how much."""
    return ask.bands and not analysis.enumerated


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
