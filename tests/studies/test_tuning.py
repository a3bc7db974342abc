"""Tuning: it converges to the exact target, says when it forgets, disturbs nobody, can be stopped and gone on with."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from playground.engine import Engine, one_thread_worker
from playground.errors import PlaygroundError
from playground.models import Chunk
from playground.models.adapters import AdapterShelf
from playground.models.tuner import Tuner
from playground.studies.control import Study
from playground.studies.drafts import Draft, drafts
from playground.studies.fresh import drawn
from playground.studies.giving_way import in_pieces, serving
from playground.studies.goal import Goal
from playground.studies.tuning import Tuning
from playground.studies.tuning_settings import FORGETTING, TuningSettings
from tests.models.served import tiny
from tests.studies import enumerable

PROMPT = (5, 6, 7)
SHORT = TuningSettings(
    num_epochs=1, num_steps=2, texts_per_step=32, max_tokens=4, learning_rate=0.01, patience=0
)


def finished(making: Generator[Any, None, Any]) -> Any:
    while True:
        try:
            next(making)
        except StopIteration as end:
            return end.value


def has_nine(texts: Any, log_base: Any = None) -> Any:
    return np.array([[float(9 in ids)] for ids in texts])


@pytest.fixture(scope="module")
def rare_word() -> Goal:
    """A pool of 200 texts of a tiny model, 15 of which hold the wanted token."""
    drawn = finished(drafts(tiny().backend, PROMPT, 200, 8, seed=1))
    written, log_base = tuple(one.token_ids for one in drawn), np.array([one.log_prob for one in drawn])
    return Goal(
        ("has nine",), (PROMPT,), np.zeros(200, dtype=np.int64), written, log_base, log_base, has_nine(written),
        enumerable.only, has_nine,
    )  # fmt: skip


# Exactness


@pytest.mark.parametrize(
    ("loss", "pointwise"),
    [("forward_kl", True), ("jensen_shannon", True), ("total_variation", True), ("reverse_kl", False)],
)
def test_it_converges_to_the_exact_target(loss, pointwise):
    """Against all 121 texts: KL(p‖π) falls by a factor, and what the run reports of itself is what is so."""
    goal = enumerable.goal(pointwise, exponent=0.0 if pointwise else 2.0)
    tuner = Tuner(enumerable.model())
    before = enumerable.kl(enumerable.target(goal), np.exp(enumerable.log_probs(tuner.log_base)))
    settings = replace(SHORT, loss=loss, num_epochs=1, num_steps=8, texts_per_step=128)
    *_, last = Tuning(tuner, goal, settings).run()
    target, policy = enumerable.target(goal), np.exp(enumerable.log_probs(tuner.log_policy))
    after = enumerable.kl(target, policy)
    assert after < before * (0.2 if pointwise else 0.6)
    point = last["points"][-1]
    assert point["kl_target"] == pytest.approx(after, abs=0.3) and point["kl_held_out"] == pytest.approx(after, abs=0.5)
    assert point["tvd"] == pytest.approx(np.abs(target - policy).sum() / 2, abs=0.12)
    assert point["moments"][0] == pytest.approx(policy @ enumerable.has_two_b(enumerable.SPACE)[:, 0], abs=0.12)
    assert not any(one["alarm"] for one in last["points"])


def test_the_pool_gives_the_constants():
    """Weights of the pool are draws of the target: Z, moments and the floor, against the enumeration."""
    goal = enumerable.goal(pointwise=False, num_texts=4000, exponent=2.0)
    base = np.exp(enumerable.log_probs(Tuner(enumerable.model()).log_base))
    wanted = enumerable.has_two_b(enumerable.SPACE)[:, 0]
    tilted = base * np.exp(2 * wanted)
    assert float(np.exp(goal.log_z[0])) == pytest.approx(tilted.sum(), rel=0.1)
    assert goal.moments[1][0] == pytest.approx(tilted @ wanted / tilted.sum(), abs=0.04)
    assert goal.kl_from_base == pytest.approx(enumerable.kl(tilted / tilted.sum(), base), abs=0.06)
    assert goal.standard.target_rate == pytest.approx(goal.moments[1][0])
    learnt, held = goal.split(0, 0.25, 32)
    assert not set(learnt.rows) & set(held.rows) and held.counts.sum() <= 33
    share = learnt.counts @ goal.features[learnt.rows, 0] / learnt.counts.sum()
    assert share == pytest.approx(goal.moments[1][0], abs=0.05)


def test_each_prompt_keeps_its_own_constant(rare_word):
    """Two prompts, one target: conditional DPG."""
    other = finished(drafts(tiny().backend, (9, 4), 200, 8, seed=2))
    goal = replace(
        rare_word,
        prompts=(PROMPT, (9, 4)),
        prompt_of=np.repeat([0, 1], 200),
        written=rare_word.written + tuple(one.token_ids for one in other),
        log_base=np.concatenate([rare_word.log_base, [one.log_prob for one in other]]),
        log_proposal=np.concatenate([rare_word.log_base, [one.log_prob for one in other]]),
        features=np.concatenate([rare_word.features, has_nine([one.token_ids for one in other])]),
    )
    assert np.exp(goal.log_z) == pytest.approx([goal.features[:200].mean(), goal.features[200:].mean()])
    assert goal.weights[:200].sum() == pytest.approx(0.5)
    *_, last = Tuning(Tuner(tiny()), goal, replace(SHORT, max_tokens=8)).run()
    assert last["points"][-1]["num_texts"] == 32 and last["points"][-1]["rate"] > last["points"][0]["rate"]


def test_a_prompt_whose_pool_saw_nothing_of_the_target_blinds_nobody(rare_word):
    """It is drawn from and told, but only the other prompt has a constant; every figure was empty."""
    missing = tuple(ids for ids in rare_word.written if 9 not in ids)
    log_base = np.array([base for base, ids in zip(rare_word.log_base, rare_word.written, strict=True) if 9 not in ids])
    goal = replace(
        rare_word,
        prompts=(PROMPT, (9, 4)),
        prompt_of=np.repeat([0, 1], [200, len(missing)]),
        written=rare_word.written + missing,
        log_base=np.concatenate([rare_word.log_base, log_base]),
        log_proposal=np.concatenate([rare_word.log_base, log_base]),
        features=np.concatenate([rare_word.features, has_nine(missing)]),
    )
    assert goal.log_z[1] == -np.inf
    *_, last = Tuning(Tuner(tiny()), goal, replace(SHORT, max_tokens=8)).run()
    for point in last["points"]:
        assert None not in (point["kl_target"], point["tvd"], point["z"], point["ess_fraction"], point["kl_held_out"])


def test_the_demonstration_of_forgetting_raises_the_alarm(rare_word):
    """Many passes at a high rate: more hits, less exactness; a sound run on the same pool raises none."""
    run = Tuning(Tuner(tiny()), rare_word, replace(FORGETTING, learning_rate=0.03, max_tokens=8))
    *_, last = run.run()
    assert last["points"][-1]["rate"] > 2.5 * last["facts"]["base_rate"]
    assert last["points"][-1]["kl_held_out"] > last["facts"]["kl_floor"]
    assert "forgetting" in (last["alarm"] or "")
    sound = Tuning(Tuner(tiny()), rare_word, replace(SHORT, max_tokens=8, num_steps=6, texts_per_step=128))
    *_, last = sound.run()
    assert not any(point["alarm"] for point in last["points"])
    assert last["points"][-1]["kl_held_out"] < last["facts"]["kl_floor"]


def test_patience_ends_at_the_best_weights(rare_word):
    tuner = Tuner(tiny())
    tuning = Tuning(tuner, rare_word, replace(FORGETTING, learning_rate=0.03, max_tokens=8, patience=2))
    views = list(tuning.run())
    last = views[-1]
    kls = [point["kl_held_out"] for point in last["points"]]
    best = int(np.argmin(kls))
    assert best + 3 == len(kls) and f"back at step {last['points'][best]['step']}" in last["message"]
    fresh = Tuner(tiny())
    for _ in Tuning(fresh, rare_word, replace(FORGETTING, learning_rate=0.03, max_tokens=8, num_epochs=best)).run():
        pass
    texts = [(PROMPT, ids) for ids in rare_word.written[:20]]
    assert tuner.log_policy(texts).tolist() == fresh.log_policy(texts).tolist()
    assert last["now"] == best and tuning.step == last["points"][best]["step"] < tuner.num_steps
    assert last["texts"] == next(view["texts"] for view in views if len(view["points"]) == best + 1), "its texts too"


def test_reverse_kl_is_refused_where_the_target_has_zeros(rare_word):
    with pytest.raises(PlaygroundError, match="infinite here"):
        Tuning(Tuner(tiny()), rare_word, replace(SHORT, loss="reverse_kl"))


def test_what_cannot_be_learnt_is_refused(rare_word):
    with pytest.raises(PlaygroundError, match="0 of the pool's 200 texts"):
        replace(rare_word, features=np.zeros((200, 1)))
    for wrong in ({"loss": "kl"}, {"num_steps": -1}, {"learning_rate": float("nan")}, {"texts_per_step": 2.5},
                  {"num_epochs": True}, {"seed": "1"}):  # fmt: skip
        with pytest.raises(PlaygroundError):
            replace(SHORT, **wrong)


# Service


def test_drafts_are_the_models_own_texts():
    """A draft's log q is its log-probability, whoever its neighbours are, and an end token is counted once."""
    backend, tuner = enumerable.model().backend, Tuner(enumerable.model())
    together: list[Draft] = finished(drafts(backend, (0,), 40, 4, seed=5))
    alone: list[Draft] = finished(drafts(backend, (0,), 1, 4, seed=5, first_sample=33))
    assert alone[0].token_ids == together[33].token_ids
    assert all(one.token_ids in enumerable.SPACE for one in together)
    log_probs = tuner.log_base([((0,), one.token_ids) for one in together])
    assert log_probs == pytest.approx([one.log_prob for one in together], abs=1e-4)
    making = drafts(backend, (0,), 40, 4, seed=5)
    next(making)
    making.close()
    assert not backend._lengths, "lanes of an interrupted draw are given back"


