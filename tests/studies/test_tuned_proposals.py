"""A tuned model as the proposal of a pool: both its figures are exact, and the engine forgets it afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from playground.engine import Engine, Request
from playground.errors import PlaygroundError
from playground.models import load_model
from playground.models.tuner import Tuner
from playground.sampling import Chain
from playground.studies.control import Study
from playground.studies.drafts import drafts
from playground.studies.drawing import Drawing
from playground.studies.pools import Pools
from playground.studies.proposals import tuned
from playground.studies.tuned_texts import written
from playground.studies.tuning import Tuning
from playground.studies.tuning_settings import TuningSettings
from tests.models.served import tiny
from tests.studies import enumerable

SHORT = TuningSettings(num_epochs=1, num_steps=4, texts_per_step=64, max_tokens=4, learning_rate=0.01, patience=0)


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    """A policy that has learnt something: twenty points more of the wanted texts at least."""
    run = Tuning(Tuner(enumerable.model()), enumerable.goal(pointwise=True), SHORT)
    *_, last = run.run()
    assert last["points"][-1]["rate"] > last["points"][0]["rate"] + 0.2
    return run


def settled(engine: Engine) -> None:
    """Wait until the engine has done a round more than what was asked of it."""
    engine.submit(Request((0,), max_tokens=1)).result(timeout_s=30)


def test_both_figures_of_every_text_are_exact(tuning):
    with Engine(enumerable.model(), num_threads=1) as engine:
        drawing = Drawing.start(engine, tuned("a", enumerable.PROMPT, tuning.tuner.snapshot(), 4), 200, seed=3)
        number = drawing.lent
        for _ in drawing.run():
            pass
        settled(engine)
        assert number is not None and not engine.fleet.has(number), "the engine keeps no model that nobody uses"
        assert engine.status()["num_lanes_used"] == 0
    pool = drawing.pool
    texts = [(enumerable.PROMPT, ids) for ids in pool.token_ids]
    assert pool.log_proposal == pytest.approx(tuning.tuner.log_policy(texts), abs=1e-4)
    assert pool.log_base == pytest.approx(tuning.tuner.log_base(texts), abs=1e-4)
    assert np.abs(pool.log_weights).max() > 0.1, "the two models differ"
    assert not pool.truncated


def test_what_is_weighed_is_the_model_and_more_is_accepted(tuning):
    """Importance weights bring the base rate back; the tuned proposal accepts more than the model at the same TVD."""
    exact = np.exp(enumerable.log_probs(tuning.tuner.log_base))
    rate = float(exact @ enumerable.has_two_b(enumerable.SPACE)[:, 0] / exact.sum())
    with Engine(enumerable.model(), num_threads=1) as engine:
        own = Study(engine, "a", [{"feature": "regex", "pattern": "b.*b"}], max_tokens=4, seed=1)
        own.proposals = [replace(own.proposals[0], prompt_ids=enumerable.PROMPT)]
        own.draw(600)
        own.fit([1.0])
        study = own.proposed_by(tuning.tuner.snapshot())
        study.draw(600)
        fitted = study.fit([1.0])
        assert len(own.pool) == 600 and own.pool.log_weights.any() == np.False_
        assert fitted.base_moments[0] == pytest.approx(rate, abs=4 * fitted.base_errors[0])
        rates = [one.curve().acceptance_rate[np.argmax(one.curve().tvd <= 0.15)] for one in (study, own)]
        assert rates[0] > 1.5 * rates[1], "at the same TVD; to be exact, its single largest ratio decides"
        found = list(study.sample(20, acceptance_rate=0.3))
        assert len(found) == 20 and all(text.text.count("b") >= 2 for text in found)


def test_a_forgotten_pool_takes_its_model_along(tuning):
    async def main() -> None:
        with Engine(enumerable.model(), num_threads=1) as engine:
            pools = Pools()
            proposal = tuned("a", enumerable.PROMPT, tuning.tuner.snapshot(), 4)
            record = pools.draw(engine, [proposal], "tuned", 2_000, 0, "tab")  # its task has not begun to read
            assert record.drawing is not None and record.drawing.now.lent is not None
            number = record.drawing.now.lent
            pools.drop(record.id)
            await asyncio.sleep(0)
            settled(engine)
            assert not engine.fleet.has(number)

    asyncio.run(main())


def test_another_vocabulary_is_refused(tuning):
    with Engine(tiny(), num_threads=1) as engine, pytest.raises(PlaygroundError, match="vocabulary"):
        Drawing.start(engine, tuned("a", (0,), load_model(backend="toy"), 4), 8)
    with Engine(enumerable.model(), num_threads=1) as engine:
        too_long = tuned("a", (0,) * 40, tuning.tuner.snapshot(), 4)
        with pytest.raises(PlaygroundError, match="Shorten"):
            Drawing.start(engine, too_long, 8)
        settled(engine)
        assert engine.fleet.models == (engine.model,) and not engine.fleet.has(1000)


def test_a_tuned_model_has_other_darts_than_the_pool_it_learnt_from():
    """Even one that has learnt nothing: under the pool's own darts it wrote the pool's texts again, so that its hits
    were those it had been taught."""
    tuner = Tuner(enumerable.model())
    with Engine(enumerable.model(), num_threads=1) as engine:
        study = Study(engine, "a", ["b"], max_tokens=4, seed=7)
        study.proposals = [replace(study.proposals[0], prompt_ids=enumerable.PROMPT)]
        pool = study.draw(40)
        assert study.proposed_by(tuner.snapshot()).draw(40).token_ids != pool.token_ids
    run = Tuning(tuner, enumerable.goal(pointwise=True), replace(SHORT, seed=7))
    texts = written(run, Chain(), 16, seed=7)["texts"]
    assert [one["text"] for one in texts] != [one.text for one in pool.texts[:16]]
    making = drafts(tuner.backend, enumerable.PROMPT, 40, 4, seed=7)
    while True:
        try:
            next(making)
        except StopIteration as end:
            assert tuple(one.token_ids for one in end.value) != pool.token_ids
            break
