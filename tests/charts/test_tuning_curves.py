"""The curves of a tuning show the points as they are, beside the levels that an exact policy would reach."""

from __future__ import annotations

from playground.charts import tuning_curves
from tests.charts.tuning_made import tuning_view

VIEW = tuning_view("contains <b>")
FIGURES = tuning_curves.figures(VIEW)


def test_the_lines_are_the_points() -> None:
    held_out, own, moved, floor = FIGURES["distance"]["data"]
    assert held_out["x"] == [0, 3, 6, 9, 12] and held_out["y"] == [None, 2.0, 1.0, 2 / 3, 0.5]
    assert own["y"] == [2.5, 1.25, 2.5 / 3, 0.625, 0.5] and moved["y"] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert floor["y"] == [2.99, 2.99]


def test_levels_are_where_an_exact_policy_stands() -> None:
    z, pool = FIGURES["mass"]["data"]
    assert z["y"] == [0.05] * 5 and z["error_y"]["array"] == [0.005000000000000001] * 5 and pool["y"] == [0.05] * 2
    feature, target = FIGURES["moments"]["data"]
    assert feature["name"] == "contains &lt;b&gt;" and feature["meta"] == "contains <b>" and target["y"] == [1.0, 1.0]


def test_axes_hold_everything_and_move_seldom() -> None:
    longer = tuning_curves.figures(tuning_view("a", 4))
    for name, figure in FIGURES.items():
        assert figure["layout"]["xaxis"]["range"] == [-0.6, 20.6] and figure["layout"]["xaxis"]["dtick"] == 4
        assert longer[name]["layout"]["xaxis"]["range"] == [-0.3, 10.3]
        assert figure["layout"]["yaxis"]["range"] == longer[name]["layout"]["yaxis"]["range"], name
