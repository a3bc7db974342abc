"""Tuning: propose, weigh, step, report. An adapter learns to write the target, and every look says how exactly.

Knows nothing about threads or pages: ``run`` is a generator whose pieces are short, so that whoever drives it can let
others go first, show the views, or stop between any two of them.

Offline first: weighted maximum likelihood on the pool (forward KL with q = the pool's proposal). Then online: each step
draws from the policy, weighs the texts by the chosen divergence and takes one gradient step (arXiv 2302.08215).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from playground.control.arrays import Floats
from playground.control.exactness import forgetting
from playground.control.losses import coefficients, find, refuse_zeros
from playground.models.adapters import AdapterShelf
from playground.models.backend import Model
from playground.models.tuner import Text, Tuner
from playground.studies.fresh import Fresh, drawn, held_out, longest, pool_as_fresh, pool_texts, shown
from playground.studies.goal import Goal
from playground.studies.tuning_settings import TuningSettings
from playground.studies.tuning_views import (
    FactsView,
    Phase,
    PointView,
    TextView,
    TuningView,
    finite,
    point_view,
    points_from_json,
)

T = TypeVar("T")
MAX_HELD_OUT = 32
DONE = "The run has ended."


@dataclass
class Tuning:
    """One run: ``run()`` does it, ``save`` keeps it, ``resumed`` goes on. For one thread at a time."""

    tuner: Tuner
    goal: Goal
    settings: TuningSettings
    points: list[PointView] = field(default_factory=list)
    num_drawn: int = 0
    """Texts drawn so far: the number of the next one, so that no dart is thrown twice."""
    _texts: list[TextView] = field(default_factory=list)
    _phase: Phase = "start"
    _norm: float | None = None
    _fresh: Fresh | None = None
    """Texts of the policy exactly as it stands; None once a step was taken."""
    _best: tuple[float, int, dict[str, Any], list[TextView]] | None = None
    """Held-out KL, place among the points, weights, texts."""
    _back: int | None = None
    """The place of the point that the adapter went back to; None: it is as far as the run."""
    _units_done: float = 0.0
    _conclusion: str = DONE

    def __post_init__(self) -> None:
        if self.settings.num_steps:
            refuse_zeros(find(self.settings.loss), self.goal.log_target)
        self._learnt, self._held_out = self.goal.split(self.settings.seed, self.settings.hold_out, MAX_HELD_OUT)

    def run(self) -> Iterator[TuningView]:
        """All of it, in pieces; closing the generator ends it between two, and the adapter stays as far as it was."""
        try:
            yield from self._look()
            yield from self._offline()
            yield from self._online()
            self._phase, self._units_done = "done", self._num_units
            yield self.view(self._conclusion)
        finally:
            self.tuner.forget_gradient()

    def go_on(self, settings: TuningSettings) -> None:
        """More of it: the next ``run`` goes on from the adapter and the curves as they stand."""
        if settings.num_steps:
            refuse_zeros(find(settings.loss), self.goal.log_target)
        self.settings = replace(settings, seed=self.settings.seed, hold_out=self.settings.hold_out)
        self._phase, self._units_done, self._fresh, self._best = "start", 0.0, None, None
        self._conclusion = DONE

    @property
    def step(self) -> int:
        """After how many gradient steps the adapter stands: fewer than were taken where it went back to its best."""
        return self.tuner.num_steps if self._back is None else self.points[self._back]["step"]

    def view(self, message: str) -> TuningView:
        now = len(self.points) - 1 if self._back is None else self._back
        return TuningView(
            phase=self._phase,
            message=message,
            fraction=min(1.0, self._units_done / self._num_units),
            points=list(self.points),
            now=now,
            texts=list(self._texts),
            alarm=self.points[now]["alarm"] if self.points else None,
            facts=self._facts(),
        )

    # Gradient steps

    def _offline(self) -> Iterator[TuningView]:
        """Passes over the learnt texts, each in a new order and with a gradient step for every few of them."""
        size = self.settings.texts_per_offline_step
        for epoch in range(self.settings.num_epochs):
            if self._has_enough():
                return
            self._phase = "offline"
            generator = np.random.default_rng((self.settings.seed, self.tuner.num_steps))
            order = generator.permutation(len(self._learnt.rows))
            words = f"Learning {len(order)} texts of the pool, pass {epoch + 1} of {self.settings.num_epochs}"
            for start in range(0, len(order), size):
                picked = order[start : start + size]
                counts = self._learnt.counts[picked]
                texts = pool_texts(self.goal, self._learnt.rows[picked])
                yield from self._step(texts, -counts / counts.sum(), words, len(picked) / len(order))
            yield from self._look()

    def _online(self) -> Iterator[TuningView]:
        """Steps on texts of the policy's own."""
        for number in range(self.settings.num_steps):
            if self._has_enough():
                return
            self._phase = "online"
            fresh = self._fresh
            if fresh is None:
                fresh = yield from self._draw()
            pushed = self._pushed(fresh)
            yield from self._step(fresh.texts, pushed, f"Step {number + 1} of {self.settings.num_steps}", 1.0)
            yield from self._look()

    def _pushed(self, fresh: Fresh) -> Floats:
        """float64[N]: the coefficient of each text. Where the loss knows no excluded texts, one whose features could
        not be had is left out instead of ending the run."""
        settings = self.settings
        used = fresh.known | find(settings.loss).allows_zeros
        pushed = np.zeros(len(used))
        pushed[used] = coefficients(
            settings.loss,
            fresh.log_target[used],
            fresh.log_policy[used],
            fresh.log_policy[used],
            self.goal.log_z[fresh.prompt_of[used]],
            baseline=settings.baseline,
            max_log_ratio=settings.max_log_ratio,
            self_normalised=settings.self_normalised,
            prompts=fresh.prompt_of[used],
        )
        return pushed

    def _step(self, texts: Sequence[Text], pushed: Floats, words: str, units: float) -> Iterator[TuningView]:
        """One gradient step, a few texts at a time; texts that push nothing are not read."""
        some = np.flatnonzero(pushed)
        size = self.tuner.texts_at_once(longest(texts))
        for start in range(0, len(some), size):
            picked = some[start : start + size]
            self.tuner.accumulate([texts[at] for at in picked], pushed[picked])
            self._units_done += units * len(picked) / len(some)
            yield self.view(words)
        if len(some):
            self._norm = self.tuner.step(self.settings.learning_rate)
            self._fresh = self._back = None

    # Looks

    def _look(self) -> Iterator[TuningView]:
        """One point of the curves: fresh texts, and the held-out ones read under the policy."""
        if self.tuner.num_steps == 0 and self.goal.is_drawn_from_base:
            fresh = pool_as_fresh(self.goal)
        else:
            self._fresh = fresh = yield from self._draw()
        found = fresh.exactness(self.goal.log_z)
        kl = yield from self._told(held_out(self.tuner, self.goal, self._held_out, found.known_rate))
        rate = self.goal.rate(found.rate, found.moments)
        alarm = forgetting(self.goal.standard, rate, found, kl)
        point = point_view(self.tuner.num_steps, self._phase, found, kl, rate, self._pool_z, self._norm, alarm)
        self.points.append(point)
        self._texts = shown(fresh, self.goal, self.tuner.model.backend.vocabulary.decode)
        if self._best is None or kl < self._best[0]:
            self._best = (kl, len(self.points) - 1, self.tuner.weights(), self._texts)
        yield self.view(f"Looked at the policy behind step {self.tuner.num_steps}")

    def _draw(self) -> Generator[TuningView, None, Fresh]:
        settings = self.settings
        work = drawn(self.tuner, self.goal, settings.texts_per_step, settings.max_tokens, settings.seed, self.num_drawn)
        made = yield from self._told(work)
        self.num_drawn += settings.texts_per_step  # at least as many as one prompt gets
        return made

    def _told(self, work: Generator[str, None, T]) -> Generator[TuningView, None, T]:
        """What the work returns; what it says becomes views."""
        while True:
            try:
                message = next(work)
            except StopIteration as end:
                made: T = end.value
                return made
            yield self.view(message)

    def _has_enough(self) -> bool:
        """Whether patience has ended; the best weights are back then."""
        assert self._best is not None
        kl, place, weights, texts = self._best
        if not self.settings.patience or len(self.points) - 1 - place < self.settings.patience:
            return False
        if self._conclusion == DONE:
            self.tuner.restore(weights)
            self._back, self._texts = place, texts
            self._conclusion = (
                f"Stopped: the KL on held-out texts had not fallen for {self.settings.patience} looks. The adapter is "
                f"back at step {self.points[place]['step']}, where it was {kl:.2f} nats."
            )
        return True

    # Facts

    @property
    def _num_units(self) -> float:
        return max(1.0, self.settings.num_epochs + self.settings.num_steps)

    @property
    def _pool_z(self) -> float:
        """Of the average prompt."""
        return float(np.exp(self.goal.log_z).mean())

    def _facts(self) -> FactsView:
        base, target = self.goal.moments
        return FactsView(
            loss=self.settings.loss,
            features=list(self.goal.names),
            pool_z=finite(self._pool_z),
            kl_floor=finite(self.goal.kl_from_base),
            base_rate=finite(self.goal.standard.rate),
            target_rate=finite(self.goal.standard.target_rate),
            base_moments=[finite(value) for value in base.tolist()],
            target_moments=[finite(value) for value in target.tolist()],
            num_learnt=len(self._learnt.rows),
            num_held_out=len(self._held_out.rows),
            num_weights=self.tuner.num_weights,
        )

    # Files

    def save(self, shelf: AdapterShelf, asked: dict[str, Any] | None = None) -> str:
        """Keep adapter, optimiser, curves and what was asked for; the generated name."""
        # The texts of the policy as it stands are written again by whoever goes on, who so does what this run would do.
        num_drawn = self.num_drawn - (self.settings.texts_per_step if self._fresh is not None else 0)
        notes = {"settings": asdict(self.settings), "points": self.points, "num_drawn": num_drawn}
        return self.tuner.save(shelf, {**notes, "features": list(self.goal.names), "asked": asked or {}})

    @classmethod
    def resumed(cls, model: Model, shelf: AdapterShelf, name: str, goal: Goal, settings: TuningSettings) -> Tuning:
        """A run that goes on from a saved adapter, its curves included; ``settings`` are those of what is to come. Seed
        and share of held-out texts stay those of the saved run: texts that were learnt must not be held out now. With
        the same goal and settings it does, to the last digit, what the saved run would have done next."""
        tuner, about = Tuner.load(model, shelf, name)
        points, kept = points_from_json(about.get("points")), about.get("settings")
        if isinstance(kept, dict):
            settings = replace(settings, **{key: kept[key] for key in ("seed", "hold_out") if key in kept})
        return cls(tuner, goal, settings, points, int(about.get("num_drawn", 0)))
