"""Control through the engine: what a pool's numbers are, proposals of every kind, sampling that ends, good manners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from copy import copy

import numpy as np
import pytest
import torch

import playground as pg
from playground.control.features import from_function
from playground.control.pool import Pool
from playground.engine import Request
from playground.models import Chunk, Model
from playground.sampling import Chain, guide
from playground.sampling.draw import Purpose, uniform
from playground.studies.drawing import Drawing
from playground.studies.proposals import Proposal, prompted
from playground.studies.tuning_runs import goal_of

PROMPT = "The dragon"


@pytest.fixture(scope="module")
def model() -> Model:
    return pg.load_model(backend="toy")


@pytest.fixture(scope="module")
def engine(model) -> Iterator[pg.Engine]:
    with pg.Engine(model, num_threads=1, max_lanes=16) as engine:
        yield engine


@pytest.fixture(scope="module")
def study(engine) -> pg.Study:
    study = pg.Study(engine, PROMPT, ["moon", {"feature": "num_tokens"}], max_tokens=12, seed=7)
    study.draw(300)
    return study


@pytest.fixture(scope="module")
def of_two(engine) -> pg.Study:
    """200 texts of each of two prompts; tests take ``again(of_two)``."""
    study = pg.Study(engine, ["The dragon", "The moon"], ["sea"], max_tokens=10, seed=1)
    study.draw(200)
    return study


def again(study: pg.Study) -> pg.Study:
    """The study as it was when its pool was drawn, which is not drawn again; pools never change."""
    other = copy(study)
    other.fitted = None
    return other


def log_probs(model: Model, prompt: str, written: tuple[int, ...]) -> torch.Tensor:
    """float64[T,V]: the model's own rows, by a plain forward of a model that nobody is served by."""
    fresh = pg.load_model(backend="toy").backend
    ids = tuple(model.backend.vocabulary.encode(prompt))
    rows = fresh.forward([Chunk(0, ids + written[:-1], "all")])[len(ids) - 1 :]
    return torch.log_softmax(rows.double(), -1)


def log_p(rows: torch.Tensor, written: tuple[int, ...]) -> float:
    return float(rows[range(len(written)), list(written)].sum())


def test_log_a_is_the_models_own_and_the_end_token_counts_once(model, study):
    (eos,) = model.backend.vocabulary.eos_ids
    ended = [row for row, ids in enumerate(study.pool.token_ids) if ids[-1] == eos]
    cut = [row for row, ids in enumerate(study.pool.token_ids) if eos not in ids]
    assert ended and cut and len(ended) + len(cut) == 300
    for row in (*ended[:5], *cut[:5]):
        written = study.pool.token_ids[row]
        assert study.pool.log_base[row] == pytest.approx(log_p(log_probs(model, PROMPT, written), written), abs=1e-5)
        assert written.count(eos) <= 1 and study.pool.texts[row].num_tokens == len(written) <= 12
    assert (study.pool.log_weights == 0).all(), "the model's own texts need no weights"
    assert len(set(study.pool.uniforms)) == 300


@pytest.mark.parametrize("chain", ["top_k:3", "temperature:1.7,min_p:0.05"])
@pytest.mark.parametrize("scale", [1.0, 1.6])
def test_log_q_is_what_the_tokens_were_drawn_from(engine, model, chain, scale):
    study = pg.Study(engine, PROMPT, ["moon"], max_tokens=6, seed=3, chain=Chain.from_url(chain),
                     guidance_scale=scale, negative_prompt="The moon")
    pool = study.draw(12)
    for row, written in enumerate(pool.token_ids):
        own, other = log_probs(model, PROMPT, written), log_probs(model, "The moon", written)
        mixed = guide(own.float(), other.float(), scale)
        history = model.backend.vocabulary.encode(PROMPT)
        rows = torch.stack([
            torch.log_softmax(study.proposals[0].chain.apply(mixed[at : at + 1],
                              torch.tensor([history + list(written[:at])]), len(history))[0].double(), -1)
            for at in range(len(written))])
        assert pool.log_base[row] == pytest.approx(log_p(own, written), abs=1e-4)
        assert pool.log_proposal[row] == pytest.approx(log_p(rows, written), abs=1e-4)


