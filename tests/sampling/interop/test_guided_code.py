"""Guidance of several branches, as exported for transformers and run as it is written: our guided distribution."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from playground.sampling import Chain, recipe_from_json
from playground.sampling.interop import Setup, export
from playground.sampling.mixing import mix, moment
from playground.sampling.presets import PRESETS
from playground.sampling.recipe import Recipe
from playground.sampling.softmax import softmax
from tests.sampling.strategies import VOCABULARY, WIDTH

pytest.importorskip("transformers")
from playground.engine.contexts import Texts, other_branches, read_prompt
from tests.sampling.interop.exported import HISTORY, execute, scores_of, tiny
from tests.sampling.interop.playing import NUM_TOKENS, Letters, as_ours, playing

FIRST = Path(__file__).parents[3] / "assets" / "first_view.npz"
TEXTS = ("one", "two", "three")
ALMOST_NONE = 2e-5


def mixed(*weights: float, heats: tuple[float, ...] = (1.0, 1.0, 1.0), **more) -> Recipe:
    """A mix of branches that read ``TEXTS``; the prompt's weight first."""
    branches = [
        {"context": "other", "text": text, "weight": weight, "temperature": heat}
        for text, weight, heat in zip(TEXTS, weights[1:], heats, strict=False)
    ]
    return recipe_from_json({"weight": weights[0], "branches": branches, **more})


ENTROPY = [{"kind": "entropy", "bits": bits} for bits in (1.0, 12.0)]
STORED = {
    "two branches": mixed(2.0, -1.5, 0.5),
    "three branches": mixed(0.5, 0.9, -0.6, 0.4),
    "weights that sum to more": mixed(1.5, 0.75),
    "the prompt does not count": mixed(0.0, 0.3, 0.7),
    "heat": mixed(2.0, -0.8, -0.2, heats=(0.5, 2.0)),
    "a mask": mixed(1.0, -1.0, 0.5, mask=0.01),
    "another scale": mixed(1.0, -1.0, 0.5, mask=0.1, scale=3.5),
    "the gate is open": mixed(2.0, -1.0, gate=ENTROPY[0], mask=0.05),
    "the gate is closed": mixed(2.0, -1.0, gate=ENTROPY[1], mask=0.05),
    "as they diverge": mixed(3.0, -2.0, schedule={"kind": "divergence"}, heats=(0.7,)),
    "as they diverge, or more": mixed(3.0, -2.0, schedule={"kind": "divergence", "floor": 0.9}),
    "nothing at the first token": mixed(3.0, -2.0, mask=0.5, schedule={"kind": "linear", "start": 0.0, "end": 1.0}),
    "half at the first token": mixed(3.0, -2.0, mask=0.1, schedule={"kind": "linear", "start": 0.5, "end": 1.0}),
}


@cache
def rows() -> tuple[torch.Tensor, ...]:
    """float32[V] each, from the real model: the opening prompt, its negative branch, and two mixes of both."""
    with np.load(FIRST) as stored:
        prompt, negative = torch.from_numpy(stored["prompt"]), torch.from_numpy(stored["negative"])
    noise = torch.randn(len(prompt), generator=torch.Generator().manual_seed(3))
    return prompt, negative, 0.6 * prompt + 0.4 * negative, 0.8 * negative + noise


