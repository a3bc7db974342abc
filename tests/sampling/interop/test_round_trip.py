"""Written for a target and read back: an equal chain wherever the notes say nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import Chain
from playground.sampling.interop import TARGETS, Setup, export, parse
from playground.sampling.interop.guiding import cfg
from playground.sampling.softmax import softmax
from tests.sampling.strategies import VOCABULARY, chains, histories, rows

everyone = pytest.mark.parametrize("target", TARGETS)


def on(chain: Chain) -> Chain:
    """Without what is switched off, which no format needs to say."""
    return Chain(tuple(one for one in chain.samplers if not one.is_off))


def plain(chain: Chain) -> list[dict]:
    """Stages as JSON in the order of their names, numbers to eight places."""
    def tidy(value):
        return round(value, 8) if isinstance(value, float) else value

    stages = [{key: tidy(value) for key, value in stage.items()} for stage in on(chain).to_json()]
    return sorted(stages, key=lambda stage: stage["sampler"])


@everyone
@settings(max_examples=25, deadline=None)
@given(chain=chains(4), row=rows(), history=histories())
def test_what_is_taken_away_comes_back(target, chain, row, history):
    written = export(target, Setup(chain))
    taken = parse(written.text)
    assert taken.target == target
    if written.losses or any("another rule" in hint for hint in written.hints):
        return
    if not any(stage.get("temperature") == 0 for stage in plain(chain)):  # greedy needs no truncation, and says none
        assert plain(taken.setup.chain) == plain(chain), written.text
    bound = [one.bind(VOCABULARY) for one in (chain, taken.setup.chain)]
    ours, theirs = (softmax(one.apply(row[None], [history])) for one in bound)
    assert torch.allclose(ours, theirs, atol=1e-5, rtol=0), written.text


@pytest.mark.parametrize("target", ["playground", "transformers"])
@settings(max_examples=40, deadline=None)
@given(chain=chains(5))
def test_our_own_order_survives_where_any_order_fits(target, chain):
    written = export(target, Setup(chain))
    if not written.losses and "processors" in written.text + "processors" * (target == "playground"):
        names = [one.name for one in on(parse(written.text).setup.chain).samplers]
        assert names == [one.name for one in on(chain).samplers]


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Co")) | st.sampled_from('\n"\'\\$`{}'), max_size=30)


@everyone
@settings(max_examples=15, deadline=None)
@given(prompt=WORDS, negative=WORDS, stop=st.lists(WORDS.filter(bool), max_size=3), seed=st.integers(0, 2**31))
def test_texts_survive_whatever_is_in_them(target, prompt, negative, stop, seed):
    setup = Setup(Chain(), cfg(1.5), prompt, negative, False, "", seed, 40, tuple(dict.fromkeys(stop)))
    written = export(target, setup)
    taken = parse(written.text).setup
    assert taken.chain == Chain()
    if any("Modelfile cannot hold" in loss for loss in written.losses):
        return
    assert taken.prompt in (None, prompt) and taken.negative in (None, negative)
    assert taken.stop in (None, setup.stop) and taken.seed in (None, seed) and taken.max_tokens in (None, 40)


@everyone
def test_an_empty_setup_is_written_and_read(target):
    written = export(target, Setup())
    assert not written.losses
    assert parse(written.text).setup.chain == Chain()


def test_the_rule_of_no_losses_is_not_empty():
    """Most targets can say a plain chain: a test that returns at every loss would test nothing."""
    chain = Chain.from_url("repetition_penalty:1.2,top_k:40,top_p:0.9,temperature:0.8")
    lossless = {target for target in TARGETS if not export(target, Setup(chain)).losses}
    assert lossless == {"transformers", "llama_server", "llama_cli", "ollama", "koboldcpp", "text_generation_webui",
                        "sillytavern", "playground"}  # fmt: skip
