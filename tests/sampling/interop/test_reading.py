"""Settings as people really have them, read: what is taken, what is ignored and why, and what nobody may do to us."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.sampling import Chain
from playground.sampling.interop import TARGETS, Setup, Taken, export, parse
from playground.sampling.interop.given import MAX_IGNORED
from playground.sampling.interop.pasted import MAX_CHARS

MODELFILE = '''# a pirate
FROM llama3.2
PARAMETER temperature 0.7
PARAMETER top_p 0.9
PARAMETER num_ctx 4096
PARAMETER mirostat 2
PARAMETER stop "<|eot|>"
PARAMETER stop "###"
TEMPLATE """{{ .Prompt }}
more"""
SYSTEM """You are a pirate.
Be brief."""
'''
CURL = r"""curl http://localhost:8080/completion -H "Content-Type: application/json" \
  -d '{"prompt": "It'"'"'s late", "n_predict": 32, "temperature": 0.6, "min_p": 0.1,
       "samplers": ["min_p", "temperature"], "top_k": 20}'
"""
OPENAI = {
    "model": "gpt-x", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
    "temperature": 0.3, "top_p": 0.8, "max_completion_tokens": 50, "stop": "END", "stream": True,
    "logit_bias": {"42": -100},
}  # fmt: skip
GENERATION_CONFIG = {
    "_from_model_config": True, "bos_token_id": 1, "do_sample": True, "eos_token_id": [2, 7], "temperature": 0.6,
    "top_p": 0.95, "top_k": 20, "repetition_penalty": 1.05, "transformers_version": "5.23.0",
}  # fmt: skip
PYTHON = """
from transformers import pipeline, AutoModelForCausalLM
import os
prompt = "Once"
settings = dict(do_sample=True, temperature=0.9, top_k=30)
os.system("touch /tmp/owned")
model.generate(**inputs, **settings, top_p=float("0.5"), max_new_tokens=20)
"""
YAML = """
temperature: 1.2
min_p: 0.05  # a remark
do_sample: true
sampler_priority:
  - min_p
  - temperature
"""
COMMAND = (
    "./llama-cli -m x.gguf --temp 0.7 --top-k=40 --samplers 'top_k;temperature' -n 20 -p 'hi there' "
    "--flash-attn -l 15+1.5 -l 16-inf"
)

EXAMPLES = {
    "modelfile": (MODELFILE, "ollama", "top_p:0.9,temperature:0.7"),
    "curl": (CURL, "llama_server", "min_p:0.1,temperature:0.6"),
    "openai": (json.dumps(OPENAI), "openai", "logit_bias:42_-100,temperature:0.3,top_p:0.8"),
    "generation_config": (
        json.dumps(GENERATION_CONFIG), "transformers", "repetition_penalty:1.05:0,temperature:0.6,top_k:20,top_p:0.95",
    ),
    "python": (PYTHON, "transformers", "temperature:0.9,top_k:30"),
    "yaml": (YAML, "text_generation_webui", "min_p:0.05,temperature:1.2"),
    "order": ('["top_k", "temperature"]', "llama_server", "top_k:40,temperature:0.8"),
    "order as text": ("top_k;temp", "llama_server", "top_k:40,temperature:0.8"),
    "ollama api": (json.dumps({"prompt": "hi", "options": {"temperature": 0.5}}), "ollama", "temperature:0.5"),
    "ours": (json.dumps({"chain": [{"sampler": "min_p", "min_p": 0.2}]}), "playground", "min_p:0.2"),
}  # fmt: skip


def without_rules(taken: Taken) -> str:
    """The chain as a link, whoever's rule its stages follow."""
    return ",".join(stage.removesuffix(":llama.cpp") for stage in taken.setup.chain.to_url().split(","))


@pytest.mark.parametrize(("text", "target", "url"), EXAMPLES.values(), ids=EXAMPLES)
def test_it_is_known_and_taken(text, target, url):
    taken = parse(text)
    assert taken.target == target
    assert without_rules(taken) == url


