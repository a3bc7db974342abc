"""Features on texts: a table of numbers, remembered by text; what raises on one text ends that text, with the reason.

Knows nothing about pools or targets.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from playground.control.arrays import Floats
from playground.control.features import Feature
from playground.control.texts import Text, Unreadable
from playground.errors import PlaygroundError

MAX_REMEMBERED = 150_000
"""About 30 MB for a tab: the most texts of the page under the most features, once."""


@dataclass(frozen=True)
class Evaluated:
    """``values`` float64[N,F], NaN in the rows that have a reason; ``reasons``: row -> what went wrong."""

    values: Floats
    reasons: dict[int, str]


@dataclass
class Evaluator:
    """Scores texts and remembers; one for a session or a study."""

    _seen: OrderedDict[tuple[str, Text], float | str] = field(default_factory=OrderedDict)

    def table(self, features: Sequence[Feature], texts: Sequence[Text]) -> Evaluated:
        """All features of all texts; only what was never asked is computed, each distinct text once."""
        values = np.full((len(texts), len(features)), np.nan)
        reasons: dict[int, str] = {}
        for column, one in enumerate(features):
            found = self._column(one, texts)
            for row, value in enumerate(found):
                if isinstance(value, str):
                    reasons.setdefault(row, f"{one.label}: {value}")
                else:
                    values[row, column] = value
        if reasons:
            values[list(reasons)] = np.nan
        return Evaluated(values, reasons)

    def _column(self, one: Feature, texts: Sequence[Text]) -> list[float | str]:
        known: dict[Text, float | str] = {}
        missing: list[Text] = []
        for text in dict.fromkeys(texts):
            value = self._seen.get((one.key, text))
            if value is None:
                missing.append(text)
            else:
                known[text] = value
        for text, value in zip(missing, scores(one, missing), strict=True):
            known[text] = self._seen[one.key, text] = value
        while len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return [known[text] for text in texts]


def scores(one: Feature, texts: Sequence[Text]) -> list[float | str]:
    """A number for each text, or the reason why there is none. All at once; one by one where that raises. Unreadable
    where no text is to blame."""
    if not texts:
        return []
    try:
        found = [float(value) for value in one.score(texts)]
    except Unreadable:
        raise
    except Exception as error:
        if len(texts) == 1:
            return [_reason(error)]
        return [scores(one, [text])[0] for text in texts]
    if len(found) != len(texts):
        raise PlaygroundError(f"{one.label} answered {len(found)} numbers for {len(texts)} texts.")
    return [value if np.isfinite(value) else "the answer is not a finite number" for value in found]


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, PlaygroundError) else type(error).__name__
