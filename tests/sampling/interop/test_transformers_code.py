"""The exported transformers code, run as it is written, samples from our distribution."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.sampling import Chain, guide
from playground.sampling.interop import Setup, export, parse
from playground.sampling.interop.guiding import cfg
from playground.sampling.softmax import softmax
from tests.sampling.strategies import VOCABULARY, WIDTH, chains

pytest.importorskip("transformers")
from tests.sampling.interop.exported import HISTORY, scores_of, tiny

FIRST = Path(__file__).parents[3] / "assets" / "first_view.npz"

CHAINS = {
    "their order": "repetition_penalty:1.2,temperature:1.4,top_k:200,top_p:0.95,min_p:0.02",
    "our order": "top_p:0.9,temperature:1.7,min_p:0.05",
    "a window": "repetition_penalty:1.3:3,temperature:0.8",
    "penalties": "frequency_penalty:0.7,presence_penalty:-0.4:4,temperature:1.2",
    "sigma": "top_n_sigma:1.0,temperature:2",
    "bent": "quadratic:0.2:1.5,top_a:0.1",
    "warm": "dynamic_temperature:0.5:1.8:1.2,min_p:0.1",
    "tail": "temperature:1.3,tail_free:0.9",
    "three are left and their one bend cuts nothing": "top_k:3,tail_free:0",
    "agreeing": "temperature:1.5,p_less",
    "cutoffs": "epsilon_cutoff:0.0003,eta_cutoff:0.002",
    "typical": "typical_p:0.7,temperature:1.1",
    "twice": "temperature:1.5,top_k:50,temperature:0.5",
    "greedy": "repetition_penalty:1.5,temperature:0",
    "greedy after a cut that moves the best": "typical_p:0.2,temperature:0",
    "bias": "logit_bias:3_2.5_9_-4,top_k:20",
    "bans": "token_ban:5_9,temperature:0.9",
    "grams": "no_repeat_ngram:2,top_p:0.8",
    "runs": "dry:1.2:1.75:1:0,temperature:0.9",
    "surprise": "top_k:500,mirostat_v2:3:0.1",
    "about as likely as that": "min_p:0.02,adaptive_p:0.3:0.9",
    "steep": "temperature:1.2,mirostat:4:0.1:100",
    "steep after a cut": "top_k:30,mirostat:2:0.1:500",
    "a watermark": "temperature:0.8,watermark:0.3:2.5:12345:4,top_k:400",
    "a watermark that waits": "watermark:0.3:2.5:12345:9,temperature:0.8",
    "nothing": "",
}


@pytest.fixture(scope="module")
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """float32[V] each: the opening prompt and its negative branch, from the real model."""
    with np.load(FIRST) as stored:
        return torch.from_numpy(stored["prompt"]), torch.from_numpy(stored["negative"])


def agree(setup: Setup, model, row, monkeypatch, negative=None) -> None:
    scale = setup.guidance.scale if setup.guidance else 1.0
    base = row[None] if negative is None else guide(row[None], negative[None], scale)
    ours = softmax(setup.chain.bind(VOCABULARY).apply(base, [HISTORY]))[0]
    others = None if negative is None else {setup.negative: negative}
    theirs = softmax(scores_of(setup, model, row, monkeypatch, others)[None])[0]
    assert float((ours - theirs).abs().sum()) / 2 < 2e-5, export("transformers", setup).text


@pytest.mark.parametrize("url", CHAINS.values(), ids=CHAINS)
def test_it_reproduces_our_distribution_on_real_logits(url, rows, monkeypatch):
    agree(Setup(Chain.from_url(url), prompt="x"), tiny(len(rows[0])), rows[0], monkeypatch)


@pytest.mark.parametrize("scale", [0.0, 1.5, 3.0])
@pytest.mark.parametrize("url", ["", "min_p:0.05,temperature:1.3", "repetition_penalty:1.3,temperature:0.9,top_k:40"])
@pytest.mark.parametrize("negative", ["", "bad text"])
def test_guidance_too_a_repetition_penalty_behind_it_included(url, scale, negative, rows, monkeypatch):
    setup = Setup(Chain.from_url(url), cfg(scale), "x", negative)
    agree(setup, tiny(len(rows[0])), rows[0], monkeypatch, rows[1])


def test_guidance_is_a_setting_only_where_that_is_exact():
    plain, penalised = (
        export("transformers", Setup(Chain.from_url(url), cfg(1.5), "x"))
        for url in ("temperature:1.3", "repetition_penalty:1.3,temperature:1.3")
    )
    assert "guidance_scale=1.5" in plain.text and "class Guidance" not in plain.text
    assert any("log-probabilities" in hint for hint in plain.hints)
    assert "guidance_scale" not in penalised.text and "class Guidance" in penalised.text


def test_a_chain_in_their_order_needs_no_list():
    text = export("transformers", Setup(Chain.from_url(CHAINS["their order"]))).text
    assert "LogitsProcessorList" not in text and "top_k=200" in text
    assert "LogitsProcessorList" in export("transformers", Setup(Chain.from_url(CHAINS["our order"]))).text


MODEL = tiny(WIDTH)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chain=chains(4), seed=st.integers(0, 10_000))
def test_any_chain_that_is_written_without_a_loss(chain, seed):
    if export("transformers", Setup(chain)).losses or any(one.name == "xtc" for one in chain.samplers):
        return
    if any(one.name == "token_ban" and len(one.tokens) == WIDTH for one in chain.samplers):
        return  # transformers raises where every token is banned
    if any(one.name == "top_h" and one.top_h == 1 for one in chain.samplers):
        return  # whether the last token's share fits is then a matter of float32's last digit
    row = 3 * torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))
    with pytest.MonkeyPatch.context() as patching:
        agree(Setup(chain, prompt="x"), MODEL, row, patching)


def test_xtc_with_and_without_its_coin(rows, monkeypatch):
    for probability in (0, 1):
        setup = Setup(Chain.from_url(f"temperature:0.8,xtc:{probability}:0.02"), prompt="x")
        agree(setup, tiny(len(rows[0])), rows[0], monkeypatch)


def test_the_watermark_is_their_own_processor_and_comes_back():
    chain = Chain.from_url("temperature:0.8,watermark:0.3:2.5:12345:4")
    written = export("transformers", Setup(chain))
    assert "class Watermark" not in written.text and not written.losses
    assert parse(written.text).setup.chain == chain
    named = "LogitsProcessorList([WatermarkLogitsProcessor(50, device=model.device, bias=3, seeding_scheme={!r})])"
    assert parse(named.format("lefthash")).setup.chain == Chain.from_url("watermark:0.25:3")
    other = parse(named.format("selfhash"))
    assert other.setup.chain == Chain() and any("lefthash" in line for line in other.ignored)
    assert "spares one token" in export("transformers", Setup(Chain.from_url("watermark:1"))).losses[0]


def test_the_stored_rows_can_fail(rows, monkeypatch):
    """The check is sharp: a chain that differs by a hundredth of temperature is not taken for the same."""
    setup = Setup(Chain.from_url("temperature:1.3"), prompt="x")
    changed = patch("playground.sampling.chain.Chain.apply", lambda self, scores, *_: scores / 1.31)
    with changed, pytest.raises(AssertionError):
        agree(setup, tiny(len(rows[0])), rows[0], monkeypatch)


@pytest.mark.parametrize("url", ["mirostat_v2:3:0.4", "mirostat:3:0.4:20", "temperature:1.5,adaptive_p:0.3:0.5"])
def test_a_stage_with_memory_remembers_as_ours_does(url):
    """Three tokens in a row: the processor sees what was drawn only in the next call, and acts on it."""
    chain, namespace = Chain.from_url(url), {"torch": torch}
    text = export("transformers", Setup(chain)).text
    exec(text[: text.index("tokenizer = ")], namespace)
    body = text[text.index("processors = ") : text.index("output = ")]
    exec(body, namespace)
    state, history = chain.start(), [1]
    for step, token in enumerate((3, 17, 8)):
        row = 3 * torch.randn(WIDTH, generator=torch.Generator().manual_seed(step))
        ours = softmax(chain.apply(row[None], [history], state=[state]))
        theirs = softmax(namespace["processors"](torch.tensor([history]), row[None]))
        assert torch.allclose(ours, theirs, atol=1e-6)
        token = token if ours[0, token] > 0 else int(ours[0].argmax())
        state = chain.observe(state, row, token, history)
        history = [*history, token]
