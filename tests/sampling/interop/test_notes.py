"""What is said beside an export: every loss in words, and none where nothing is lost."""

from __future__ import annotations

import re
import shlex

import pytest

from playground.errors import PlaygroundError
from playground.sampling import SAMPLERS, Chain, recipe_from_json
from playground.sampling.interop import TARGETS, Setup, export
from playground.sampling.interop.guiding import cfg
from playground.sampling.interop.swaps import commute


def losses(target: str, url: str, **more) -> str:
    return "\n".join(export(target, Setup(Chain.from_url(url), **more)).losses)


CASES = [
    ("vllm", "temperature:3", "up to 2: 3 becomes 2"),
    ("vllm", "temperature:0.001", "between 0 and 0.01"),
    ("vllm", "frequency_penalty:1", "the output alone counts"),
    ("vllm", "repetition_penalty:1.2:64", "window of 64 tokens is left out"),
    ("vllm", "logit_bias:5_150", "±100"),
    ("vllm", "typical_p:0.5", "no Typical-p"),
    ("openai", "temperature:2.5", "from 0 to 2"),
    ("openai", "presence_penalty:-5", "from -2 to 2"),
    ("openai", "temperature:0.7,top_p:0.9", "does not say in which order"),
    ("llama_server", "repetition_penalty:1.2:8,frequency_penalty:0.5:64", "one number for several stages"),
    ("llama_server", "repetition_penalty:1.3,temperature:0.5,presence_penalty:1", "runs Presence penalty before Temp"),
    ("llama_server", "temperature:0.8,temperature:0.5", "stands in the chain twice"),
    ("llama_cli", "top_n_sigma:1,typical_p:0.5", "computes no entropy"),
    ("llama_cli", "epsilon_cutoff:0.001", "has no Epsilon cutoff"),
    ("ollama", "temperature:1.5,top_p:0.9", "runs Top-p before Temperature"),
    ("ollama", "top_n_sigma:1", "has no Top-nσ"),
    ("koboldcpp", "frequency_penalty:1", "has no Frequency penalty"),
    ("koboldcpp", "top_p:0.9,temperature:1.5,min_p:0.1", "runs Min-p before Temperature"),
    ("text_generation_webui", "tail_free:0.9", "one token more stays"),
    ("text_generation_webui", "top_h:0.4", "has no Top-h"),
    ("sillytavern", "repetition_penalty:1.2:20000", "rep_pen_range up to 8192"),
]


@pytest.mark.parametrize(("target", "url", "words"), CASES, ids=[f"{target}-{url}" for target, url, _ in CASES])
def test_what_a_target_cannot_say_is_said_in_words(target, url, words):
    assert words in losses(target, url)


NOTHING_LOST = [
    ("ollama", "temperature:1.5,top_k:40"),  # these two commute, so the fixed order changes nothing
    ("vllm", "top_k:40,temperature:1.5"),
    ("llama_server", "temperature:1.5,min_p:0.1"),
    ("koboldcpp", "temperature:1.5,top_p:0.9"),
    ("text_generation_webui", "epsilon_cutoff:0.0003,eta_cutoff:0.001"),
    ("transformers", "min_p:0.1,temperature:1.5"),
]


@pytest.mark.parametrize(("target", "url"), NOTHING_LOST)
def test_no_warning_where_nothing_differs(target, url):
    assert losses(target, url) == ""


def test_two_stages_commute_or_not_as_they_do():
    def pair(url: str) -> bool:
        return commute(*Chain.from_url(url).samplers)

    assert pair("temperature:2,top_k:5") and pair("top_k:5,min_p:0.1") and pair("logit_bias:70000_3,presence_penalty:1")
    assert not pair("temperature:2,min_p:0.1") and not pair("top_k:5,top_p:0.9")
    assert pair("repetition_penalty:1.5,temperature:0.5") and not pair("presence_penalty:1,temperature:0.5")


@pytest.mark.parametrize("target", ["vllm", "openai", "llama_server", "llama_cli", "ollama"])
def test_where_there_is_no_guidance_that_is_said(target):
    assert "guidance" in losses(target, "", guidance=cfg(1.5), prompt="x")
    assert "guidance" not in losses(target, "", guidance=cfg(1.0), prompt="x")


@pytest.mark.parametrize("target", ["koboldcpp", "text_generation_webui", "sillytavern"])
def test_guidance_where_there_is_but_one_number_for_it(target):
    assert "guidance_scale" in export(target, Setup(guidance=cfg(1.5))).text
    other = losses(target, "", guidance=recipe_from_json({"preset": "preadd", "scale": 0.5}))
    assert "PREADD is left out" in other


def test_the_repetition_penalty_behind_their_guidance():
    assert "log-probabilities" in losses("text_generation_webui", "repetition_penalty:1.2", guidance=cfg(1.5))


def test_units_and_neutral_values():
    text = export("text_generation_webui", Setup(Chain.from_url("epsilon_cutoff:0.0003"))).text
    assert "epsilon_cutoff: 3.0\n" in text and "top_p: 1.0\n" in text
    assert "top_k=0" in export("transformers", Setup(Chain.from_url("temperature:2"))).text
    assert "temperature=2.0" in export("transformers", Setup(Chain.from_url("temperature:2"))).text
    server = export("llama_server", Setup(Chain.from_url("repetition_penalty:1.2"))).text
    assert not re.search(r'"(repeat|dry_penalty)_last_n": (-|0\b)', server)


def test_the_command_line_is_one_command_whatever_is_in_it():
    prompt = "it's `rm -rf $HOME`; \"quoted\"\nnext \\ line"
    written = export("llama_cli", Setup(Chain.from_url("temperature:0.5"), prompt=prompt, stop=("$(x)",)))
    words = shlex.split(written.text.replace("\\\n", " "))
    assert prompt in words and "$(x)" in words and words[0] == "llama-cli"


@pytest.mark.parametrize("target", TARGETS)
def test_every_stage_is_written_or_said_to_be_left_out(target):
    """With its own setting or with a word about it: nothing disappears."""
    for name, kind in SAMPLERS.items():
        sampler = kind(**(kind.demo.params if hasattr(kind, "demo") else {}))
        if sampler.is_off:
            continue
        written, empty = export(target, Setup(Chain((sampler,)))), export(target, Setup())
        assert written.text != empty.text or any(kind.title in loss for loss in written.losses), (target, name)


def test_an_unknown_target_is_refused_in_words():
    with pytest.raises(PlaygroundError, match="There is no target 'gpt'"):
        export("gpt", Setup())
