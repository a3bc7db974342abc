"""Collecting accepted texts: fresh proposals, each judged by its own dart, until a rule says stop. Never endless.

Knows nothing about how proposals are written or shown. Target and β stand still from the start; the accepted and the
rejected are kept. (Quasi-rejection sampling, Eikema et al., arXiv 2112.05702; the rules are in control/stopping.py.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.control.arrays import Floats
from playground.control.evaluation import Evaluator
from playground.control.features import Feature
from playground.control.pool import Pool
from playground.control.sampling import accepted
from playground.control.stopping import Reason, StoppingRule, in_words
from playground.control.texts import Text
from playground.studies.analysis import LogRatio
from playground.studies.fresh_texts import FreshRows, FreshTexts
from playground.studies.reading import at_a_time


@dataclass(frozen=True)
class Aim:
    """What is collected: texts x with log P(x)/q(x) = ``log_ratio``, each kept with probability min(1, P/(βq))."""

    features: tuple[Feature, ...]
    log_ratio: LogRatio
    log_beta: float
    rule: StoppingRule


@dataclass(frozen=True)
class Judged:
    """N proposals with the verdict on each."""

    rows: Pool
    numbers: tuple[int, ...]
    values: Floats
    """float64[N,F]; NaN in the rows that have a reason."""
    log_ratio: Floats
    """float64[N]: log P/q; -inf where the target excludes the text, or a feature raised on it."""
    taken: NDArray[np.bool_]
    reasons: dict[int, str]
    """Row -> what went wrong with its features."""

    @classmethod
    def joined(cls, parts: list[Judged], num_features: int) -> Judged:
        """All of them, in order."""
        starts = np.cumsum([0, *(len(part.numbers) for part in parts)])
        placed = zip(starts.tolist(), parts, strict=False)
        reasons = {start + row: why for start, one in placed for row, why in one.reasons.items()}
        return cls(
            Pool.joined([part.rows for part in parts]),
            tuple(number for part in parts for number in part.numbers),
            np.concatenate([np.zeros((0, num_features)), *(part.values for part in parts)]),
            np.concatenate([np.zeros(0), *(part.log_ratio for part in parts)]),
            np.concatenate([np.zeros(0, dtype=bool), *(part.taken for part in parts)]),
            reasons,
        )

    def first(self, num_rows: int) -> Judged:
        """The first of them."""
        rows = range(num_rows)
        reasons = {row: why for row, why in self.reasons.items() if row < num_rows}
        return Judged(
            self.rows.of(rows), self.numbers[:num_rows], self.values[:num_rows], self.log_ratio[:num_rows],
            self.taken[:num_rows], reasons,
        )  # fmt: skip


@dataclass
class Collection:
    """What has been collected so far. ``judge`` may run anywhere, ``add`` where the collection is read."""

    aim: Aim
    evaluator: Evaluator = field(default_factory=Evaluator)
    num_proposed: int = 0
    num_accepted: int = 0
    reason: Reason | None = None
    """Why it ended; None while it goes on."""
    _parts: list[Judged] = field(default_factory=list)

    def judge(self, fresh: FreshRows) -> Judged:
        """Features, ratio and verdict of some proposals; changes nothing but what the evaluator remembers."""
        rows, aim = fresh.rows, self.aim
        table = self.evaluator.table(aim.features, rows.texts)
        good = [row for row in range(len(rows)) if row not in table.reasons]
        log_ratio = np.full(len(rows), -np.inf)
        if good:
            log_ratio[good] = aim.log_ratio(rows.of(good), table.values[good])
        taken = accepted(log_ratio, rows.uniforms, aim.log_beta)
        return Judged(rows, fresh.numbers, table.values, log_ratio, taken, table.reasons)

    def add(self, judged: Judged) -> list[Text]:
        """Count them one by one until the rule says stop; what comes behind that is as if it had never been drawn.
        The accepted ones among them."""
        texts: list[Text] = []
        for row, text in enumerate(judged.rows.texts):
            if self.reason is not None:
                judged = judged.first(row)
                break
            self.num_proposed += 1
            if judged.taken[row]:
                self.num_accepted += 1
                texts.append(text)
            self.reason = self.aim.rule.reason(self.num_proposed, self.num_accepted)
        self._parts.append(judged)
        return texts

    def end(self) -> None:
        """Somebody has ended it, unless it had ended."""
        self.reason = self.reason or "cancelled"

    @property
    def all(self) -> Judged:
        """Every proposal that counts, accepted or rejected, in order."""
        self._parts = [Judged.joined(self._parts, len(self.aim.features))]
        return self._parts[0]

    def as_it_stands(self) -> Collection:
        """A copy to be read elsewhere while this one goes on."""
        return replace(self, _parts=[self.all])

    @property
    def ending(self) -> str:
        """Why it ended, for people; empty while it goes on."""
        return "" if self.reason is None else in_words(self.reason, self.num_proposed, self.num_accepted)

    def to_json(self) -> dict[str, Any]:
        """All proposals with what decided on each (JSON has no infinity: null where the target excludes the text)."""
        judged, rule = self.all, self.aim.rule
        ratios = [value if np.isfinite(value) else None for value in judged.log_ratio.tolist()]
        values = [None if row in judged.reasons else found for row, found in enumerate(judged.values.tolist())]
        return {
            "features": [one.to_json() for one in self.aim.features],
            "log_beta": self.aim.log_beta,
            "rule": {
                "num_accepted": rule.num_accepted,
                "max_proposals": rule.max_proposals,
                "precision": rule.precision,
                "expected_rate": rule.expected_rate,
            },
            "reason": self.reason,
            "ending": self.ending,
            "num_proposed": self.num_proposed,
            "num_accepted": self.num_accepted,
            "numbers": list(judged.numbers),
            "accepted": judged.taken.tolist(),
            "log_ratio": ratios,
            "values": values,
            "reasons": {str(row): why for row, why in judged.reasons.items()},
            "pool": judged.rows.to_json(),
        }


def collect(source: FreshTexts, collection: Collection) -> Iterator[Text]:
    """Accepted texts as soon as they are (scripts); the engine's requests end with the iteration, however it ends."""
    size = at_a_time(collection.aim.features)
    try:
        while collection.reason is None:
            fresh = source.read()
            if not fresh.numbers:
                break
            for piece in fresh.pieces(size):  # nothing is read in vain behind the last one
                if collection.reason is None:
                    yield from collection.add(collection.judge(piece))
                    source.take_in()
    finally:
        source.close()
        collection.end()