def test_what_stands_around_the_chain():
    modelfile, curl, openai = (parse(EXAMPLES[name][0]).setup for name in ("modelfile", "curl", "openai"))
    assert modelfile.system == "You are a pirate.\nBe brief." and modelfile.stop == ("<|eot|>", "###")
    assert curl.prompt == "It's late" and curl.max_tokens == 32
    assert (openai.chat, openai.prompt, openai.system, openai.stop) == (True, "Hello", "Be kind.", ("END",))


def test_what_is_ignored_is_said_with_its_reason():
    ignored = "\n".join(parse(MODELFILE).ignored)
    assert "num_ctx: it is about the program" in ignored and "mirostat: Ollama itself no longer runs it" in ignored
    assert "Top-k: the list of stages leaves it out" in "\n".join(parse(CURL).ignored)
    taken = parse(json.dumps({"n_predict": 5, "temperature": "hot", "top_p": 1.7, "min_p": True, "colour": "red"}))
    reasons = "\n".join(taken.ignored)
    assert taken.setup.chain.samplers == ()
    for words in ("temperature: it must be a number", "0 to 1; got 1.7", "min_p: it must be", "colour = 'red': not"):
        assert words in reasons


def test_what_an_engine_does_by_itself_is_said_and_taken_when_wished():
    plain, whole = parse("FROM x\nPARAMETER temperature 0.5"), parse("FROM x\nPARAMETER temperature 0.5", assume=True)
    assert {"top_k 40", "top_p 0.9"} <= set(plain.unsaid)
    assert [one.name for one in plain.setup.chain.samplers] == ["temperature"]
    assert [one.name for one in whole.setup.chain.samplers] == ["top_k", "top_p", "temperature"]


def test_a_command_line():
    taken = parse(COMMAND)
    assert taken.target == "llama_cli" and taken.setup.prompt == "hi there" and taken.setup.max_tokens == 20
    names = [one.name for one in taken.setup.chain.samplers]
    assert names[-2:] == ["top_k", "temperature"] and {"logit_bias", "token_ban"} == set(names[:-2])
    assert "--flash-attn: not known here" in taken.ignored


def test_greedy_in_transformers_is_temperature_zero():
    greedy = parse("model.generate(**x, do_sample=False, temperature=0.7, repetition_penalty=1.1)")
    assert greedy.setup.chain.to_url() == "repetition_penalty:1.1:0,temperature:0"
    assert "without do_sample=True" in "\n".join(greedy.ignored)


def test_code_is_never_run(tmp_path):
    owned = tmp_path / "owned"
    parse(f"open({str(owned)!r}, 'w').write('x')\nSamplingParams(temperature=__import__('os').getpid(), top_p=0.5)")
    assert not owned.exists()
    taken = parse("SamplingParams(temperature=abs(-1), top_p=0.5)")
    assert "temperature: it is no plain value" in "\n".join(taken.ignored)


