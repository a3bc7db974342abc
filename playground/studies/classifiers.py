"""The classifiers that the host of a page has named: strangers choose among these, and no name of theirs is fetched.

Knows nothing about pages or pools. A classifier is loaded when it is first wanted and reads a text once, whatever label
is asked for, by whomever.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from playground.control.texts import Scores, Text, Tools, Unreadable
from playground.errors import PlaygroundError
from playground.models.classifier import Classifier

MAX_REMEMBERED = 1_000_000
"""Probabilities, of every label of every text: some 40 MB. With three labels ten tabs' fill of pools."""


@dataclass
class Classifiers:
    """By the names that the page shows: hub ids, and the last part of a folder's path."""

    by_name: dict[str, Classifier] = field(default_factory=dict)
    _read: OrderedDict[tuple[str, str], tuple[float, ...]] = field(default_factory=OrderedDict)
    _num_read: int = 0
    """Probabilities in there."""

    @classmethod
    def of(cls, locations: Sequence[str], device: str = "auto") -> Classifiers:
        """The host's list; PlaygroundError where two would go by one name."""
        made: dict[str, Classifier] = {}
        for location in locations:
            path = Path(location).expanduser()
            name = path.resolve().name if path.is_dir() or location[0] in ".~/" else location
            if name in made:
                raise PlaygroundError(f"Two classifiers are called {name}; rename one of the folders.")
            made[name] = Classifier(location, name, device)
        return cls(made)

    @property
    def names(self) -> list[str]:
        return list(self.by_name)

    def get(self, name: str) -> Classifier:
        """One of the list; PlaygroundError says what is on it."""
        if not self.by_name:
            raise PlaygroundError(
                "This page offers no classifiers. Who runs it can name some with --classifiers; a script takes any "
                "(pg.Study)."
            )
        if name not in self.by_name:
            raise PlaygroundError(
                f"The classifier {name[:80]!r} is not offered here; there are {', '.join(self.names)}. Who runs this "
                "page can name more with --classifiers; a script takes any (pg.Study)."
            )
        return self.by_name[name]

    def scores(self, name: str, label: str) -> Scores:
        """The function from texts to p(label). Nothing is loaded before texts are handed to it; Unreadable where that
        fails."""
        chosen = self.get(name)

        def score(texts: Sequence[Text]) -> list[float]:
            try:
                chosen.load()
                index = chosen.index(label)
            except PlaygroundError as error:
                raise Unreadable(str(error)) from error
            return [row[index] for row in self._probabilities(chosen, [one.text for one in texts])]

        return score

    def tools(self, others: Tools) -> Tools:
        """``others`` and these classifiers."""
        return replace(others, classifier=self.scores)

    def _probabilities(self, chosen: Classifier, texts: Sequence[str]) -> list[tuple[float, ...]]:
        known = {text: self._read.get((chosen.name, text)) for text in texts}
        missing = [text for text, row in known.items() if row is None]
        found = dict(zip(missing, chosen.probabilities(missing), strict=True)) if missing else {}
        for text, row in found.items():
            if self._read.setdefault((chosen.name, text), row) is row:  # else another thread has read it meanwhile
                self._num_read += len(row)
        while self._num_read > MAX_REMEMBERED and self._read:
            self._num_read -= len(self._read.popitem(last=False)[1])
        return [known[text] or found[text] for text in texts]
