"""Guidance over several branches: masks, gates, schedules, temperatures, and the arithmetic against plain numpy."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.sampling import (
    PRESETS,
    Chain,
    Gate,
    Guidance,
    Recipe,
    Schedule,
    cfg,
    guide,
    metrics,
    mix,
    moment,
    recipe_from_json,
)
from playground.sampling.mixing import log_total
from playground.sampling.presets import presets_json
from playground.sampling.recipe import Context
from playground.sampling.softmax import log_softmax, softmax

from .strategies import rows

GENERATOR = torch.Generator().manual_seed(11)
PROMPT, FIRST, SECOND = (3 * torch.randn(5, 1500, generator=GENERATOR) for _ in range(3))
BOTH = [torch.stack([a, b]) for a, b in zip(FIRST, SECOND, strict=True)]
GUIDANCES = [
    Guidance((1.0, 0.8, -0.8), mask=0.05),
    Guidance((2.0, -0.5, -0.5), (0.5, 1.5)),
    Guidance((1.0, 0.0, -0.6)),
    Guidance((1.5, -0.2, -0.3), gate=Gate("entropy", bits=3.0), schedule=Schedule("divergence", floor=0.1)),
    Guidance((0.0, 0.5, 0.5), schedule=Schedule("linear", start=0.5, end=2.0, tokens=10)),
]
weights = st.floats(-3, 3).map(lambda value: round(value, 3))


def by_hand(guidance, now, *branches):
    """The published form in numpy: sum of weight · log-probability; then the mask on the first branch."""
    logs = []
    for row, heat in zip(branches, (1.0, *guidance.temperatures), strict=True):
        row = row.double().numpy() / heat
        logs.append(row - row.max() - np.log(np.exp(row - row.max()).sum()))
    scores = sum(weight * log for weight, log in zip(now.weights, logs, strict=True))
    if guidance.mask and not now.is_off:
        scores[logs[0] < logs[0].max() + math.log(guidance.mask) - 1e-7] = -np.inf
    p = np.exp(scores - scores.max())
    return p / p.sum()


@pytest.mark.parametrize("guidance", GUIDANCES)
@pytest.mark.parametrize("index", [0, 7])
def test_it_is_the_published_sum_over_any_number_of_branches(guidance, index):
    for row in range(5):
        now = moment(guidance, index, PROMPT[row], BOTH[row])
        mixed = mix([guidance], [index], PROMPT[row][None], [BOTH[row]])
        expected = by_hand(guidance, now, PROMPT[row], FIRST[row], SECOND[row])
        assert np.allclose(softmax(mixed)[0].numpy(), expected, atol=1e-6)
        assert float(softmax(mixed).sum()) == pytest.approx(1.0, abs=1e-12)


def test_a_batch_of_everybody_equals_each_alone_bit_for_bit():
    guidances = [GUIDANCES[0], cfg(1.5), Guidance(), cfg(1.0), GUIDANCES[3]]
    others = [BOTH[0], FIRST[1:2], FIRST[:0], FIRST[3:4], BOTH[4]]
    together = mix(guidances, range(5), PROMPT, others)
    for row in range(5):
        alone = mix([guidances[row]], [row], PROMPT[row : row + 1], [others[row]])
        assert torch.equal(together[row], alone[0])
    assert torch.equal(together[[2, 3]], PROMPT[[2, 3]])
    assert torch.equal(together[1], guide(PROMPT[1:2], FIRST[1:2], 1.5)[0])
    assert mix([Guidance(), cfg(1.0)], [0, 0], PROMPT[:2], [FIRST[:0], FIRST[:1]])[:2].data_ptr() == PROMPT.data_ptr()


@settings(max_examples=40, deadline=None)
@given(rows(), weights, weights)
def test_equal_branches_change_nothing_where_the_weights_sum_to_1(row, one, other):
    guidance = Guidance((1.0 - one - other, one, other))
    mixed = mix([guidance], [0], row[None], [torch.stack([row, row])])
    assert torch.allclose(softmax(mixed), softmax(row[None]), atol=1e-6)


def test_another_sum_of_weights_is_also_a_temperature():
    mixed = mix([Guidance((1.0, -0.5))], [0], PROMPT[:1], [PROMPT[:1].clone()])
    assert torch.allclose(softmax(mixed), softmax(Chain.from_url("temperature:2").apply(PROMPT[:1])), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.tuples(weights, weights, weights), st.floats(-20, 20), st.floats(-20, 20))
def test_a_constant_on_any_branch_changes_nothing(three, one, other):
    guidance = Guidance(three, (0.7, 1.3), mask=0.01)
    wide, besides = PROMPT[:1].double(), BOTH[0].double()
    shift = torch.tensor([[one], [other]], dtype=torch.float64)
    plain, shifted = (mix([guidance], [0], wide + add, [besides + add * shift]) for add in (0.0, 1.0))
    assert torch.allclose(softmax(plain), softmax(shifted), atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(rows(), rows(), weights, st.floats(0.01, 1))
def test_a_mask_keeps_the_argmax_of_the_prompt_and_makes_no_nan(prompt, other, weight, mask):
    guidance = Guidance((1.0, weight), mask=mask)
    mixed = mix([guidance], [0], prompt[None], [other[None]])[0]
    assert not mixed.isnan().any() and (mixed > -torch.inf).any() and not (mixed == torch.inf).any()
    if weight and other[prompt.argmax()] > -torch.inf:
        assert mixed[prompt.argmax()] > -torch.inf
        plausible = Chain.from_url(f"min_p:{mask}").apply(prompt[None])[0] > -torch.inf
        assert torch.equal(mixed > -torch.inf, plausible & (other > -torch.inf))


def test_the_mask_of_contrastive_decoding_is_min_p_on_the_expert():
    guidance = PRESETS["contrastive"].recipe.guidance
    mixed = mix([guidance], [0], PROMPT[:1], [FIRST[:1]])
    assert torch.equal(mixed > -torch.inf, Chain.from_url("min_p:0.1").apply(PROMPT[:1]) > -torch.inf)


def test_small_numbers_on_paper():
    expert, amateur = torch.tensor([[0.5, 0.3, 0.2]]).log(), torch.tensor([[0.25, 0.25, 0.5]]).log()
    # contrastive decoding without its temperature: 0.5/0.25 : 0.3/0.25 : 0.2/0.5 = 2 : 1.2 : 0.4
    mixed = mix([Guidance((1.0, -1.0))], [0], expert, [amateur])
    assert softmax(mixed)[0].tolist() == pytest.approx([2 / 3.6, 1.2 / 3.6, 0.4 / 3.6], abs=1e-6)
    # PREADD at s = -1: p(prompt)^2 / p(text + prompt) = 1 : 0.36 : 0.08
    mixed = mix([PRESETS["preadd"].recipe.guidance], [0], expert, [amateur])
    assert softmax(mixed)[0].tolist() == pytest.approx([1 / 1.44, 0.36 / 1.44, 0.08 / 1.44], abs=1e-6)
    # coherence boosting at alpha = -0.5: p / sqrt(q) = 1 : 0.6 : 0.2828
    mixed = mix([PRESETS["coherence"].recipe.guidance], [0], expert, [amateur])
    assert softmax(mixed)[0].tolist() == pytest.approx([0.5311, 0.3187, 0.1502], abs=1e-4)
    # proxy tuning: 0.4 · (0.5/0.25), 0.4 · (0.3/0.25), 0.2 · (0.2/0.5) = 0.8 : 0.48 : 0.08
    base = torch.tensor([[0.4, 0.4, 0.2]]).log()
    mixed = mix([PRESETS["proxy"].recipe.guidance], [0], base, [torch.cat([expert, amateur])])
    assert softmax(mixed)[0].tolist() == pytest.approx([0.8 / 1.36, 0.48 / 1.36, 0.08 / 1.36], abs=1e-6)
    # context-aware decoding at alpha = 0.5: p^1.5 / q^0.5
    mixed = mix([PRESETS["cad"].recipe.guidance], [0], expert, [amateur])
    parts = [0.5**1.5 / 0.25**0.5, 0.3**1.5 / 0.25**0.5, 0.2**1.5 / 0.5**0.5]
    assert softmax(mixed)[0].tolist() == pytest.approx([part / sum(parts) for part in parts], abs=1e-6)


def test_adacad_is_as_strong_as_the_branches_disagree():
    guidance = PRESETS["adacad"].recipe.guidance
    p, q = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[0.0, 0.5, 0.5]])
    assert float(metrics.js_bits(p, q)) == pytest.approx(0.5)
    now = moment(guidance, 3, p.clamp(min=1e-30).log()[0], q.clamp(min=1e-30).log())
    assert (now.strength, now.divergence_bits) == (pytest.approx(0.5), pytest.approx(0.5))
    assert now.weights == pytest.approx((1.5, -0.5))
    same = moment(guidance, 3, PROMPT[0], PROMPT[:1])
    assert same.strength == pytest.approx(0.0, abs=1e-9)
    floored = moment(Guidance((2.0, -1.0), schedule=Schedule("divergence", floor=0.3)), 3, PROMPT[0], PROMPT[:1])
    assert floored.strength == 0.3


def test_gates_open_and_close():
    sure, unsure = torch.tensor([9.0, 0.0]), torch.tensor([0.0, 0.0])
    guidance = Guidance((2.0, -1.0), gate=Gate("entropy", bits=0.5))
    closed, opened = (moment(guidance, 0, row, sure[None].flip(-1)) for row in (sure, unsure))
    assert closed.is_off and not closed.is_open and closed.strength == 0 and closed.entropy_bits < 0.01
    assert opened.is_open and opened.weights == (2.0, -1.0) and opened.entropy_bits == pytest.approx(1.0)
    assert mix([guidance], [0], sure[None], [unsure[None]]).equal(sure[None])
    first = Guidance((2.0, -1.0), mask=0.5, gate=Gate("first", tokens=4))
    assert [moment(first, index, sure, unsure[None]).is_open for index in (0, 3, 4, 100)] == [True, True, False, False]
    assert mix([first], [4], PROMPT[:1], [FIRST[:1]]).equal(PROMPT[:1]), "closed: no mask either"


def test_schedules():
    linear = Schedule("linear", start=0.5, end=1.5, tokens=10)
    assert [linear.strength(index, float) for index in (0, 5, 10, 99)] == pytest.approx([0.5, 1.0, 1.5, 1.5])
    decay, growth = Schedule("decay", rate=0.1), Schedule("growth", rate=0.02, limit=1.0)
    assert [decay.strength(index, float) for index in (0, 10)] == pytest.approx([1.0, math.exp(-1)])
    gamma = math.exp(-0.02 * 10)
    assert growth.strength(10, float) == pytest.approx((1 - gamma) / gamma), "M3ID's weight"
    assert growth.strength(0, float) == 0 and growth.strength(10**6, float) == 1.0
    assert Schedule().strength(5, lambda: 1 / 0) == 1.0, "the divergence is not computed where it does not count"
    assert Guidance((3.0, -2.0), schedule=growth).weights_at(0.5) == (2.0, -1.0)


def test_log_total_is_exact_to_1e_6_and_alone_as_in_a_batch():
    wide = 8 * torch.randn(6, 49_152 + 77, generator=GENERATOR)
    expected = torch.logsumexp(wide.double(), -1, keepdim=True)
    assert torch.allclose(log_total(wide), expected, atol=1e-6, rtol=0)
    for row in range(6):
        assert torch.equal(log_total(wide[row : row + 1]), log_total(wide)[row : row + 1])
    assert torch.allclose(wide.double() - log_total(wide), log_softmax(wide), atol=1e-6, rtol=0)


def test_cfg_recipes_give_the_weights_of_the_paper_to_the_last_bit():
    for scale in (-0.7, 0.0, 0.05, 1.0, 1.1, 3.3):
        assert Recipe(scale=scale).guidance == cfg(scale)
    assert Recipe().is_off and not Recipe(scale=1.5).is_off
    assert Recipe("own", (Context(), Context("bos")), (1.0, 1.0, -1.0), scale=1.5).guidance.weights == (1.0, 0.5, -0.5)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_off_at_1_and_says_what_it_is(name):
    preset = PRESETS[name]
    assert preset.recipe.name == name and not preset.recipe.is_off
    assert recipe_from_json({"preset": name, "scale": 1}).is_off and recipe_from_json(name) == preset.recipe
    assert all((preset.title, preset.summary, preset.formula, preset.scale_is)) and "arXiv" in preset.source
    assert presets_json(1)[name]["missing_models"] == preset.recipe.num_models - 1
    assert presets_json(3)[name]["missing_models"] == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(weights, min_size=1, max_size=4), st.floats(0, 1), st.sampled_from(["always", "entropy", "first"]))
def test_json_comes_back(numbers, mask, gate):
    guidance = Guidance(tuple(numbers), mask=mask, gate=Gate(gate), schedule=Schedule("linear", tokens=5))
    again = Guidance.from_json(json.loads(json.dumps(guidance.to_json())))
    assert again == guidance and hash(again) == hash(guidance)


def test_numbers_that_a_kind_does_not_use_make_no_difference():
    assert Gate("always", bits=7.0) == Gate() and Schedule("decay", floor=0.5, rate=0.1) == Schedule("decay", rate=0.1)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (5, "object"),
        ("magic", "preset is one of cfg"),
        ({"preset": ["cfg"]}, "preset is one of"),
        ({"colour": 1}, "no 'colour'"),
        ({"scale": "2"}, "scale must be a number"),
        ({"scale": math.nan}, "scale must be a number"),
        ({"mask": 2}, "mask must be a number from 0 to 1"),
        ({"k": 0}, "k must be a whole number from 1 to 32"),
        ({"k": 1.5}, "whole number"),
        ({"context": "yesterday"}, "context is one of"),
        ({"context": 5}, "context is one of"),
        ({"text": "\ud800"}, "surrogate"),
        ({"text": 5}, "must be a text"),
        ({"temperature": 0}, "temperature must be a number"),
        ({"gate": "entropy"}, "gate must be an object"),
        ({"gate": {"kind": "mood"}}, "gate.kind must be one of always"),
        ({"gate": {"kind": "entropy", "bits": "1"}}, "gate.bits must be a number"),
        ({"gate": {"kind": "first", "bits": 1}}, "has no 'bits'"),
        ({"schedule": {"kind": "linear", "tokens": 0}}, "schedule.tokens must be a whole number"),
        ({"schedule": {"kind": "constant", "rate": 1}}, "has no 'rate'"),
        ({"branches": []}, "1 to 3 branches"),
        ({"branches": [{}] * 4}, "1 to 3 branches"),
        ({"branches": [5]}, "object"),
        ({"branches": [{"weight": None}]}, "weight must be a number"),
        ({"branches": [{"model": "main"}]}, "model is a number"),
        ({"branches": [{"layers": "middle"}]}, "layers"),
        ({"branches": [{"hue": 1}]}, "no 'hue'"),
        ({"branches": [{}], "preset": "cad"}, "not both"),
        ({"branches": [{}], "k": 5}, "no 'k'"),
    ],
)
def test_bad_recipes_are_explained(value, says):
    with pytest.raises(PlaygroundError, match=says):
        recipe_from_json(value)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Guidance(()), "1 to 4 numbers"),
        (lambda: Guidance((1.0,) * 5), "1 to 4 numbers"),
        (lambda: Guidance((math.inf, 0.0)), "guidance.weights must be a number"),
        (lambda: Guidance(5), "list of numbers"),
        (lambda: Guidance((1.0, 0.5), (1.0, 1.0)), "one number for each branch"),
        (lambda: Guidance((1.0, 0.5), (0.0,)), "temperatures must be a number"),
        (lambda: Guidance.from_json([1.0]), "object"),
        (lambda: Guidance.from_json({"weight": [1.0]}), "no 'weight'"),
    ],
)
def test_bad_numbers_are_explained(make, says):
    with pytest.raises(PlaygroundError, match=says):
        make()


@pytest.mark.parametrize("at", [0, 1])
def test_a_branch_that_does_not_count_removes_nothing(at):
    """Weight 0 times a score of -inf is no number; the row must not be lost over it."""
    holed, whole = BOTH[0][0].clone(), BOTH[0][1]
    holed[3] = -torch.inf
    others = torch.stack([holed, whole] if at == 0 else [whole, holed])
    weights = (1.0, 0.0, 0.5) if at == 0 else (1.0, 0.5, 0.0)
    mixed = mix([Guidance(weights)], [0], PROMPT[:1], [others])
    assert torch.equal(mixed, mix([Guidance((1.0, 0.5))], [0], PROMPT[:1], [whole[None]]))
