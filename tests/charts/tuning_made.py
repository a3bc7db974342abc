"""A tuning as the page gets it: a few points whose figures a test can name."""

from __future__ import annotations

from playground.control.exactness import Exactness
from playground.studies.tuning_views import FactsView, TuningView, point_view


def tuning_view(feature: str, num_points: int = 5) -> TuningView:
    """Distances that fall, a Z of 0.05 as the pool says, and one figure that is not known."""
    points = [
        point_view(
            3 * n, "online",
            Exactness(
                64, 2.5 / (n + 1), 0.9 - 0.1 * n, 0.3, 0.5 * n, 1.0, 0.1, 0.2 * n, (0.1 * n,), 0.1 * n, 0.1 * n, 0.5,
                0.8,
            ),
            float("nan") if n == 0 else 2.0 / n, 0.1 * n, 0.05, None, None,
        )
        for n in range(num_points)
    ]  # fmt: skip
    facts = FactsView(
        loss="forward_kl", features=[feature], pool_z=0.05, kl_floor=2.99, base_rate=0.05, target_rate=1.0,
        base_moments=[0.05], target_moments=[1.0], num_learnt=32, num_held_out=8, num_weights=2_442_240,
    )  # fmt: skip
    return TuningView(
        phase="online", message="", fraction=0.5, points=points, now=num_points - 1, texts=[], alarm=None, facts=facts
    )
