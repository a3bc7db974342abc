"""Why a target cannot be met, in words, with the sample size that would make it worth asking again.

Knows nothing about optimisation: numbers in, a PlaygroundError out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from playground.control.arrays import Floats
from playground.errors import PlaygroundError

RULE_OF_THREE = 3.0
"""0 of n seen: with 95 % confidence the rate is below 3/n."""
WANTED_HITS = 10
"""So few occurrences are the least a fit can stand on: its exponent is then good to about a third of a nat."""
MAX_TERMS = 4
"""So many features are named where a combination of them contradicts itself."""


def out_of_range(name: str, target: float, low: float, high: float, num_rows: int, yes_no: bool) -> PlaygroundError:
    """The target is beyond everything seen. ``yes_no``: the feature is 0 or 1 in every row."""
    if yes_no and not 0 <= target <= 1:
        return PlaygroundError(
            f"{name}: a mean of {_apart(target, 1.0)} is impossible for something that a text has or has not, whose "
            f"mean lies between 0 and 1: no sample is large enough. (If it can be another number, none was seen in "
            f"{num_rows:,} rows.)"
        )
    if yes_no:
        seen, wanted = ("never", f"a share of {target:g}") if high == 0 else ("always", f"a share of only {target:g}")
        what = "" if high == 0 else "the opposite of "
        return PlaygroundError(
            f"{name} was {seen} so in {num_rows:,} rows, and {wanted} is asked: no exponent can make what was not "
            f"seen. With 95 % confidence {what}it is rarer than {RULE_OF_THREE / num_rows:.2g}; to see it "
            f"{WANTED_HITS} times takes {round(num_rows * WANTED_HITS / RULE_OF_THREE):,} rows or more. Draw a larger "
            "pool, or draw it from a proposal where this happens (a prompt that asks for it)."
        )
    return PlaygroundError(
        f"{name}: a mean of {_apart(target, low if target < low else high)} is outside what was seen, {low:g} to "
        f"{high:g} in {num_rows:,} rows. Only to see "
        f"anything beyond that with an even chance takes {2 * num_rows:,} rows in all; choose a target inside, or a "
        "proposal that reaches further."
    )


def not_together(names: Sequence[str], targets: Floats, direction: Floats, features: Floats) -> PlaygroundError:
    """Each target is within its range, but no mixture of the rows has them all. ``direction`` float64[F] separates."""
    part = direction / max(float(np.abs(direction).max()), 1e-300)
    used = np.flatnonzero(np.abs(part) > 1e-6)
    shown = used[np.argsort(-np.abs(part[used]), kind="stable")][:MAX_TERMS]
    terms = " ".join(f"{part[j]:+.3g}·({names[int(j)]})" for j in shown)
    if len(used) > len(shown):
        terms += f" and {len(used) - len(shown)} smaller terms"
    num_rows = len(features)
    most, asked = float((features[:, used] @ part[used]).max()), float(targets[used] @ part[used])
    return PlaygroundError(
        f"These targets contradict each other: {terms} is at most {_apart(most, asked)} in each of "
        f"{num_rows:,} rows, and the targets ask for a mean of {_apart(asked, most)}. Move one of them, or draw more: "
        f"only an even chance to see a row beyond that takes {2 * num_rows:,} rows in all."
    )


def no_rows(num_rows: int) -> PlaygroundError:
    """Nothing has any weight."""
    return PlaygroundError(
        f"None of the {num_rows:,} rows has any weight: the pointwise constraints exclude them all. With 95 % "
        f"confidence what they allow is rarer than {RULE_OF_THREE / max(num_rows, 1):.2g}; draw at least "
        f"{round(num_rows * WANTED_HITS / RULE_OF_THREE):,} rows, or from a proposal that reaches it."
    )


def _apart(value: float, other: float) -> str:
    """With as many digits as it takes to tell it from the other."""
    digits = next((digits for digits in range(4, 17) if f"{value:.{digits}g}" != f"{other:.{digits}g}"), 17)
    return f"{value:.{digits}g}"
