"""Bands of the curve: they hold what is measured, agree with theory where there is some, and JS has one too."""

from __future__ import annotations

import time

import numpy as np
import pytest

from playground.control.curve import Curve
from playground.control.evaluation import Evaluator
from playground.control.features import features
from playground.control.pool import Pool
from playground.control.texts import Text
from playground.studies.analysis import Analysis
from playground.studies.control_asks import Ask
from playground.studies.control_bands import curve_band, point_bands
from playground.studies.control_views import control_view


def pool(num_rows: int, seed: int = 0) -> Analysis:
    """Texts of which one in five has the word; a proposal that is a little off the model."""
    rng = np.random.default_rng(seed)
    texts = tuple(Text("moon" if rng.random() < 0.2 else f"text {row}", 2, 4.0) for row in range(num_rows))
    logs = np.full(num_rows, -3.0)
    log_q = logs + 0.2 * rng.standard_normal(num_rows)
    made = Pool(texts, logs, log_q, rng.random(num_rows), ("p",) * num_rows, ((1,),) * num_rows)
    return Analysis.of(made, features(["moon"]), Evaluator())


def at(analysis: Analysis, log_beta: float) -> tuple[Curve, Curve]:
    ratio = analysis.log_ratio(analysis.fit([0.5]))
    return analysis.curve(ratio), analysis.curve(ratio, np.array([log_beta]))


@pytest.mark.parametrize("measure", ["tvd", "kl", "js"])
def test_every_measure_has_a_band_around_its_line(measure: str) -> None:
    curve, _ = at(pool(400), 0.5)
    low, high = curve_band(curve, measure)
    line = getattr(curve, measure)
    inside = (low - 1e-3 <= line) & (line <= high + 1e-3)
    assert len(low) == len(line) and (low <= high).all() and inside.mean() > 0.9
    assert (high - low).max() > 0.003, "it is no line"


def test_the_width_is_that_of_theory() -> None:
    """The acceptance rate is a mean over n texts, so its interval is ± 1.96 standard deviations over √n."""
    analysis = pool(1_000)
    _, point = at(analysis, 1.0)
    bands = point_bands(point, "tvd", analysis.values)
    keep = np.exp(np.minimum(0.0, analysis.log_ratio(analysis.fit([0.5])) - 1.0))
    low, high = bands["acceptance_rate"]
    assert low < keep.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * keep.std() / np.sqrt(1_000), rel=0.3)
    (moment,) = bands["moments"]
    assert moment[0] < point.moments(analysis.values)[0, 0] < moment[1]


def test_a_view_says_how_sure_it_is_once_nothing_is_dragged() -> None:
    analysis = pool(300)
    dragged, settled = (control_view(analysis, Ask((0.5,), measure="js", bands=bands)) for bands in (False, True))
    assert dragged["bands"] is None and dragged["gauges"][0]["at_beta_between"] is None
    assert not dragged["lines"][0]["low"] and len(settled["lines"][0]["low"]) == len(settled["lines"][0]["divergence"])
    low, high = settled["gauges"][0]["at_beta_between"]
    assert low <= settled["gauges"][0]["at_beta"] <= high


def test_the_largest_pool_of_the_page_is_soon_sure() -> None:
    curve, _ = at(pool(5_000), 0.5)
    started = time.perf_counter()
    curve_band(curve, "js")
    assert time.perf_counter() - started < 3.0  # a fraction of a second on a quiet machine