def test_users_are_served_the_untouched_model_while_it_trains(rare_word):
    """Before, during and after: the same tokens and the same rows, bit for bit."""
    model = tiny()
    with Engine(model, num_threads=1) as engine:
        def written(seed: int) -> list[int]:
            return [step.token_id for step in engine.generate("ABC", max_tokens=20, seed=seed, ignore_eos=True)]

        before, row = [written(seed) for seed in range(3)], engine.next_logits("ABC").tolist()
        tuning = Tuning(Tuner(model), rare_word, replace(SHORT, max_tokens=8))
        worker, during, phases = one_thread_worker("tuning"), [], set()

        async def train() -> None:
            async for view in in_pieces(tuning.run(), worker, serving(engine)):
                phases.add(view["phase"])
                if view["phase"] != "start" and len(during) < 12:
                    during.append(await asyncio.to_thread(written, len(during) % 3))

        asyncio.run(train())
        assert phases == {"start", "offline", "online", "done"}
        assert during == before * 4 and engine.next_logits("ABC").tolist() == row
        worker.shutdown()
    texts = [(PROMPT, ids) for ids in rare_word.written[:5]]
    assert tuning.tuner.log_policy(texts) != pytest.approx(tuning.tuner.log_base(texts), abs=1e-3), "it did train"