def apart(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Total variation between two rows of scores."""
    return float((softmax(ours[None]) - softmax(theirs[None])).abs().sum()) / 2


def stored(recipe: Recipe, url: str, monkeypatch: pytest.MonkeyPatch) -> float:
    """How far the exported code is from us after the opening prompt."""
    prompt, *others = rows()
    read = others[: len(recipe.contexts)]
    base = mix([recipe.guidance], [0], prompt[None], [torch.stack(read)])
    chain = Chain.from_url(url).bind(VOCABULARY)
    setup = Setup(chain, recipe, "x")
    given = dict(zip(TEXTS, read, strict=False))
    assert not export("transformers", setup).losses
    return apart(chain.apply(base, [HISTORY])[0], scores_of(setup, tiny(len(prompt)), prompt, monkeypatch, given))


@pytest.mark.parametrize("url", ["", "repetition_penalty:1.3,temperature:0.9,top_k:40,min_p:0.02"])
@pytest.mark.parametrize("recipe", STORED.values(), ids=STORED)
def test_guidance_on_real_logits_is_ours(recipe, url, monkeypatch):
    assert stored(recipe, url, monkeypatch) < ALMOST_NONE


def test_the_two_gates_are_one_open_and_one_closed():
    """Otherwise the cases above would show one side alone."""
    others = torch.stack(rows()[1:2])
    assert [moment(STORED[f"the gate is {side}"].guidance, 0, rows()[0], others).is_open
            for side in ("open", "closed")] == [True, False]  # fmt: skip


HOLED = {
    "a prompt that counts little": mixed(0.5, 0.9, -0.6),
    "a branch that counts": mixed(2.0, -1.0),
    "a branch that does not": mixed(1.0, 0.0, 0.5),
    "plain": recipe_from_json({"preset": "cfg", "scale": 2.5}),
    "plain, below 1": recipe_from_json({"preset": "cfg", "scale": 0.5}),
    "as they diverge": mixed(3.0, -2.0, schedule={"kind": "divergence"}),
    "where it wavers": mixed(3.0, -2.0, gate=ENTROPY[0], mask=0.05),
}


@pytest.mark.parametrize("overlap", ["some", "none", "none but one", "all"])
@pytest.mark.parametrize("recipe", HOLED.values(), ids=HOLED)
def test_tokens_that_a_branch_removed_stay_removed(recipe, overlap, monkeypatch):
    """Models pad their vocabulary, and processors before ours forbid tokens: -inf, which no sum may turn into NaN."""
    random = torch.Generator().manual_seed(1)
    prompt, *others = 3 * torch.randn(1 + len(recipe.contexts), WIDTH, generator=random)
    prompt[:12] = -torch.inf
    others[0][{"some": slice(8, 16), "none": slice(12, WIDTH), "none but one": slice(13, WIDTH),
               "all": slice(0, 0)}[overlap]] = -torch.inf  # fmt: skip
    base = mix([recipe.guidance], [0], prompt[None], [torch.stack(others)])[0]
    texts = TEXTS if recipe.name == "own" else ("",)
    given = dict(zip(texts, others, strict=False))
    setup = Setup(Chain.from_url("top_n_sigma:9"), recipe, "x")
    base = setup.chain.apply(base[None])[0]
    theirs = scores_of(setup, tiny(WIDTH), prompt, monkeypatch, given)
    assert torch.equal(base == -torch.inf, theirs == -torch.inf)
    assert apart(base, theirs) < ALMOST_NONE


@pytest.mark.parametrize("name", ["two branches", "heat", "a mask", "as they diverge", "half at the first token"])
def test_the_check_can_fail(name, monkeypatch):
    """Guidance of a twentieth more scale is not taken for the same."""
    setup = STORED[name]
    real = export("transformers", Setup(Chain(), setup.at(setup.scale * 1.05), "x"))
    with patch("tests.sampling.interop.exported.export", lambda *_: real):
        assert stored(setup, "", monkeypatch) > 20 * ALMOST_NONE


def test_a_weight_beyond_its_limit_is_said():
    grows = {"kind": "linear", "start": 0.0, "end": 50.0}
    for weight, said in ((-10.0, False), (-100.0, True)):
        losses = export("transformers", Setup(Chain(), mixed(1.0, weight, schedule=grows), "x")).losses
        assert any("±1000" in loss for loss in losses) is said


# ------------------------------------------------------------------------------------------ several tokens, really run

CHAIN = "repetition_penalty:1.2,temperature:1.4,top_p:0.98"
LAYERED = {"dola", "dola_high"}  # written as a loss: transformers gives a processor no layers
RUNS = {
    "the first two": mixed(3.0, -2.0, gate={"kind": "first", "tokens": 2}),
    "where it wavers": mixed(3.0, -2.0, 0.5, gate={"kind": "entropy", "bits": 2.0}, mask=0.01),
    "a line": mixed(3.0, -2.0, schedule={"kind": "linear", "start": 0.0, "end": 1.5, "tokens": 4}),
    "a decay": mixed(2.0, -1.0, 0.5, schedule={"kind": "decay", "rate": 0.4}),
    "a growth": mixed(2.0, -1.0, schedule={"kind": "growth", "rate": 0.5, "limit": 2.0}),
    "as they diverge": mixed(2.0, -1.5, 0.5, heats=(0.7, 1.5), schedule={"kind": "divergence", "floor": 0.2}),
    "gate and schedule": mixed(
        3.0, -2.0, mask=0.02, gate={"kind": "entropy", "bits": 2.5}, schedule={"kind": "divergence"}
    ),
    "three branches under a mask": mixed(1.0, -1.0, 0.6, 0.4, heats=(0.5, 1.0, 2.0), mask=0.03, scale=2.5),
    **{name: recipe_from_json({"preset": name, "scale": 2.5}) for name in PRESETS if name not in LAYERED},
    "no context": recipe_from_json({"preset": "cfg", "scale": 1.7, "context": "none"}),
    "the first token": recipe_from_json({"preset": "cfg", "scale": 1.7, "context": "bos"}),
}
CHATS = {**{name: RUNS[name] for name in ("cad", "preadd", "entropy", "coherence", "proxy", "no context", "a decay")},
         "no system text": recipe_from_json({"preset": "cfg", "scale": 1.7, "context": "no_system"})}  # fmt: skip


@cache
def models() -> tuple:
    return tuple(playing(seed) for seed in (4, 5, 6))


def run(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> tuple[torch.Tensor, list[int]]:
    """float[T,V] handed to the draws by the exported code, and the tokens of prompt and text."""
    main = models()[0]
    execute(setup, Letters(), {"model": main, "model-2": models()[1], "model-3": models()[2]}, monkeypatch)
    return main.drawn, main.sequence


def ours(setup: Setup, sequence: list[int]) -> tuple[torch.Tensor, list[float]]:
    """float[T,V] from us for the same tokens, every branch read afresh at every step; the strengths on the way."""
    assert setup.guidance is not None
    recipe, negative = setup.guidance, setup.negative
    texts = (
        Texts(setup.prompt or "", True, setup.system or None, negative_system=negative)
        if setup.chat
        else Texts(setup.prompt or "", negative=negative)
    )
    known = [as_ours(number) for number in (1, 2, 3)]
    prompt = read_prompt(known[0], texts).token_ids
    branches = [one.branch for one in other_branches(known, texts, prompt, recipe)]
    found, strengths = [], []
    state = setup.chain.start()
    for index in range(len(sequence) - len(prompt)):
        history = sequence[: len(prompt) + index]
        written = sequence[len(prompt) : len(history)]
        row = models()[0].next(history)
        others = torch.stack([models()[one.model].next([*one.token_ids, *written]) for one in branches])
        base = mix([recipe.guidance], [index], row[None], [others])[0]
        found.append(setup.chain.apply(base[None], [history], prompt_length=len(prompt), state=[state])[0])
        state = setup.chain.observe(state, base, sequence[len(history)], history)
        strengths.append(moment(recipe.guidance, index, row, others).strength)
    return torch.stack(found), strengths


def agree(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    theirs, sequence = run(setup, monkeypatch)
    mine, strengths = ours(setup, sequence)
    assert len(theirs) == len(mine) == NUM_TOKENS
    assert [apart(one, other) < ALMOST_NONE for one, other in zip(mine, theirs, strict=True)] == [True] * NUM_TOKENS
    return strengths


@pytest.mark.parametrize("recipe", RUNS.values(), ids=RUNS)
def test_it_guides_every_token_as_we_do(recipe, monkeypatch):
    setup = Setup(Chain.from_url(CHAIN), recipe, "Once upon", "not so", seed=5, max_tokens=NUM_TOKENS)
    strengths = agree(setup, monkeypatch)
    gated, moving = recipe.gate.kind != "always", recipe.schedule.kind != "constant"
    if gated:
        assert 0 < strengths.count(0.0) < NUM_TOKENS  # both sides of the gate were seen
    if moving:
        assert len(set(strengths)) > 2


@pytest.mark.parametrize("recipe", CHATS.values(), ids=CHATS)
def test_and_in_a_chat(recipe, monkeypatch):
    agree(Setup(Chain.from_url(CHAIN), recipe, "Hello", "Be rude.", True, "Be kind.", 7, NUM_TOKENS), monkeypatch)


@pytest.mark.parametrize("negative", ["", "not so"])
def test_where_their_own_guidance_stands_in_for_ours(negative, monkeypatch):
    recipe = recipe_from_json({"preset": "cfg", "scale": 2.5})
    setup = Setup(Chain.from_url("temperature:1.4,top_p:0.98"), recipe, "Once upon", negative, max_tokens=NUM_TOKENS)
    assert "guidance_scale=2.5" in export("transformers", setup).text
    agree(setup, monkeypatch)


@pytest.mark.parametrize("tail", ["mirostat:2:0.3:20", "mirostat_v2:2:0.3", "watermark:0.4:3:99", "adaptive_p:0.2:0.8"])
def test_with_a_stage_behind_it_that_remembers_or_marks(tail, monkeypatch):
    agree(Setup(Chain.from_url(f"temperature:1.2,{tail}"), RUNS["a decay"], "Once", seed=2, max_tokens=NUM_TOKENS),
          monkeypatch)  # fmt: skip
