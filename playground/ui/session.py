"""Sessions: what one browser tab has asked for, as keys and small records; never a tensor.

Knows nothing about HTTP or Gradio. A key of one session means nothing in another.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playground.engine import Step
from playground.errors import PlaygroundError
from playground.studies.collecting_runs import CollectingRun
from playground.studies.generate import Generation
from playground.studies.inspect import Place
from playground.studies.pools import Pools

MAX_PLACES, MAX_GENERATIONS = 64, 8
MAX_PLACE_TOKENS = 200_000
"""Tokens that all places of a session hold together: long prompts are forgotten sooner."""
MAX_AT_WORK = 16
"""Requests of one tab at a time. A page has two or three; a script that sends hundreds would fill everybody's queue."""
MAX_AGE_S = 6 * 3600.0


@dataclass
class Session:
    """One tab: the places it looked at and the texts it generated, newest last."""

    token: str = field(default_factory=lambda: secrets.token_hex(16))
    used_s: float = field(default_factory=time.monotonic)
    idle: bool = True
    """Opened and never used since, or its tab was closed: the first to go."""
    num_at_work: int = 0
    places: OrderedDict[str, Place] = field(default_factory=OrderedDict)
    generations: OrderedDict[str, Generation] = field(default_factory=OrderedDict)
    pools: Pools = field(default_factory=Pools)
    collecting: CollectingRun | None = None

    def leave(self) -> None:
        """The tab is gone, or closed for now: nothing is drawn, read or collected for it any more. From any thread."""
        self.pools.leave()
        if self.collecting is not None:
            self.collecting.cancel()

    @contextmanager
    def at_work(self) -> Iterator[Session]:
        """Count one request of this tab while it runs; PlaygroundError (429) where there are too many."""
        if self.num_at_work >= MAX_AT_WORK:
            raise PlaygroundError(
                f"This tab has {MAX_AT_WORK} requests running already; wait until one has ended.", status=429
            )
        self.num_at_work += 1
        try:
            yield self
        finally:
            self.num_at_work -= 1

    def add_place(self, place: Place) -> None:
        self.places[place.key] = place
        sizes = [len(old.prompt_ids) for old in self.places.values()]
        while len(sizes) > MAX_PLACES or (len(sizes) > 1 and sum(sizes) > MAX_PLACE_TOKENS):
            self.places.popitem(last=False)
            del sizes[0]

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

    def place_index(self, key: str) -> int:
        """How many generated tokens stand before a place: 3 for ``G.3``, 0 at the end of a prompt."""
        return len(self.place(key).generated)

    def steps_before(self, key: str) -> tuple[Step, ...]:
        """The generated steps before a place, none where it stands at the end of a prompt."""
        generation = self.generations.get(key.partition(".")[0])
        return tuple(generation.steps[: self.place_index(key)]) if generation else ()

    def _whole(self, base: str) -> Place | None:
        if base in self.generations:
            return self.generations[base].place(0)
        return self.places.get(base)


def _inside_prompt(whole: Place, key: str, index: int) -> Place:
    """The distribution that token ``index`` of a prompt was chosen from; the negative branch has no such place."""
    return Place(key, whole.prompt_ids[:index], key, chosen=whole.prompt_ids[index], at_end=False)


class SessionEnded(PlaygroundError):
    """Nobody knows this tab: the page opens a session anew by itself and asks again."""

    def __init__(self) -> None:
        super().__init__(
            "This page's session has ended (the server was restarted, or it slept for long). Reload the page.", 404
        )


class Sessions:
    """All tabs, bounded: one that nobody uses goes first, then the one not used for longest.

    Opening sessions in a loop therefore pushes out the loop's own sessions and not those of people.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._gradio: dict[str, str] = {}

    def create(self) -> Session:
        self._forget_old()
        while len(self._sessions) >= self._capacity:
            idle = next((token for token, session in self._sessions.items() if session.idle), None)
            self._end(idle or next(iter(self._sessions)))
        session = Session()
        self._sessions[session.token] = session
        return session

    def get(self, token: object) -> Session:
        """The session of a token; SessionEnded (404) where it is unknown or too old."""
        self._forget_old()
        session = self._sessions.get(token) if isinstance(token, str) else None
        if session is None:
            raise SessionEnded
        session.used_s, session.idle = time.monotonic(), False
        self._sessions.move_to_end(session.token)
        return session

    def _forget_old(self) -> None:
        """Drop what nobody used for hours; the least recently used stands first."""
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if time.monotonic() - oldest.used_s <= MAX_AGE_S:
                return
            self._end(oldest.token)

    def _end(self, token: str) -> None:
        """Nobody can ask for it any more: what goes on for it ends now."""
        self._sessions.pop(token).leave()

    def tie(self, gradio_hash: str | None, session: Session) -> None:
        """Remember which tab a Gradio connection belongs to, so that closing it ends the tab's work."""
        if gradio_hash:
            self._gradio[gradio_hash] = session.token
            while len(self._gradio) > self._capacity:
                del self._gradio[next(iter(self._gradio))]

    def untie(self, gradio_hash: str | None) -> str | None:
        """The tab whose connection closed, or None. Its session stays for a while: the connection may come back."""
        token = self._gradio.pop(gradio_hash or "", None)
        if token is not None and token in self._sessions:
            self._sessions[token].idle = True
            self._sessions[token].leave()
        return token

    def __len__(self) -> int:
        return len(self._sessions)
