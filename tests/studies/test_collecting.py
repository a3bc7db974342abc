"""Collecting accepted texts: their law is the accepted law however the collecting ends, every rule ends it, and nothing
of it remains in the engine."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import numpy as np
import pytest

import playground as pg
from playground.control.features import Feature, features, from_function
from playground.control.pool import Pool
from playground.control.stopping import StoppingRule
from playground.control.texts import Text
from playground.engine import Done, Request
from playground.sampling import Chain
from playground.sampling.draw import Purpose, uniform
from playground.studies.collecting import Aim, Collection, collect
from playground.studies.drawing import Drawing
from playground.studies.fresh_texts import A_ROUND, FreshRows, FreshTexts
from playground.studies.proposals import Proposal, tuned
from tests.studies import enumerable
from tests.studies.enumerable import LENGTH, SPACE

TILT, LOG_BETA = 1.5, 0.9
"""Texts with two b are e^1.5 times as likely under the target, and at this β their ratio is clipped."""


def two_b() -> Feature:
    return from_function("two b", lambda text: float(text.count("b") >= 2), yes_no=True)


def tilted(rows: Pool, values: np.ndarray) -> np.ndarray:
    return rows.log_weights + TILT * values[:, 0]


def aim(**rule: object) -> Aim:
    return Aim((two_b(),), tilted, LOG_BETA, StoppingRule(**rule))


@pytest.fixture(scope="module")
def engine() -> Iterator[pg.Engine]:
    """On the model whose texts can all be written down."""
    with pg.Engine(enumerable.model(), num_threads=1, max_lanes=32) as engine:
        yield engine


@pytest.fixture(scope="module")
def base() -> np.ndarray:
    """float64[121]: the probability of each text of SPACE after the prompt."""
    return np.exp(enumerable.log_probs(enumerable.Tuner(enumerable.model()).log_base))


def source(engine: pg.Engine, max_texts: int = 5000, prompts: int = 1, seed: int = 3, first: int = 0) -> FreshTexts:
    proposals = [Proposal(str(number), (number,), LENGTH) for number in range(prompts)]
    given = iter(range(first, 10**9, 10**6))
    return FreshTexts(engine, proposals, seed, max_texts, lambda num_texts: next(given))


def wait_until_idle(engine: pg.Engine) -> None:
    deadline = time.monotonic() + 10
    while (status := engine.status())["num_running"] or status["num_lanes_used"] or status["num_waiting_bulk"]:
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


def made(rows: list[int], seed: int, log_base: np.ndarray) -> FreshRows:
    """Texts of SPACE as if they had been drawn."""
    ids = [SPACE[row] for row in rows]
    texts = tuple(Text("".join("abc."[token] for token in one), len(one)) for one in ids)
    logs = log_base[rows]
    darts = np.array([uniform(seed, number, 0, Purpose.ACCEPT) for number in range(len(rows))])
    pool = Pool(texts, logs, logs.copy(), darts, ("0",) * len(rows), tuple(ids))
    return FreshRows(pool, tuple(range(len(rows))))


def accepted_law(base: np.ndarray) -> np.ndarray:
    """min(P, βq), normalised, over SPACE."""
    ratio = np.where([ids.count(1) >= 2 for ids in SPACE], np.exp(TILT), 1.0)
    mass = base * np.minimum(ratio, np.exp(LOG_BETA))
    return mass / mass.sum()


def surprise(rows: list[int], law: np.ndarray) -> float:
    """Chi-square of counts against a law, in standard deviations above what is usual; rare cells together."""
    counts, expected = np.bincount(rows, minlength=law.size), len(rows) * law
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    freedom = len(counts) - 1
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


def test_the_accepted_follow_the_accepted_law(engine, base):
    collection = Collection(aim(num_accepted=1500))
    assert len(list(collect(source(engine), collection))) == 1500 and collection.reason == "enough"
    judged = collection.all
    rows = [SPACE.index(ids) for ids, taken in zip(judged.rows.token_ids, judged.taken, strict=True) if taken]
    assert surprise(rows, accepted_law(base)) < 4
    assert surprise([SPACE.index(ids) for ids in judged.rows.token_ids], accepted_law(base)) > 10, "as a control"


@pytest.mark.parametrize("rule", [{"num_accepted": 2}, {"max_proposals": 4}, {"precision": 0.6, "max_proposals": 90}])
def test_stopping_early_does_not_bend_the_law(base, rule):
    """Also of the last one accepted, which was the signal to stop: a rule never looks at what a text says."""
    generator, found, last = np.random.default_rng(1), [], []
    log_base = np.log(base)
    for seed in range(1200):
        collection = Collection(aim(**rule))
        rows = generator.choice(len(SPACE), 90, p=base / base.sum()).tolist()
        collection.add(collection.judge(made(rows, seed, log_base)))
        taken = [row for row, good in zip(rows, collection.all.taken, strict=False) if good]
        found += taken
        last += taken[-1:]
    assert surprise(found, accepted_law(base)) < 4.5 and surprise(last, accepted_law(base)) < 4.5


def test_prompts_take_turns_by_darts(engine):
    """The first text that is accepted answers each prompt as often as the mixture says: no prompt stands first."""
    first = []
    for seed in range(80):
        collection = Collection(aim(num_accepted=1))
        list(collect(source(engine, prompts=2, seed=seed), collection))
        first.append(int(collection.all.rows.contexts[-1]))
    tuner = enumerable.Tuner(enumerable.model())
    rates = []
    for prompt in ((0,), (1,)):
        base = np.exp(tuner.log_base([(prompt, ids) for ids in SPACE]))
        ratio = np.where([ids.count(1) >= 2 for ids in SPACE], np.exp(TILT), 1.0)
        rates.append(float(base @ np.minimum(1.0, ratio / np.exp(LOG_BETA))))
    share = rates[1] / sum(rates)
    assert abs(np.mean(first) - share) < 4 * np.sqrt(share * (1 - share) / 80)


def test_many_rounds_of_two_prompts_repeat_nothing(engine):
    collection = Collection(aim(max_proposals=3 * A_ROUND))
    list(collect(source(engine, 3 * A_ROUND, prompts=2), collection))
    judged = collection.all
    assert collection.reason == "proposals" and len(judged.numbers) == 3 * A_ROUND == len(set(judged.numbers))
    assert len(set(judged.rows.uniforms)) == 3 * A_ROUND
    for number, context, dart in zip(judged.numbers, judged.rows.contexts, judged.rows.uniforms, strict=True):
        assert number >> 32 == int(context) and dart == uniform(3, number, 0, Purpose.ACCEPT)


def test_lent_models_go_back_after_every_round(engine):
    fresh = source(engine, 3 * A_ROUND, prompts=2)
    fresh.proposals = [tuned(str(number), (number,), enumerable.model(), LENGTH) for number in range(2)]
    lent: set[int] = set()
    while fresh.read().numbers:
        now = {one.drawing.lent for one in fresh._readings.values()}
        assert len(now) <= 2 and all(engine.fleet.has(number) for number in now)
        lent |= now
    fresh.close()
    wait_until_idle(engine)
    engine.submit(Request((0,), max_tokens=1)).result(timeout_s=30)  # a round more
    assert len(lent) == 4, "two prompts, two rounds"
    assert not any(engine.fleet.has(number) for number in lent)


def test_a_queue_that_fills_up_between_two_requests_is_waited_for(engine, monkeypatch):
    monkeypatch.setattr("playground.studies.fresh_texts.BUSY_S", 0.01)
    start, refusals = Drawing.start, iter([False, True, True, False, False, True, False])

    def busy(*arguments: object) -> Drawing:
        if next(refusals, False):
            raise pg.PlaygroundError("The queue is full. Try again in a moment.", status=503)
        return start(*arguments)

    async def texts(fresh: FreshTexts) -> list[tuple[int, ...]]:
        found: list[tuple[int, ...]] = []
        while (told := await fresh.read_soon()).numbers:
            found += told.rows.token_ids
        return found

    undisturbed = asyncio.run(texts(source(engine, 3 * A_ROUND, prompts=2)))
    monkeypatch.setattr(Drawing, "start", busy)
    assert asyncio.run(texts(source(engine, 3 * A_ROUND, prompts=2))) == undisturbed
    refusals = iter([True])
    with pytest.raises(pg.PlaygroundError, match="queue is full"):  # who has not begun can be told
        asyncio.run(texts(source(engine, 10)))


def test_texts_come_in_the_order_of_their_numbers(engine):
    """Not in that of their ends: a collection that stops in the middle is none of short texts."""
    fresh = source(engine, 200, first=50)
    numbers, ids = [], []
    while (told := fresh.read()).numbers:
        numbers += told.numbers
        ids += told.rows.token_ids
    assert numbers == list(range(50, 250))
    whole = Drawing.start(engine, fresh.proposals[0], 200, 3, 50)
    for _ in whole.run():
        pass
    assert tuple(ids) == whole.pool.token_ids


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"num_accepted": 7}, "enough"),
        ({"max_proposals": 33}, "proposals"),
        ({"num_accepted": 900, "max_proposals": 33}, "proposals"),
        ({"precision": 0.25}, "precise"),
        ({"num_accepted": 3, "expected_rate": 0.5}, "enough"),
    ],
)
def test_each_rule_ends_it_where_it_says(engine, rule, reason):
    collection = Collection(aim(**rule))
    texts = list(collect(source(engine, collection.aim.rule.max_proposals), collection))
    judged, whole = collection.all, collection.aim.rule
    assert collection.reason == reason and len(texts) == collection.num_accepted == judged.taken.sum()
    assert len(judged.numbers) == collection.num_proposed <= whole.max_proposals
    counts = np.cumsum(judged.taken)
    ends = [whole.reason(row + 1, int(count)) for row, count in enumerate(counts)]
    assert ends[-1] == reason and not any(ends[:-1]), "the first proposal at which the rule holds"
    assert f"{collection.num_proposed:,} proposals" in collection.ending
    wait_until_idle(engine)


def test_what_is_never_accepted_ends_as_hopeless(engine):
    never = Aim((two_b(),), lambda rows, values: np.full(len(rows), -np.inf), 0.0, StoppingRule(5, expected_rate=0.1))
    collection = Collection(never)
    assert list(collect(source(engine), collection)) == [] and collection.reason == "hopeless"
    assert collection.num_proposed == 50 and collection.ending.startswith("None of 50")
    wait_until_idle(engine)


def test_a_slow_judge_finds_texts_and_not_heaps_of_tokens(engine):
    undisturbed = Collection(aim(max_proposals=120))
    list(collect(source(engine, 120, prompts=2), undisturbed))
    fresh = source(engine, 120, prompts=2)
    seen: list[int] = []

    def slow(text: str) -> float:
        if not seen:  # until everything is written
            for reading in fresh._readings.values():
                reading.drawing.stream.result(timeout_s=30)
        seen.append(1)
        return float(text.count("b") >= 2)

    wanted = Aim((from_function("two b", slow, yes_no=True),), tilted, LOG_BETA, undisturbed.aim.rule)
    collection = Collection(wanted)
    collecting = collect(fresh, collection)
    next(collecting)
    next(collecting)
    assert not any(reading.drawing.stream.drain() for reading in fresh._readings.values())
    list(collecting)
    assert collection.all.numbers == undisturbed.all.numbers
    assert collection.all.taken.tolist() == undisturbed.all.taken.tolist()


@pytest.mark.parametrize("size", [1, 7, 200])
def test_how_many_are_judged_at_once_changes_nothing(base, size):
    rows = np.random.default_rng(4).choice(len(SPACE), 200, p=base / base.sum()).tolist()
    whole = made(rows, 9, np.log(base))
    wanted = aim(num_accepted=30)
    collection, expected = Collection(wanted), Collection(wanted)
    for start in range(0, 200, size):
        at = range(start, min(200, start + size))
        collection.add(collection.judge(FreshRows(whole.rows.of(at), tuple(at))))
    expected.add(expected.judge(whole))
    assert collection.to_json() == expected.to_json() and collection.num_accepted == 30


def test_leaving_early_ends_the_request(engine):
    collection = Collection(aim(num_accepted=1000))
    collecting = collect(source(engine), collection)
    next(collecting)
    collecting.close()
    assert collection.reason == "cancelled" and "then it was stopped" in collection.ending
    wait_until_idle(engine)


def test_a_session_that_leaves_and_an_engine_that_fails(engine):
    fresh = source(engine, prompts=2)
    assert fresh.read().numbers
    fresh._awaited().drawing.stream.cancel()
    while fresh.read().numbers:
        pass
    assert fresh.read().numbers == () and all(one.drawing.stream.done for one in fresh._readings.values())
    fresh = source(engine)
    fresh._awaited().drawing.stream.finish(Done("error", "A stage raised. Change it."))
    with pytest.raises(pg.PlaygroundError, match="A stage raised"):
        while fresh.read().numbers:
            pass
    fresh.close()
    wait_until_idle(engine)


def test_a_feature_that_raises_ends_its_text_alone(engine):
    def fussy(text: str) -> float:
        if text.startswith("a"):
            raise pg.PlaygroundError("No text may begin with a.")
        return 0.0

    feature = from_function("fussy", fussy)
    collection = Collection(Aim((feature,), lambda rows, values: values[:, 0], 0.0, StoppingRule(None, 60)))
    texts = list(collect(source(engine, 60), collection))
    judged = collection.all
    assert judged.reasons and set(judged.reasons.values()) == {"fussy: No text may begin with a."}
    assert len(texts) == 60 - len(judged.reasons) and not any(text.text.startswith("a") for text in texts)
    data = collection.to_json()
    assert all(data["values"][int(row)] is None and data["log_ratio"][int(row)] is None for row in data["reasons"])


def test_everything_is_kept_and_can_be_checked_elsewhere(engine):
    collection = Collection(aim(num_accepted=12))
    list(collect(source(engine), collection))
    data = json.loads(json.dumps(collection.to_json()))
    pool = Pool.from_json(data["pool"])
    assert len(pool) == data["num_proposed"] and sum(data["accepted"]) == data["num_accepted"] == 12
    ratio = pool.log_base - pool.log_proposal + TILT * np.array(data["values"])[:, 0]
    assert ratio == pytest.approx(np.array(data["log_ratio"]))
    assert (np.log(pool.uniforms) < ratio - data["log_beta"]).tolist() == data["accepted"]
    assert data["reason"] == "enough" and data["features"] and data["rule"]["num_accepted"] == 12


def test_a_study_keeps_what_it_sampled():
    with pg.Engine(pg.load_model(backend="toy"), num_threads=1, max_lanes=16) as engine:
        study = pg.Study(engine, "The dragon", features(["moon"], pg.control.texts.Tools()), max_tokens=12, seed=7,
                         chain=Chain.from_url("temperature:1.2"))
        study.draw(200)
        study.fit([0.4])
        texts = list(study.sample(10, acceptance_rate=0.4))
        judged = study.collection.all
        assert texts == [text for text, good in zip(judged.rows.texts, judged.taken, strict=True) if good]
        assert len(texts) == 10 and study.ending == study.collection.ending
        assert min(judged.numbers) >= 200, "numbers the pool never had"
