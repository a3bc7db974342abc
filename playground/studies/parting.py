"""Parting: where an engine's run of the same knobs leaves ours for the first time, and why, in one line.

Knows nothing about particular engines or stages, pages or drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from playground.sampling import Chain, Sampler
from playground.sampling.orders import Note, Order, always, called
from playground.studies.outcome import Outcome, Runs, same, tvd

Step = tuple[Sampler, Sampler]
"""A stage as the engine runs it, and the stage of ours that it stands for."""

Reason = tuple[float, str]
"""A difference: the total variation distance that it makes where it arises, and one sentence."""

SHARE = 10
"""A difference matters where it makes a tenth of the whole distance."""

AS_HERE = "The same stages in the same order: the same result."


@dataclass(frozen=True)
class Comparison:
    """One engine beside us: ``there`` and ``notes`` are what ``as_engine`` made of ``chain``; ``runs`` are on the row
    that enters here, ``theirs`` on the one that enters there (the same where guidance does not part them); ``label``
    names tokens."""

    chain: Chain
    order: Order
    there: Chain
    notes: Sequence[Note]
    runs: Runs
    theirs: Runs
    label: Callable[[int], str]

    @property
    def here(self) -> list[Sampler]:
        return [sampler for sampler in self.chain.samplers if not sampler.is_off]

    @property
    def path(self) -> list[Sampler]:
        return [sampler for sampler in self.there.samplers if not sampler.is_off]

    def says(self) -> str:
        """The first difference that matters and its reason; where nothing differs, that."""
        here, there = self.runs(self.here), self.theirs(self.path)
        if same(here, there):
            return self._nothing()
        whole = tvd(here, there)
        for effect, words in self._reasons():
            if effect * SHARE >= whole:
                return words
        return f"{self.order.name} differs in several small ways: {self._figures(there, here)}."

    def _nothing(self) -> str:
        if self.theirs is not self.runs:
            return f"{unguided(self.order)}; on this step that changes nothing."
        if self.here == [stage for stage, _ in self._steps()]:
            return AS_HERE
        note = self._note("dropped", "value", "rule")
        if note:
            return f"{note.says[:-1]}; on this step that changes nothing."
        return "Another order, but on this step the same result."

    def _reasons(self) -> Iterator[Reason]:
        """All differences, each worked out when it is asked for."""
        yield from self._unguided()
        yield from self._missed()
        yield from self._parted()
        yield from self._added()

    def _unguided(self) -> Iterator[Reason]:
        """Guidance that the engine cannot do."""
        if self.theirs is not self.runs:
            without, here = self.theirs(self.here), self.runs(self.here)
            yield tvd(without, here), f"{unguided(self.order)}: {self._figures(without, here)}."

    def _missed(self) -> Iterator[Reason]:
        """Stages that the engine leaves out."""
        here, mine = self.runs(self.here), [one for _, one in self._steps()]
        missed = [sampler for sampler in self.here if not any(sampler is one for one in mine)]
        lacks = [sampler for sampler in missed if self.order.stage(sampler.name) is None]
        if lacks:
            without = self.runs(_without(self.here, lacks))
            names = _listed([called(name) for name in dict.fromkeys(sampler.name for sampler in lacks)])
            yield tvd(without, here), f"{self.order.name} has no {names}: {self._figures(without, here)}."
        for sampler in _without(missed, lacks):
            without = self.runs(_without(self.here, [sampler]))
            if note := self._note("dropped", stage=sampler.name):
                yield tvd(without, here), f"{note.says[:-1]}; {self._figures(without, here)}."

    def _parted(self) -> Iterator[Reason]:
        """Walk the engine's path: after which of its stages would the same stages have left something else here?"""
        steps = self._steps()
        for number in range(1, len(steps) + 1):
            done = steps[:number]
            there, here = self.runs([one for one, _ in done]), self.runs(self._ours(done))
            if not same(there, here) and (words := self._why(done, there, here)):
                yield tvd(there, here), words

    def _added(self) -> Iterator[Reason]:
        """What the engine runs whatever is set."""
        added = always(self.order)
        without, there = self.runs([one for one in self.path if one not in added]), self.runs(self.path)
        if note := self._note("added"):
            yield tvd(without, there), f"{note.says[:-1]}; {self._figures(there, without)}."

    def _why(self, done: Sequence[Step], there: Outcome, here: Outcome) -> str:
        """Why the last of these steps parts: another value, another rule or another order; empty where it does not."""
        stage, mine = done[-1]
        ours = self._ours(done)
        theirs = [stage if sampler is mine else sampler for sampler in ours]
        if not same(self.runs(theirs), self.runs(ours)) and (note := self._note("value", "rule", stage=stage.name)):
            return f"{note.says[:-1]}; {self._figures(there, here)}."
        later = [one for one, other in done[:-1] if self._place(other) > self._place(mine)]
        swapped = [called(one.name) for one in later if not same(self.runs([one, stage]), self.runs([stage, one]))]
        if not swapped:
            return ""
        words = f"{self.order.name} runs {_listed(swapped)} before {called(stage.name)}"
        if stage.kind == "truncate" and there.support != here.support:
            return f"{words}, which leaves {_tokens(there.support)} there, {here.support:,} here."
        return f"{words}: {self._figures(there, here)}."

    def _steps(self) -> list[Step]:
        """The engine's path without what it adds, each stage with the first of ours that has its name."""
        added = always(self.order)
        first: dict[str, Sampler] = {}
        for sampler in self.here:
            if sampler not in added:
                first.setdefault(sampler.name, sampler)
        return [(stage, first[stage.name]) for stage in self.path if stage not in added]

    def _ours(self, done: Sequence[Step]) -> list[Sampler]:
        """Our own stages among these steps, in our order and with our values."""
        mine = [other for _, other in done]
        return [sampler for sampler in self.here if any(sampler is one for one in mine)]

    def _place(self, sampler: Sampler) -> int:
        return next((place for place, one in enumerate(self.here) if one is sampler), -1)

    def _note(self, *kinds: str, stage: str | None = None) -> Note | None:
        found = (note for note in self.notes if note.kind in kinds and stage in (None, note.stage))
        return next(found, None)

    def _figures(self, there: Outcome, here: Outcome) -> str:
        """What is left there and here; where that is the same, the token whose chance differs most."""
        if there.support != here.support:
            return f"{_tokens(there.support)} {_are(there.support)} left there, {here.support:,} here"
        if num_others := there.outside(here).support:
            return f"{_tokens(there.support)} {_are(there.support)} left as here, but {num_others:,} of them others"
        token = int(there.token_ids[np.abs(there.probs - here.probs).argmax()])
        return f"{self.label(token)} has {_percent(there.p(token))} there, {_percent(here.p(token))} here"


def unguided(order: Order) -> str:
    """Why an engine starts from the prompt alone."""
    return f"{order.name} has only guidance by one negative prompt" if order.guides else f"{order.name} has no guidance"


def _without(samplers: Sequence[Sampler], gone: Sequence[Sampler]) -> list[Sampler]:
    """By identity: a second copy may be equal to the first."""
    return [sampler for sampler in samplers if not any(sampler is one for one in gone)]


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _tokens(count: int) -> str:
    return f"{count:,} token" if count == 1 else f"{count:,} tokens"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _percent(p: float) -> str:
    value = 100 * p
    if 0 < value < 0.0005:
        return "under 0.001 %"
    return f"{value:.1f} %" if value >= 0.995 else f"{value:.2f} %" if value >= 0.0095 else f"{value:.3f} %"
