"""Chains as JSON and as links: round trips, and a clear message for everything that is not a chain."""

import contextlib
import json
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.sampling import SAMPLERS, Chain

from .strategies import chains


@settings(max_examples=100, deadline=None)
@given(chains(bound=False))
def test_round_trips(chain):
    stages = chain.to_json()
    assert Chain.from_json(stages) == chain and hash(Chain.from_json(stages)) == hash(chain)
    assert Chain.from_json(json.dumps(stages, allow_nan=False)) == chain
    assert Chain.from_url(chain.to_url()) == chain
    assert re.fullmatch(r"[a-z0-9_.:,-]*", chain.to_url())


def test_the_contract_of_the_design():
    chain = Chain.from_json([{"sampler": "min_p", "min_p": 0.1}, {"sampler": "temperature", "temperature": 1.5}])
    assert chain.to_url() == "min_p:0.1,temperature:1.5"
    assert chain.to_json()[0] == {"sampler": "min_p", "min_p": 0.1}
    bias = Chain.from_json([{"sampler": "logit_bias", "bias": {"7": 2, "3": -100}}])
    assert bias.to_json() == [{"sampler": "logit_bias", "bias": {"3": -100.0, "7": 2.0}}]
    assert bias.to_url() == "logit_bias:3_-100_7_2"


def test_missing_parameters_take_their_defaults():
    for name, kind in SAMPLERS.items():
        chain = Chain.from_json([{"sampler": name}])
        assert chain.samplers == (kind(),) == Chain.from_url(name).samplers
    assert Chain.from_url("repetition_penalty:1.3").to_json()[0]["last_n"] == 0
    assert Chain.from_json([]) == Chain() == Chain.from_url("")


def test_the_same_sampler_twice_applies_twice():
    scores = torch.tensor([[4.0, 0.0]])
    assert Chain.from_url("temperature:2,temperature:2").apply(scores).tolist() == [[1.0, 0.0]]


BAD_STAGES = [
    ('"min_p"', "list"),
    ("min_p", "JSON"),
    ({"sampler": "min_p"}, "list"),
    (None, "list"),
    (3, "list"),
    ("[", "JSON"),
    ("[" * 100_000, "JSON"),
    ([3], "object"),
    ([{}], "object"),
    ([[]], "object"),
    ([{"sampler": "min-p"}], "Known: .*min_p"),
    ([{"sampler": None}], "Known"),
    ([{"sampler": ["min_p"]}], "Known"),
    ([{"sampler": "min_p", "p": 0.1}], "no parameter 'p'; it has min_p"),
    ([{"sampler": "min_p", 5: 0.1}], "no parameter 5"),
    ([{"sampler": "top_k"}] * 65, "at most 64"),
]


@pytest.mark.parametrize(("stages", "says"), BAD_STAGES, ids=range(len(BAD_STAGES)))
def test_bad_chains_are_explained(stages, says):
    with pytest.raises(PlaygroundError, match=says) as caught:
        Chain.from_json(stages)
    assert len(str(caught.value)) < 400


BAD_NUMBERS = [math.nan, math.inf, -math.inf, -1e9, 1e12, 10**400, "0.5", "", True, None, [], {}, 1j]


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=str)
@pytest.mark.parametrize("name", SAMPLERS)
def test_bad_values_name_the_parameter_and_its_range(name, value):
    for parameter, fact in SAMPLERS[name].params().items():
        bad = {"biases": [value], "tokens": [value], "texts": [[value]]}.get(fact.kind, value)
        with pytest.raises(PlaygroundError) as caught:
            Chain.from_json([{"sampler": name, parameter: bad}])
        assert f"{name}.{parameter} must be" in str(caught.value) and len(str(caught.value)) < 400


def test_ranges_are_said():
    with pytest.raises(
        PlaygroundError, match=r"temperature.temperature must be a number from 0 to .*slider covers 0 to 5"
    ):
        Chain.from_url("temperature:-1")
    with pytest.raises(PlaygroundError, match="whole number"):
        Chain.from_url("top_k:1.5")
    assert Chain.from_json([{"sampler": "top_k", "top_k": 40.0}]).to_json()[0]["top_k"] == 40


BAD_BIASES = [
    {"-1": 1},
    {"1.5": 1},
    {"x": 1},
    {"1": math.nan},
    {"1": "2"},
    {"1": True},
    {"١": 1},
    {"99999999999": 1},
    {True: 1},
    {"5": 1, "05": 2},
    {str(token_id): 1.0 for token_id in range(10_001)},
]


@pytest.mark.parametrize("bias", BAD_BIASES, ids=range(len(BAD_BIASES)))
def test_bad_biases_are_explained(bias):
    with pytest.raises(PlaygroundError, match=r"logit_bias.bias must be .*at most 10,000"):
        Chain.from_json([{"sampler": "logit_bias", "bias": bias}])


def test_a_bias_on_a_token_that_the_model_lacks_is_explained():
    chain = Chain.from_url("logit_bias:2_1")
    assert chain.apply(torch.zeros(1, 3)).tolist() == [[0.0, 0.0, 1.0]]
    with pytest.raises(PlaygroundError, match="names token 2; this model has tokens 0 to 1"):
        chain.apply(torch.zeros(1, 2))


@pytest.mark.parametrize(
    "text", ["nope", "min_p:x", "min_p:0.1:0.2", ",", "min_p,", "logit_bias:3", "top_k:nan", None, 5]
)
def test_bad_links_are_explained(text):
    with pytest.raises(PlaygroundError):
        Chain.from_url(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_0123456789.:,-%é") | st.text())
def test_any_text_is_a_chain_or_an_explained_error(text):
    for read in (Chain.from_url, Chain.from_json):
        with contextlib.suppress(PlaygroundError):
            assert isinstance(read(text), Chain)


@pytest.mark.parametrize(
    "scores",
    [torch.full((1, 4), torch.nan), torch.full((1, 4), -torch.inf), torch.tensor([[0.0, torch.inf]]), torch.zeros(4)],
    ids=["nan", "all removed", "infinite", "one dimension"],
)
def test_scores_that_cannot_be_sampled_from_are_refused(scores):
    with pytest.raises(PlaygroundError):
        Chain().apply(scores)


def test_histories_must_match_the_rows():
    with pytest.raises(PlaygroundError, match="1 rows, scores has 2"):
        Chain().apply(torch.zeros(2, 4), [[1]])