def test_a_prompted_proposal_weighs_its_texts_as_texts_of_the_prompt(engine, model):
    pool = pg.Study(engine, PROMPT, max_tokens=6, seed=3, proposal_prompt="The moon").draw(10)
    for row, written in enumerate(pool.token_ids):
        assert pool.log_base[row] == pytest.approx(log_p(log_probs(model, PROMPT, written), written), abs=1e-4)
        asked = log_p(log_probs(model, "The moon", written), written)
        assert pool.log_proposal[row] == pytest.approx(asked, abs=1e-4)
    with pytest.raises(pg.PlaygroundError, match="not both at once"):
        pg.Study(engine, PROMPT, max_tokens=6, proposal_prompt="The moon", guidance_scale=2.0)


def test_the_mass_that_a_chain_can_never_reach(engine, model):
    """Two tokens long, so that everything can be summed up: top-k 2 twice."""
    study = pg.Study(engine, PROMPT, ["moon"], max_tokens=2, seed=1, chain=Chain.from_url("top_k:2"))
    study.draw(400)
    first = log_probs(model, PROMPT, (0,))[0].exp()
    truth = 0.0
    for token in first.topk(2).indices.tolist():
        second = log_probs(model, PROMPT, (token, 0))[1].exp().topk(2).values.sum()
        ended = token in model.backend.vocabulary.eos_ids
        truth += float(first[token] * (1.0 if ended else second))
    reach, error = study.analysis.reachable
    assert abs(reach - truth) < 4 * error + 1e-9 and 0 < error < 0.05


def test_fit_curve_and_resampling(study):
    rate = study.analysis.values[:, 0].mean()
    fit = study.fit([0.5, 9.0])
    assert fit.moments == pytest.approx([0.5, 9.0], abs=1e-9) and fit.base_moments[0] == pytest.approx(rate)
    curve = study.curve()
    assert curve.tvd[-1] == pytest.approx(0, abs=1e-9) and curve.acceptance_rate[0] > 0.95
    assert curve.moments(study.analysis.values)[-1] == pytest.approx([0.5, 9.0], abs=1e-6)
    resampled = study.resample(200)
    assert np.mean(["moon" in text.text for text in resampled]) == pytest.approx(0.5, abs=0.05)
    data = json.loads(json.dumps(study.to_json()))
    assert Pool.from_json(data["pool"]).texts == study.pool.texts and data["fit"]["status"] == fit.status


def test_sampling_has_the_wanted_moments_and_tells_how_it_ended(engine):
    study = pg.Study(engine, PROMPT, ["moon"], max_tokens=12, seed=11)
    study.draw(400)
    study.fit([0.5])
    texts = [text.text for text in study.sample(50)]
    assert len(texts) == 50 and study.ending.startswith("50 of ")
    hits = sum("moon" in text for text in texts)
    assert abs(hits - 25) < 4 * np.sqrt(50) / 2 < 25 - 50 * study.fitted.base_moments[0], "the model's own would not do"
    assert list(study.sample(None, max_proposals=30)) is not None and "30 proposals" in study.ending
    first = [text.text for text in study.sample(3)]
    assert first != [text.text for text in study.sample(3)], "later samples have darts of their own"


def test_hopeless_sampling_ends(engine):
    study = pg.Study(engine, PROMPT, ["moon"], max_tokens=12, seed=2)
    study.draw(200)
    study.fit([0.5])
    study.features = (from_function("never", lambda text: 0.0, yes_no=True),)
    study.fitted = pg.control.fit(np.array([0.0, 1.0] * 20), np.zeros(40), [1.0])  # a filter nothing passes
    study.pool = study.pool.of(range(100))
    study.curve = lambda log_betas=None: pg.control.qrs(np.zeros(10), np.zeros(10), [0.0])  # and the pool promised
    assert list(study.sample(5, log_beta=0.0)) == []
    assert study.ending.startswith("None of ") and "larger pool" in study.ending


