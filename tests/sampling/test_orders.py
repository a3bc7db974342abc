"""Every engine's order: what it names exists, how it differs can be checked on paper, and nothing is invented."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings

from playground.errors import PlaygroundError
from playground.sampling import SAMPLERS, Chain, orders
from playground.sampling.orders import ORDERS, Order, as_engine, engines_with, find
from tests.sampling.strategies import chains
from tests.sampling.test_oracles import OWN, check, load

EVERY = [one for order in ORDERS.values() for one in (order, *order.variants)]


def known(order: Order) -> list[str]:
    """What an order says that is not so: unknown stages, flavours, parameters; stages named twice."""
    wrong = [f"{name} is named twice" for name in order.names if order.names.count(name) > 1]
    for stage in order.stages:
        sampler = SAMPLERS.get(stage.name)
        if sampler is None:
            wrong.append(f"{stage.name} is unknown")
            continue
        facts = sampler.params()
        flavours = dict(facts["flavour"].choices) if "flavour" in facts else {}
        if stage.flavour and stage.flavour not in flavours:
            wrong.append(f"{stage.name} has no flavour {stage.flavour}")
        wrong += [f"{stage.name} has no {name}" for name in stage.limits if name not in facts]
        for values in (stage.default, stage.always):
            if values is not None:
                sampler(**values)  # raises where a value is not legal
    others = {*order.one_window, *order.alone, *(n for names in order.alone.values() for n in names)}
    others |= {*order.instead, *order.instead.values()}
    return wrong + [f"{name} is not a stage of it" for name in sorted(others - set(order.names))]


@pytest.mark.parametrize("order", EVERY, ids=lambda order: order.name)
def test_an_order_names_what_exists(order: Order) -> None:
    assert known(order) == []
    assert order.says.endswith(".") and order.source and order.version
    assert all(quirk.endswith((".", ")")) and len(quirk) < 130 for quirk in order.quirks)
    Chain.from_json(order.defaults)


def test_an_order_that_names_what_does_not_exist_is_refused() -> None:
    stages = (orders.Stage("min_p", flavour="nobody"), orders.Stage("nothing"), orders.Stage("top_k"))
    wrong = known(Order("x", "1", (*stages, stages[2]), "", "", one_window=("dry",)))
    assert wrong[:2] == ["top_k is named twice"] * 2
    assert wrong[2:] == ["min_p has no flavour nobody", "nothing is unknown", "dry is not a stage of it"]


def test_the_seven_engines_and_who_has_what() -> None:
    assert list(ORDERS) == [
        "transformers", "llama.cpp", "KoboldCpp", "Ollama", "vLLM", "exllamav3", "text-generation-webui",
    ]
    assert engines_with("temperature") == engines_with("top_p") == tuple(ORDERS)
    assert engines_with("dry") == ("llama.cpp", "KoboldCpp", "text-generation-webui")
    assert engines_with("top_h") == ("transformers",)
    assert engines_with("p_less") == ()
    assert find("OLLAMA (mlx RUNNER)").name == "Ollama (MLX runner)"
    with pytest.raises(PlaygroundError, match="There is no order 'nobody'"):
        as_engine(Chain(), "nobody")


PROBS = torch.tensor([0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize(
    ("name", "survivors"),
    [
        # min-p 0.6 before temperature 2: 0.6 · 0.4 = 0.24 leaves 0.4 and 0.3. After it the roots are as
        # 0.632 : 0.548 : 0.447 : 0.316, and 0.6 · 0.632 = 0.379 leaves three.
        ("llama.cpp", 2),
        ("KoboldCpp", 2),
        ("Ollama", 2),
        ("Ollama (MLX runner)", 3),
        ("transformers", 3),
        ("vLLM", 3),
        ("exllamav3", 3),
        ("exllamav3 (temp_last)", 2),
        ("text-generation-webui", 3),
        ("text-generation-webui (temperature_last)", 2),
    ],
)
def test_min_p_before_and_after_temperature(name: str, survivors: int) -> None:
    chain, _ = as_engine(Chain.from_url("temperature:2,min_p:0.6"), name)
    assert int(chain.apply(PROBS.log()[None]).isfinite().sum()) == survivors


def test_min_p_before_and_after_top_k_and_top_p() -> None:
    """Of 0.4, 0.3, 0.2, 0.1 min-p 0.5 leaves 0.4, 0.3, 0.2 = 4/9, 3/9, 2/9. Top-p 0.75 then needs two of them
    (7/9), but three of the four (0.9) where it comes first."""
    setting = Chain.from_url("top_p:0.75,min_p:0.5")
    left = {name: int(as_engine(setting, name)[0].apply(PROBS.log()[None]).isfinite().sum()) for name in ORDERS}
    assert left["vLLM"] == 2
    assert {left[name] for name in ("transformers", "llama.cpp", "KoboldCpp", "Ollama", "text-generation-webui")} == {3}


def test_top_p_of_exllamav3_drops_the_token_that_crosses() -> None:
    """0.45 + 0.28 passes 0.7: two stay everywhere but there."""
    row = torch.tensor([[0.45, 0.28, 0.17, 0.10]]).log()
    left = {
        name: int(as_engine(Chain.from_url("top_p:0.7"), name)[0].apply(row).isfinite().sum()) for name in ORDERS
    }
    assert {name for name, number in left.items() if number == 1} == {"exllamav3"}
    assert left["vLLM"] == 2
    chain, notes = as_engine(Chain.from_url("top_p:0.7"), "exllamav3")
    assert notes[0].says == "exllamav3 has its own top-p: the token that crosses p goes, unless it is the likeliest."
    assert [note.kind for note in as_engine(chain, "vLLM")[1]] == ["rule"]


def test_ties_and_the_prompt_count_where_an_engine_says_so() -> None:
    """Of three equal best, top-k 2 keeps all in transformers, two in llama.cpp. A token of the prompt is penalised for
    its presence in llama.cpp, not in vLLM."""
    ties = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    kept = {name: int(as_engine(Chain.from_url("top_k:2"), name)[0].apply(ties).isfinite().sum()) for name in ORDERS}
    assert kept["transformers"] == kept["vLLM"] == kept["text-generation-webui"] == 3
    assert kept["llama.cpp"] == kept["KoboldCpp"] == kept["Ollama"] == kept["exllamav3"] == 2
    scores, history = torch.zeros(1, 4), [[0, 1]]
    found = {}
    for name in ("llama.cpp", "vLLM"):
        chain, _ = as_engine(Chain.from_url("presence_penalty:1"), name)
        found[name] = chain.apply(scores, history, prompt_length=1).tolist()[0]
    assert found == {"llama.cpp": [-1, -1, 0, 0], "vLLM": [0, -1, 0, 0]}


def test_koboldcpp_lets_three_thousand_tokens_in() -> None:
    scores = torch.linspace(0, 1, 5000)[None]
    chain, notes = as_engine(Chain.from_url("temperature:2"), "KoboldCpp")
    assert int(chain.apply(scores).isfinite().sum()) == 3000
    assert [(note.kind, note.says) for note in notes] == [("added", "KoboldCpp lets in only the 3,000 best tokens.")]
    assert chain.to_url() == "top_k:3000:llama.cpp,temperature:2"


def test_what_an_engine_lacks_refuses_or_shares_is_said() -> None:
    setting = "temperature:3,presence_penalty:-5:20,frequency_penalty:1,temperature:2,logit_bias:7_500"
    chain, notes = as_engine(Chain.from_url(setting), "vLLM")
    assert chain.to_url() == "logit_bias:7_100,frequency_penalty:1:0:vllm,presence_penalty:-2:0:vllm,temperature:2"
    assert [(note.kind, note.stage) for note in notes] == [
        ("dropped", "temperature"), ("value", "temperature"), ("value", "presence_penalty"),
        ("value", "presence_penalty"), ("rule", "presence_penalty"), ("rule", "frequency_penalty"),
        ("value", "logit_bias"), ("order", ""),
    ]
    chain, notes = as_engine(Chain.from_url("repetition_penalty:1.2:64,frequency_penalty:1:8"), "Ollama")
    assert chain.to_url() == "repetition_penalty:1.2:64,frequency_penalty:1:64"
    assert notes[0].says == "Ollama has one window for repetition penalty, frequency penalty: 64 tokens."
    chain, notes = as_engine(Chain.from_url("frequency_penalty:1,logit_bias"), "KoboldCpp")
    assert [note.kind for note in notes] == ["dropped", "added"]
    assert notes[0].says == "KoboldCpp has no frequency penalty: it is left out."


@settings(max_examples=30)
@given(chain=chains())
def test_nothing_is_invented_and_the_second_time_nothing_changes(chain: Chain) -> None:
    for order in EVERY:
        there, notes = as_engine(chain, order.name)
        always = [SAMPLERS[stage.name](**stage.always) for stage in order.stages if stage.always]
        names = [sampler.name for sampler in there.samplers if sampler not in always]
        assert set(names) <= {sampler.name for sampler in chain.samplers} & set(order.names)
        assert len(set(names)) == len(names)
        places = [order.place(sampler.name) for sampler in there.samplers if sampler not in always]
        drawn = [sampler.kind == "draw" for sampler in there.samplers]
        assert all(a < b for a, b in pairwise(places)) or any(drawn)
        again, second = as_engine(there, order.name)
        assert again == there and {note.kind for note in second} <= {"added"}
        lost = {sampler.name for sampler in chain.samplers if not sampler.is_off} - set(names)
        assert {note.stage for note in notes if note.kind == "dropped"} >= lost - {one.name for one in always}


def test_the_order_of_transformers_is_that_of_its_own_list() -> None:
    """The processors that ``generate`` itself would build from the same values, run as it runs them."""
    transformers = pytest.importorskip("transformers")
    values = {
        "repetition_penalty": 1.3, "temperature": 1.6, "top_k": 60, "top_p": 0.9, "min_p": 0.02, "typical_p": 0.8,
        "no_repeat_ngram_size": 2, "epsilon_cutoff": 0.001, "eta_cutoff": 0.002, "top_h": 0.9,
    }
    ours = {
        "repetition_penalty": {"penalty": 1.3}, "temperature": {"temperature": 1.6}, "top_k": {"top_k": 60},
        "top_p": {"top_p": 0.9}, "min_p": {"min_p": 0.02}, "typical_p": {"typical_p": 0.8},
        "no_repeat_ngram": {"size": 2}, "epsilon_cutoff": {"epsilon": 0.001}, "eta_cutoff": {"epsilon": 0.002},
        "top_h": {"top_h": 0.9},
    }
    config = transformers.GenerationConfig(do_sample=True, **values)
    config._bos_token_tensor = config._eos_token_tensor = config._pad_token_tensor = None
    model = transformers.GenerationMixin()
    model.config = SimpleNamespace(is_encoder_decoder=False, vocab_size=500)
    history = torch.randint(0, 500, (4, 60), generator=torch.Generator().manual_seed(3))
    processors = model._get_logits_processor(config, 60, history, None, transformers.LogitsProcessorList())
    assert len(processors) == len(values)
    backwards = [{"sampler": name, **one} for name, one in reversed(ours.items())]
    chain, _ = as_engine(Chain.from_json(backwards), "transformers")
    scores = 3 * torch.randn(4, 500, generator=torch.Generator().manual_seed(4))
    expected, found = processors(history, scores.clone()), chain.apply(scores, history)
    assert torch.equal(expected.isfinite(), found.isfinite())
    assert torch.allclose(torch.softmax(found, -1), torch.softmax(expected, -1), atol=1e-6)


def test_the_order_of_llama_cpp_gives_what_llama_cpp_gave() -> None:
    """The stored answers of llama.cpp's own samplers, for every chain that stands in its order already."""
    cases = [case for case in load(OWN)[1] if case["source"].startswith("llama.cpp") and len(case["chain"]) > 1]
    checked = 0
    for case in cases:
        chain, notes = as_engine(Chain.from_json(case["chain"]), "llama.cpp")
        if not {note.kind for note in notes} & {"order", "dropped", "value"}:
            check({**case, "chain": chain.to_json()}, 2e-6)
            checked += 1
    assert checked >= 12