HOSTILE = {
    "empty": "",
    "blank": " \n\t",
    "too long": "x" * (MAX_CHARS + 1),
    "deep": "[" * 5_000 + "]" * 5_000,
    "deep code": "SamplingParams(" + "(" * 300 + "1" + ")" * 300 + ")",
    "half a character": "FROM \ud800",
    "prose": "Dear engine, please be warm.",
    "number": "7",
    "json text": '"hello"',
    "an empty object": "{}",
    "markup": "<script>alert(1)</script>",
    "broken json": '{"temperature": ',
    "no text": 7,
    "yaml with an object": "temperature: !!python/object/apply:os.system ['x']\n- y",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_settings_is_refused_in_words(text):
    with pytest.raises(PlaygroundError):
        parse(text)


NASTY = [
    '{"temperature": 1e999, "n_predict": 1e999, "seed": -1, "samplers": {"a": 1}}',
    '{"samplers": [[[]], 7, null, "top_k"], "top_k": 99999999999999999999999, "logit_bias": [[1], [2, 3, 4]]}',
    '{"sampler_order": [6, 6, true, 99, "x"], "rep_pen": -5, "stop_sequence": [1, 2]}',
    '{"chain": [{"sampler": "min_p", "min_p": 7}, 5, {"sampler": "nothing"}], "guidance": {"scale": "x"}, "seed": 1.5}',
    '{"strip": [{"id": "min_p", "on": "perhaps"}], "scale": 1e300}',
    '{"messages": [{"role": "user", "content": ["image"]}, {"role": 7}], "max_completion_tokens": -3}',
    '{"temp": [], "dynatemp": true, "min_temp": 5, "max_temp": 1, "guidance_scale": 1e9, "mirostat_mode": 7}',
    'FROM x\nPARAMETER\nPARAMETER temperature\nSYSTEM """never closed\nPARAMETER repeat_last_n -1',
    "FROM x\nPARAMETER top_k 1e400",
    "llama-cli --temp --top-k --samplers --logit-bias --dry-sequence-breaker -l x -l 5 --seed abc",
    "SamplingParams(*[1], **{'top_k': 5, 7: 8}, temperature=-(-(-1)), stop=(1, 2), logit_bias={(1, [2]): 3})",
    "LogitsProcessorList([TopKLogitsWarper(), MinPLogitsWarper('x'), 5, TopNSigma(1, 2, 3), Guidance(1, 2, 'x')])",
    "temperature: 0.5\nsampler_priority: |-\n  temperature\n\n  __class__\n",
]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("assume", [False, True])
def test_wrong_values_are_ignored_and_nothing_breaks(text, assume):
    taken = parse(text, assume)
    assert taken.ignored
    export("playground", taken.setup)


def test_a_wall_of_keys_is_summed_up():
    taken = parse(json.dumps({"temperature": 0.5, "n_predict": 5, **{f"key{n}": n for n in range(3000)}}))
    assert len(taken.ignored) == MAX_IGNORED + 1 and taken.ignored[-1].startswith("and 2,9")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([one for one, _, _ in EXAMPLES.values()]), st.data())
def test_damaged_settings_are_read_or_refused(text, data):
    """Cut anywhere and spoilt anywhere: a Taken or a PlaygroundError, never anything else."""
    at = data.draw(st.integers(0, len(text)))
    piece = data.draw(st.text(max_size=4) | st.sampled_from(["{", "]]", '"""', "\\", "'", "%s", "\x00", "1e999"]))
    try:
        taken = parse(text[:at] + piece + text[data.draw(st.integers(at, len(text))) :])
    except PlaygroundError:
        return
    assert isinstance(taken, Taken) and taken.target in TARGETS
    for target in TARGETS:
        export(target, taken.setup)


def test_every_target_reads_what_it_writes():
    for target in TARGETS:
        assert parse(export(target, Setup(prompt="a", chat=True, system="b")).text).target == target


@pytest.mark.parametrize("call", ["SamplingParams(temperature=a)", "model.generate(stop_strings=a, top_k=a)"])
def test_lists_of_lists_of_names_do_not_grow(call):
    """Thirty lines that name the line before them eight times stand for 8^30 values; written out, they ended us."""
    parse('a = {"a": 1}\n' + "a = [a, a, a, a, a, a, a, a]\n" * 30 + call)


def test_a_text_in_three_quotes_over_many_lines():
    lines = "a\n" * 50_000
    taken = parse(f'FROM x\nPARAMETER temperature 0.5\nSYSTEM """{lines}"""\nPARAMETER top_k 7')
    assert taken.setup.system == lines
    assert {one.name for one in taken.setup.chain.samplers} >= {"temperature", "top_k"}


def test_only_a_new_line_ends_an_instruction_of_a_modelfile():
    said = export("ollama", Setup(Chain(), stop=("a\u2028PARAMETER top_k 5",)))
    taken = parse(said.text)
    assert taken.setup.stop == ("a\u2028PARAMETER top_k 5",)
    assert "top_k" not in [one.name for one in taken.setup.chain.samplers if not one.is_off]