def test_work_gives_way_to_people_but_is_done_at_last(monkeypatch):
    monkeypatch.setattr("playground.studies.giving_way.POLL_S", 0.001)
    monkeypatch.setattr("playground.studies.giving_way.LONGEST_WAIT_S", 0.01)
    asked: list[int] = []
    worker = one_thread_worker("pieces")

    def is_busy() -> bool:
        asked.append(1)
        return True

    async def all_of_it() -> list[int]:
        return [piece async for piece in in_pieces(iter([1, 2, 3]), worker, is_busy)]

    assert asyncio.run(all_of_it()) == [1, 2, 3]
    assert len(asked) > 3 * 5, "it waited before each"
    worker.shutdown()


# Stop and go on


def test_cancelled_between_two_pieces(rare_word):
    tuner = Tuner(tiny())
    run = Tuning(tuner, rare_word, replace(SHORT, max_tokens=8)).run()
    for view in run:
        if view["phase"] == "online" and view["message"].startswith("Step"):
            break
    steps = tuner.num_steps
    run.close()
    assert tuner.num_steps == steps and all(weight.grad is None for weight in tuner._trained)
    assert not tuner.backend._lengths
    tuner.accumulate([(PROMPT, (9,))], np.array([-1.0]))
    tuner.step(0.01)


