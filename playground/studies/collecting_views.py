"""What the page shows of a collection: what it aims at, how far it is, what the fresh proposals say of the pool's word.

Knows nothing about sessions, engines or drawing. The fresh proposals were never seen by the fit, nor by whoever chose
β: their figures are a test of the pool's.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np

from playground.control.proportion import Z, proportion_interval, score_interval
from playground.control.qrs import qrs
from playground.control.sampling import chances
from playground.studies.analysis import Analysis, LogRatio, ratio_to
from playground.studies.collecting import Collection, Judged
from playground.studies.control_asks import Ask, beta_of, target_of
from playground.studies.control_json import finite, fit_json
from playground.studies.control_texts import MARKING_S, TextRow, marks_in

NUM_TOLD = 200
"""Accepted texts in one answer, fewer where marking them takes long; the next question gets the next ones."""
ENOUGH_FOR_TVD = 30
ROUNDING = 1e-9


class MeanView(TypedDict):
    """One feature among the accepted texts, beside what the pool said it would be."""

    label: str
    yes_no: bool
    unit: str
    exponent: float | str | None
    target: float
    at_beta: float
    """Under what is accepted at this β, by the pool."""
    mean: float | None
    low: float | None
    high: float | None
    """95 % interval."""


@dataclass(frozen=True)
class Promise:
    """A target and a β as they were when the collecting began, and what the pool says of them."""

    log_ratio: LogRatio
    log_beta: float
    rate: float
    between: tuple[float, float]
    """95 % interval of the rate, from the pool's size; the exponents stay as they are."""
    tvd: float
    means: tuple[MeanView, ...]
    fit: dict[str, Any] = field(default_factory=dict)
    """The target itself, as an export tells it."""
    prompts: tuple[str, ...] = ()
    """Where there are several."""

    @classmethod
    def of(cls, analysis: Analysis, ask: Ask) -> Promise:
        """PlaygroundError where the target cannot be."""
        ask = ask.filled(analysis)
        target = target_of(analysis, ask)
        log_ratio = analysis.log_ratio(target)
        log_beta = beta_of(analysis.curve(log_ratio), ask)
        point = analysis.curve(log_ratio, np.array([log_beta]))
        means = [
            MeanView(
                label=one.label,
                yes_no=one.yes_no,
                unit=one.unit,
                exponent=finite(exponent),
                target=float(moment),
                at_beta=float(at_beta),
                mean=None,
                low=None,
                high=None,
            )
            for one, exponent, moment, at_beta in zip(
                analysis.features, target.exponents, target.moments, point.moments(analysis.values)[0], strict=True
            )
        ]
        prompts = analysis.context_rows.labels if analysis.has_prompts else ()
        kept = chances(log_ratio, log_beta)
        rate = float(point.acceptance_rate[0])
        error = float(kept.std(ddof=1) / math.sqrt(kept.size)) if kept.size > 1 else 1.0
        between = score_interval(min(1.0, rate), error, kept.size)
        return cls(
            ratio_to(target), log_beta, rate, between, float(point.tvd[0]), tuple(means), fit_json(target), prompts
        )


def collection_view(collection: Collection, promise: Promise, since: int = 0) -> dict[str, Any]:
    """Figures as they stand, and the accepted texts from number ``since`` on."""
    judged, rule = collection.all, collection.aim.rule
    num_proposed, num_accepted = collection.num_proposed, collection.num_accepted
    low, high = proportion_interval(num_accepted, num_proposed)
    above = judged.log_ratio > promise.log_beta + ROUNDING
    return {
        "reason": collection.reason,
        "ending": collection.ending,
        "num_wanted": rule.num_accepted,
        "max_proposals": rule.max_proposals,
        "precision": rule.precision,
        "num_accepted": num_accepted,
        "num_proposed": num_proposed,
        "rate": num_accepted / num_proposed if num_proposed else None,
        "low": low,
        "high": high,
        "unbiased": _unbiased(collection),
        "promised": {"rate": promise.rate, "between": promise.between, "tvd": promise.tvd},
        "log_beta": promise.log_beta,
        "num_above": int(above.sum()),
        "largest": float(np.exp(judged.log_ratio[above].max() - promise.log_beta)) if above.any() else None,
        "tvd": _tvd(judged, promise.log_beta),
        "means": _means(judged, promise),
        "num_left_out": len(judged.reasons),
        "reasons": sorted(set(judged.reasons.values()))[:3],
        "since": since,
        "rows": _rows(collection, promise, judged, since),
    }


def _unbiased(collection: Collection) -> float | None:
    """Where an accepted text was the signal to stop, k of N says a little too much; this does not (Haldane 1945)."""
    if collection.reason != "enough" or collection.num_accepted < 2:
        return None
    return (collection.num_accepted - 1) / (collection.num_proposed - 1)


def _tvd(judged: Judged, log_beta: float) -> float | None:
    """The distance of the accepted from the target, as the fresh proposals alone see it; None while they are few."""
    if len(judged.numbers) < ENOUGH_FOR_TVD or not (judged.log_ratio > -np.inf).any():
        return None
    log_q = judged.rows.log_proposal
    return float(qrs(judged.log_ratio + log_q, log_q, [log_beta]).tvd[0])


def _means(judged: Judged, promise: Promise) -> list[MeanView]:
    values = judged.values[judged.taken]
    found = []
    for j, one in enumerate(promise.means):
        column = values[:, j]
        mean = float(column.mean()) if column.size else None
        low = high = None
        if one["yes_no"] and column.size:
            low, high = proportion_interval(round(float(column.sum())), column.size)
        elif column.size > 1 and mean is not None:
            wide = Z * float(column.std(ddof=1)) / math.sqrt(column.size)
            low, high = mean - wide, mean + wide
        found.append(MeanView(**{**one, "mean": mean, "low": low, "high": high}))
    return found


def _rows(collection: Collection, promise: Promise, judged: Judged, since: int) -> list[TextRow]:
    wanted = np.flatnonzero(judged.taken)[since : since + NUM_TOLD]
    keep = chances(judged.log_ratio[wanted], collection.aim.log_beta)
    texts, darts, contexts = judged.rows.texts, judged.rows.uniforms, judged.rows.contexts
    numbers = {label: number for number, label in enumerate(promise.prompts)}
    told: list[TextRow] = []
    until = time.monotonic() + MARKING_S
    for row, chance in zip(wanted, keep, strict=True):
        if told and time.monotonic() > until:
            break
        told.append(
            TextRow(
                text=texts[row].text,
                prompt=numbers.get(contexts[row]),
                keep=float(chance),
                u=float(darts[row]),
                accepted=True,
                values=judged.values[row].tolist(),
                marks=marks_in(texts[row].text, collection.aim.features),
                p=[],
            )
        )
    return told
