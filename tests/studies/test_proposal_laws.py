"""Every kind of proposal, on a model all of whose texts can be listed: a text is drawn as often as its log q says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from playground.charts.control_curve import figure
from playground.control.features import from_function
from playground.control.pool import Pool
from playground.engine import Branch, Engine
from playground.models.tuner import Tuner
from playground.sampling import Chain, cfg
from playground.studies.analysis import Analysis, Evaluator
from playground.studies.control_asks import Ask
from playground.studies.control_views import control_view
from playground.studies.drawing import Drawing
from playground.studies.proposals import Proposal, prompted
from tests.studies import enumerable

NUM_TEXTS = 400
PROMPT, OTHER = enumerable.PROMPT, (1, 2)


def under(*stages: dict, scale: float = 1.0) -> Proposal:
    others = () if scale == 1.0 else (Branch(OTHER),)
    return Proposal("a", PROMPT, enumerable.LENGTH, Chain.from_json(list(stages)), cfg(scale), others)


WRITES_ALL = {
    "the model": under(),
    "guidance": under(scale=1.7),
    "another prompt": prompted("a", PROMPT, OTHER, enumerable.LENGTH),
    "XTC's coin": under({"sampler": "xtc", "probability": 0.5, "threshold": 0.1}),
    "a coin, then a temperature": under(
        {"sampler": "xtc", "probability": 0.4, "threshold": 0.2}, {"sampler": "temperature", "temperature": 1.4}
    ),
    "adaptive-p's memory": under({"sampler": "adaptive_p", "target": 0.3, "decay": 0.5}),
}
CUTS = {
    "guidance, then min-p": under({"sampler": "min_p", "min_p": 0.3}, scale=2.2),
    "a temperature, then top-p": under(
        {"sampler": "temperature", "temperature": 1.5}, {"sampler": "top_p", "top_p": 0.8}
    ),
    "mirostat's memory": under({"sampler": "mirostat", "tau": 1.2, "eta": 0.5}),
    "a penalty, then top-k": under({"sampler": "repetition_penalty", "penalty": 1.4}, {"sampler": "top_k", "top_k": 3}),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(enumerable.model(), num_threads=1, max_lanes=64) as engine:
        yield engine


def pool_of(engine: Engine, proposal: Proposal) -> Pool:
    drawing = Drawing.start(engine, proposal, NUM_TEXTS, seed=5)
    for _ in drawing.run():
        pass
    return drawing.pool


@pytest.mark.parametrize("name", [*WRITES_ALL, *CUTS])
def test_texts_come_as_often_as_their_probability_says(engine, name):
    """So the acceptance law min(P, βq), which rests on it, holds for every proposal; and what a cut one can reach of
    the model is told, while one that can write everything says so."""
    pool = pool_of(engine, {**WRITES_ALL, **CUTS}[name])
    found = Counter(pool.token_ids)
    log_q = dict(zip(pool.token_ids, pool.log_proposal, strict=True))
    assert all(abs(log_q[ids] - each) < 1e-4 for ids, each in zip(pool.token_ids, pool.log_proposal, strict=True))
    q = np.exp([log_q[ids] for ids in found])
    assert q.sum() < 1 + 1e-5
    counts, expected = np.array(list(found.values()), dtype=float), q * NUM_TEXTS
    common = expected >= 5
    counts = np.append(counts[common], NUM_TEXTS - counts[common].sum())
    expected = np.append(expected[common], NUM_TEXTS - expected[common].sum())
    freedom = len(counts) - 1
    assert (((counts - expected) ** 2 / np.maximum(expected, 1.0)).sum() - freedom) / np.sqrt(2 * freedom) < 4.5
    reach, error = Analysis.of(pool, [from_function("any", lambda text: 1.0)], Evaluator()).reachable
    if name in WRITES_ALL:
        assert (reach, error) == (1.0, 0.0)
    elif q.sum() > 0.99:  # nearly all that it can write was seen
        base = dict(zip(pool.token_ids, pool.log_base, strict=True))
        truth = float(np.exp([base[ids] for ids in found]).sum())
        assert reach < 0.95 and abs(reach - truth) < 4 * error + 0.02


def test_a_cut_proposal_beside_the_model_is_held_against_the_whole_target(engine):
    """Its own texts say nothing of what it cannot write: its line fell to 0, and it looked the better of the two."""
    two = from_function("two b", lambda text: float(text.count("b") >= 2), yes_no=True)
    cut = Proposal("a", PROMPT, enumerable.LENGTH, Chain.from_json([{"sampler": "top_k", "top_k": 3}]))
    whole, part = (Analysis.of(pool_of(engine, one), [two], Evaluator()) for one in (under(), cut))
    view = control_view(whole, Ask(targets=(0.6,)), [("top-k 3", part)])
    target = np.exp(whole.fit([0.6]).exponents[0] * enumerable.has_two_b(enumerable.SPACE)[:, 0])
    target *= np.exp(enumerable.log_probs(Tuner(enumerable.model()).log_base))
    reached = np.array([ids in set(part.pool.token_ids) for ids in enumerable.SPACE])
    truth = 1 - float(target[reached].sum() / target.sum())
    line = view["lines"][1]
    assert line["floor_of"] == "target" and line["floor"] == pytest.approx(truth, abs=0.1) and truth > 0.1
    assert min(line["divergence"]) == pytest.approx(line["floor"])
    assert (view["lines"][0]["floor"], view["lines"][0]["floor_of"]) == (0.0, "model")
    alone = control_view(part, Ask(targets=(0.6,)), [("the model", whole)])["lines"][0]
    assert alone["floor_of"] == "model" and min(alone["divergence"]) == pytest.approx(0, abs=1e-9)
    in_nats = control_view(whole, Ask(targets=(0.6,), measure="kl"), [("top-k 3", part)])
    assert in_nats["lines"][1]["divergence"][-1] is None, "infinite"
    assert figure(in_nats | {"figure": None})["data"]