def test_more_texts_are_added_and_nothing_is_drawn_twice(engine):
    whole = pg.Study(engine, PROMPT, max_tokens=6, seed=5)
    whole.draw(20)
    parts = pg.Study(engine, PROMPT, max_tokens=6, seed=5)
    parts.draw(8)
    parts.draw(12)
    assert parts.pool.token_ids == whole.pool.token_ids and parts.pool.uniforms.tolist() == whole.pool.uniforms.tolist()


def test_several_prompts(of_two):
    study = again(of_two)
    assert study.pool.contexts.count("The moon") == 200 and len(set(study.pool.uniforms)) == 400
    fits = study.fit_contexts([0.3])
    assert set(fits) == {"pooled", "averaged", "per_context"} and set(fits["per_context"]) == {"The dragon", "The moon"}
    assert np.mean(list(fits["averaged"].moments.values())) == pytest.approx(0.3)
    assert study.fit([0.3]).exponents == pytest.approx(fits["pooled"].exponents)


@pytest.mark.parametrize("contexts", ["pooled", "averaged", "each"])
def test_everything_follows_the_chosen_way_over_several_prompts(of_two, contexts):
    """Curve, resampling, fresh texts and export are of the target that was fitted."""
    prompts, study = ["The dragon", "The moon"], again(of_two)
    fit = study.fit([0.3], contexts)
    own = [part.moments[0] for part in fit.parts]
    assert fit.moments == pytest.approx([0.3]) and (own == pytest.approx([0.3, 0.3])) == (contexts == "each")
    weights = np.exp(study.analysis.log_ratio(fit))
    shares = [weights[np.array(study.pool.contexts) == prompt].sum() / weights.sum() for prompt in prompts]
    assert shares == pytest.approx([part.share for part in fit.parts])
    assert (shares == pytest.approx([0.5, 0.5])) == (contexts != "pooled")
    curve = study.curve()
    assert curve.ratios.log_z == pytest.approx(fit.log_z, abs=1e-9)
    assert curve.moments(study.analysis.values)[-1] == pytest.approx([0.3])
    resampled = study.resample(1000)
    assert np.mean(["sea" in text.text for text in resampled]) == pytest.approx(0.3, abs=0.02)
    fresh = list(study.sample(120, acceptance_rate=0.4))
    at_beta = float(study.curve(np.array([curve.log_beta_for(0.4)])).moments(study.analysis.values)[0, 0])
    assert np.mean(["sea" in text.text for text in fresh]) == pytest.approx(at_beta, abs=4 * np.sqrt(0.25 / 120))
    told = json.loads(json.dumps(study.to_json()))["fit"]
    assert told["contexts"] == contexts and [one["prompt"] for one in told["prompts"]] == prompts
    assert [one["moments"][0] for one in told["prompts"]] == pytest.approx(own)


def test_fresh_texts_take_turns_among_the_prompts_by_darts(engine):
    """In fixed turns an odd number of texts would favour the first prompt."""
    study = pg.Study(engine, ["The dragon", "The moon"], ["sea"], max_tokens=10, seed=1)
    study.draw(100)
    study.fit([0.3], "averaged")
    taken = list(study.sample(6, log_beta=-20.0))  # β so small that all are accepted
    batch = study._draw(0, 32, 100, None), study._draw(1, 32, 100, None)
    turns = [int(2 * uniform(1, 100 + row, 0, Purpose.PROMPT)) for row in range(6)]
    assert 0 < sum(turns) < 6
    wanted = [batch[turn].texts[turns[:row].count(turn)].text for row, turn in enumerate(turns)]
    assert [text.text for text in taken] == wanted
    assert list(study.sample(None, max_proposals=7, log_beta=-20.0)) and "7 of 7 proposals" in study.ending
    with pytest.raises(pg.PlaygroundError, match="contexts is one of"):
        study.fit([0.3], "some")


def test_one_prompt_is_the_same_in_every_way(study):
    fits = [study.fit([0.5, 9.0], way) for way in ("pooled", "averaged", "each")]
    assert fits[1].exponents == pytest.approx(fits[0].exponents) and fits[2].log_z == pytest.approx(fits[0].log_z)
    assert "prompts" not in study.to_json()["fit"]


