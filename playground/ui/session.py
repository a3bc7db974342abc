"""Sessions: what one browser tab has asked for, as keys and small records; never a tensor.

Knows nothing about HTTP or Gradio. A key of one session means nothing in another.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from playground.errors import PlaygroundError
from playground.studies.generate import Generation
from playground.studies.inspect import Place

MAX_PLACES, MAX_GENERATIONS = 64, 8
MAX_AGE_S = 6 * 3600.0


@dataclass
class Session:
    """One tab: the places it looked at and the texts it generated, newest last."""

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    used_s: float = field(default_factory=time.monotonic)
    places: OrderedDict[str, Place] = field(default_factory=OrderedDict)
    generations: OrderedDict[str, Generation] = field(default_factory=OrderedDict)

    def add_place(self, place: Place) -> None:
        self.places[place.key] = place
        while len(self.places) > MAX_PLACES:
            self.places.popitem(last=False)

    def add_generation(self, generation: Generation) -> None:
        self.generations[generation.id] = generation
        while len(self.generations) > MAX_GENERATIONS:
            self.generations.popitem(last=False)

    def generation(self, generation_id: str) -> Generation:
        """One of this tab's generations; PlaygroundError (404) for anybody else's."""
        if generation_id not in self.generations:
            raise PlaygroundError("This text is not known here (any more); generate it again.", status=404)
        return self.generations[generation_id]

    def place(self, key: str) -> Place:
        """A place by key: ``K`` as given out, ``G.3`` a step of a generation, ``K@5`` or ``G@5`` inside a prompt."""
        base, at, index = key.partition("@")
        if at and index.isdecimal() and len(index) < 9:
            whole = self._whole(base)
            if whole is not None and 0 < int(index) < len(whole.prompt_ids):
                return _inside_prompt(whole, key, int(index))
        base, dot, index = key.partition(".")
        if dot and base in self.generations and index.isdecimal() and len(index) < 9:
            return self.generations[base].place(int(index))
        if key in self.places:
            self.places.move_to_end(key)
            return self.places[key]
        raise PlaygroundError("This step is not known here (any more); type the prompt again.", status=404)

    def _whole(self, base: str) -> Place | None:
        if base in self.generations:
            return self.generations[base].place(0)
        return self.places.get(base)


def _inside_prompt(whole: Place, key: str, index: int) -> Place:
    """The distribution that token ``index`` of a prompt was chosen from; the negative branch has no such place."""
    return Place(key, whole.prompt_ids[:index], key, chosen=whole.prompt_ids[index], at_end=False)


class Sessions:
    """All tabs, bounded: the one not used for longest goes first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._gradio: dict[str, str] = {}

    def create(self) -> Session:
        session = Session()
        self._sessions[session.token] = session
        while len(self._sessions) > self._capacity:
            self._sessions.popitem(last=False)
        return session

    def get(self, token: str | None) -> Session:
        """The session of a token; PlaygroundError (404) where it is unknown or too old."""
        session = self._sessions.get(token or "")
        if session is None or time.monotonic() - session.used_s > MAX_AGE_S:
            raise PlaygroundError("This page's session has ended (the server was restarted, or it slept for long). "
                                  "Reload the page.", status=404)
        session.used_s = time.monotonic()
        self._sessions.move_to_end(session.token)
        return session

    def tie(self, gradio_hash: str | None, session: Session) -> None:
        """Remember which tab a Gradio connection belongs to, so that closing it ends the tab's work."""
        if gradio_hash:
            self._gradio[gradio_hash] = session.token
            while len(self._gradio) > self._capacity:
                del self._gradio[next(iter(self._gradio))]

    def untie(self, gradio_hash: str | None) -> str | None:
        """The tab whose connection closed, or None."""
        return self._gradio.pop(gradio_hash or "", None)

    def __len__(self) -> int:
        return len(self._sessions)
