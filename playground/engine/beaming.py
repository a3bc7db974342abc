"""Beam search on its way through the engine: the lanes of its hypotheses, and the figures of what they write.

Knows nothing about which hypothesis is better: ``sampling/search/beam.py`` decides that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from playground.engine.decide import Decision, decisions
from playground.engine.pursuit import LAST_DART, Pursuit, Spread, Text, Turn
from playground.engine.records import BeamStep, Step
from playground.engine.telling import Teller, is_complete
from playground.sampling import draw
from playground.sampling.search.beam import Beams, BeamSearch, Candidate, advance, best_so_far, step_scores
from playground.sampling.search.dola import LayerChoice


@dataclass(frozen=True)
class Link:
    """One token of a hypothesis with its figures, and what stands before it."""

    decision: Decision
    uniform: float
    """The middle of the token's place on the ruler: where a dart would have had to hit."""
    memory: tuple[Any, ...]
    layers: tuple[LayerChoice, ...]
    before: Link | None


@dataclass
class BeamPursuit(Pursuit):
    """``num_beams`` texts; the best one is told when all is over."""

    def __post_init__(self) -> None:
        super().__post_init__()
        assert isinstance(self.request.search, BeamSearch)
        self._search = self.request.search
        self._beams = Beams()
        self._links: dict[tuple[int, ...], Link | None] = {(): None}
        """By the tokens of every running and every finished text."""
        self._num_rows = 1
        self._num_stops = 0 if self.request.ignore_eos else len(self.vocabulary.eos_ids)

    def advance(self, spread: Spread) -> Turn:
        texts, index = self.texts, len(self.request.continued_ids) + len(self.texts[0].token_ids)
        model, base = self.based(texts)
        self._num_rows = len(texts[0].known)
        scores = step_scores(self._search, base, partial(self.chained, texts))
        ends = partial(is_complete, request=self.request, room=self.room, vocabulary=self.vocabulary)
        self._beams, candidates = advance(self._search, self._beams, scores, self._num_stops, self.room, ends)
        self._link([one for one in candidates if one.fate != "dropped"], model, base, scores)
        best = best_so_far(self._search, self._beams)
        progress = BeamStep(index, candidates, best.token_ids)
        if self._beams.is_over:
            steps = self._told()
            return Turn(progress, tuple((step, None) for step in steps), steps[-1].end)
        self._go_on(spread)
        return Turn(progress)

    def _link(self, chosen: Sequence[Candidate], model: Tensor, base: Tensor, scores: Tensor) -> None:
        """Note the figures of every token that stays; forget the texts that nobody goes on from."""
        parents, token_ids = [one.parent for one in chosen], torch.tensor([one.token_id for one in chosen])
        start, width = draw.place(scores[parents], token_ids.to(scores.device))
        darts = (start + width / 2).tolist()
        links = {}
        for one, decision, dart in zip(
            chosen, decisions(model[parents], base[parents], scores[parents], token_ids), darts, strict=True
        ):
            text = self.texts[one.parent]
            before = self._links[text.token_ids]
            decision = replace(decision, memory=self.remembered(text, base[one.parent], one.token_id))
            tokens = (*text.token_ids, one.token_id)
            links[tokens] = Link(decision, min(dart, LAST_DART), text.memory, text.layers, before)
        finished = {one.token_ids: self._links.get(one.token_ids) for one in self._beams.finished}
        self._links = {**finished, **links}

    def _go_on(self, spread: Spread) -> None:
        old, running = self.texts, self._beams.running
        gangs = spread([text.gang for text in old], [one.source for one in running])
        self.texts = []
        for one, gang in zip(running, gangs, strict=True):
            link = self._links[one.token_ids]
            assert link is not None
            self.texts.append(Text(gang, one.token_ids, link.decision.memory))
        for text in self.texts:  # only now: a fork copies its parent as it stood
            text.gang.owe(text.token_ids[-1])

    def _told(self) -> list[Step]:
        """The winner's steps, from its first on."""
        links, link = [], self._links[best_so_far(self._search, self._beams).token_ids]
        while link is not None:
            links.append(link)
            link = link.before
        teller = Teller(self.stream_id, self.request, self.request.first_sample, self.room, self.vocabulary)
        links.reverse()
        return [teller.tell(one.decision, one.uniform, one.memory, self._num_rows, one.layers) for one in links]