def test_tuning_learns_the_chosen_way(engine, of_two):
    """Conditional DPG: every prompt keeps its share, and its exponents are those of the fit."""
    study = again(of_two)
    fit = study.fit([0.4], "each")
    goal = goal_of(study.analysis, fit.log_tilt, {one.context: one.prompt_ids for one in study.proposals},
                   study._evaluator, engine.model)  # fmt: skip
    assert goal.log_z == pytest.approx([part.log_z for part in fit.parts]) and goal.moments[1] == pytest.approx([0.4])
    for number in (0, 1):
        own = goal.prompt_of == number
        assert goal.weights[own] @ goal.features[own] / goal.weights[own].sum() == pytest.approx([0.4])


def test_a_pool_left_half_way_is_no_pool_of_short_texts(engine):
    proposal = Proposal(PROMPT, tuple(engine.vocabulary.encode(PROMPT)), 60)
    drawing = Drawing.start(engine, proposal, 400, seed=1)
    running = drawing.run()
    for _ in range(40):
        next(running)
    shown = drawing.progress()
    assert shown["num_done"] == 40 and shown["per_s"] > 0 and shown["remaining_s"] > 0 and not shown["done"]
    running.close()
    assert drawing.progress()["cancelled"]
    pool = drawing.pool
    assert 0 < len(pool) <= 40
    whole = Drawing.start(engine, proposal, len(pool), seed=1)
    for _ in whole.run():
        pass
    assert pool.token_ids == whole.pool.token_ids, "the first texts by number, whatever was finished besides"


def test_a_pool_leaves_half_the_lanes_and_lets_people_first(engine):
    proposal = Proposal(PROMPT, tuple(engine.vocabulary.encode(PROMPT)), 40)
    drawing = Drawing.start(engine, proposal, 300, seed=1)
    alone = engine.complete("Once upon", max_tokens=30, seed=4)
    status = engine.status()
    assert not drawing.stream.done, "the pool still runs"
    assert status["num_lanes_used"] <= 8, "at most half of 16"
    drawing.stream.cancel()
    assert engine.complete("Once upon", max_tokens=30, seed=4) == alone
    assert isinstance(drawing.stream.request, Request) and drawing.stream.request.priority == "bulk"


def test_reading_in_an_event_loop_can_be_cancelled(engine):
    async def main() -> Drawing:
        ids = tuple(engine.vocabulary.encode(PROMPT))
        drawing = Drawing.start(engine, prompted(PROMPT, ids, ids, 30), 500, seed=1)
        task = asyncio.ensure_future(drawing.read())
        while drawing.progress()["num_done"] < 5:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return drawing

    drawing = asyncio.run(main())
    assert drawing.progress()["cancelled"] and drawing.stream.done


def test_what_cannot_be_is_said(engine):
    study = pg.Study(engine, PROMPT, ["moon"], max_tokens=4)
    with pytest.raises(pg.PlaygroundError, match="draw a pool first"):
        study.fit([0.5])
    study.draw(20)
    with pytest.raises(pg.PlaygroundError, match="call fit"):
        study.curve()
    with pytest.raises(pg.PlaygroundError, match="contains “zebra” was never so in 20 rows"):
        pg.Study.fit(_with(study, ["zebra"]), [0.5])
    with pytest.raises(pg.PlaygroundError, match="from 1 to 50,000"):
        study.draw(0)
    with pytest.raises(pg.PlaygroundError, match="at least one feature"):
        pg.Study.fit(_with(study, []), [0.5])


def _with(study: pg.Study, of: list[str]) -> pg.Study:
    other = pg.Study(study.engine, PROMPT, of, max_tokens=4)
    other.pool = study.pool
    return other


def test_coins_before_a_memory_are_no_proposal():
    """A text's log q would be that of one row of coins, not of the text."""
    coin, memory = {"sampler": "xtc", "probability": 0.5}, {"sampler": "mirostat_v2", "tau": 3}
    with pytest.raises(pg.PlaygroundError, match="coin and a stage with a memory"):
        Proposal("a", (1,), 4, Chain.from_json([coin, memory]))
    for chain in ([coin], [memory], [coin | {"probability": 1}, memory]):
        Proposal("a", (1,), 4, Chain.from_json(chain))