def test_saved_and_resumed_with_its_curves(rare_word, tmp_path):
    shelf, settings = AdapterShelf(tmp_path), replace(SHORT, max_tokens=8)
    first = Tuning(Tuner(tiny()), rare_word, settings)
    for _ in first.run():
        pass
    name = first.save(shelf)
    resumed = Tuning.resumed(tiny(), shelf, name, rare_word, replace(settings, num_epochs=0))
    assert resumed.points == first.points
    assert resumed.num_drawn == first.num_drawn - settings.texts_per_step, "the policy's own texts are written again"
    *_, last = resumed.run()
    assert [point["step"] for point in last["points"]] == [0, 1, 2, 3, 3, 4, 5]
    assert resumed.tuner.num_steps == 5


@pytest.mark.parametrize("num_epochs", [0, 2])
def test_a_resumed_run_is_the_run_that_was_not_interrupted(rare_word, tmp_path, num_epochs):
    """Weights and figures, to the last digit; it drew other texts and went another way."""
    settings = replace(SHORT, max_tokens=8, num_epochs=num_epochs, num_steps=3, loss="jensen_shannon")
    whole = Tuning(Tuner(tiny()), rare_word, settings)
    for _ in whole.run():
        pass
    first = Tuning(Tuner(tiny()), rare_word, replace(settings, num_steps=1))
    for _ in first.run():
        pass
    shelf = AdapterShelf(tmp_path)
    name = first.save(shelf)
    later = replace(settings, num_epochs=0, num_steps=2, seed=99, hold_out=0.5)
    second = Tuning.resumed(tiny(), shelf, name, rare_word, later)
    assert second.settings.seed == settings.seed and second.settings.hold_out == settings.hold_out
    for _ in second.run():
        pass
    texts = [(PROMPT, ids) for ids in rare_word.written[:20]]
    assert second.tuner.log_policy(texts).tolist() == whole.tuner.log_policy(texts).tolist()
    again = [point for at, point in enumerate(second.points) if at != len(first.points)]  # it looks once more
    for one, other in zip(again, whole.points, strict=True):
        assert {**one, "phase": "", "gradient_norm": 0} == {**other, "phase": "", "gradient_norm": 0}


def test_a_text_whose_features_raise_does_not_end_a_run_that_knows_no_zeros():
    goal = enumerable.goal(pointwise=False, exponent=2.0)

    def describe(texts: Any, log_base: Any = None) -> Any:
        table = enumerable.has_two_b(texts)
        table[[ids[0] == 2 for ids in texts]] = np.nan
        return table

    tuning = Tuning(Tuner(enumerable.model()), replace(goal, describe=describe), replace(SHORT, loss="reverse_kl"))
    *_, last = tuning.run()
    assert last["phase"] == "done" and last["points"][-1]["rate"] is not None


def test_prompts_have_darts_of_their_own():
    """The same prompt twice: two samples of it, not one sample twice, whose average would be no surer."""
    goal = enumerable.goal(True)
    twice = replace(goal, prompts=(enumerable.PROMPT,) * 2, prompt_of=np.arange(400) % 2)
    fresh = finished(drawn(Tuner(enumerable.model()), twice, 64, 4, seed=3, first_sample=0))
    assert [ids for _, ids in fresh.texts[:32]] != [ids for _, ids in fresh.texts[32:]]


def test_from_a_script():
    """Pool, fit and tuning in a few lines; the pool's texts are learnt as they are, whatever drew them."""
    with Engine(tiny(), num_threads=1) as engine:
        study = Study(engine, "ABC", [{"feature": "contains", "text": "K", "whole_words": False}], max_tokens=8)
        study.draw(200)
        study.fit([1.0])
        *_, last = study.tuning(num_epochs=1, num_steps=2, texts_per_step=32, learning_rate=0.01).run()
    assert last["facts"]["pool_z"] == pytest.approx(study.fitted.base_moments[0])
    assert last["points"][-1]["rate"] > last["points"][0]["rate"] and last["phase"] == "done"


def test_a_tuned_model_writes_in_the_engine(rare_word):
    tuning = Tuning(Tuner(tiny()), rare_word, replace(SHORT, max_tokens=8, num_steps=4))
    for _ in tuning.run():
        pass
    snapshot = tuning.tuner.snapshot()
    with Engine(snapshot, num_threads=1) as engine:
        row = engine.next_logits("ABC")
    ids = tuple(snapshot.backend.vocabulary.encode("ABC"))
    snapshot.backend.forward([Chunk(50, ids)])
    for token in (9, 10):
        log_prob = tuning.tuner.log_policy([(ids, (token,))])[0]
        assert float(row.double().log_softmax(-1)[token]) == pytest.approx(log_prob, abs=1e-3)
