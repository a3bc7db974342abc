"""The same knobs, seven engines: figures against the plain computation, and the first difference in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.sampling import Chain, Recipe, draw, metrics, softmax
from playground.sampling.orders import ORDERS, as_engine
from playground.studies.engine_views import EnginesView
from playground.studies.engines import engines_view
from playground.studies.parting import AS_HERE
from playground.studies.rows import Knobs, StepRows
from playground.studies.strip import Strip, numbered
from tests.sampling.strategies import VOCABULARY, WIDTH, chains
from tests.studies.branches import beside


class Letters:
    """A vocabulary of any size whose tokens are called t0, t1, ...; their texts are those of the strategies."""

    size, piece, encode = VOCABULARY.size, VOCABULARY.piece, VOCABULARY.encode

    @staticmethod
    def label(token_id: int) -> str:
        return f"t{token_id}"


LETTERS: Any = Letters()


def view_of(scores: torch.Tensor, chain: Chain | str, history: tuple[int, ...] = (0,)) -> EnginesView:
    chain = Chain.from_url(chain) if isinstance(chain, str) else chain
    rows = StepRows("key", scores, (), torch.tensor(history), 1, 0, "title", seed=3)
    return engines_view(rows, _knobs(chain), LETTERS)


def _knobs(chain: Chain) -> Knobs:
    """As the inspector hands them over: texts resolved."""
    strip = Strip.from_json(numbered(chain.to_json()))
    return Knobs(replace(strip, chain=strip.chain.bind(VOCABULARY)))


def says(probs: list[float], chain: str, history: tuple[int, ...] = (0,)) -> dict[str, str]:
    """Each engine's line, where it is not that all is as here."""
    view = view_of(torch.tensor(probs).log(), chain, history)
    return {engine["name"]: engine["parts"] for engine in view["engines"] if engine["parts"] != AS_HERE}


FOUR = [0.4, 0.3, 0.2, 0.1]


def test_min_p_and_temperature_change_places() -> None:
    """Min-p 0.6 leaves 0.4 and 0.3; at temperature 2 the roots 0.632 : 0.548 : 0.447 all but one reach 0.379."""
    before = "runs min-p before temperature: 2 tokens are left there, 3 here."
    names = ("llama.cpp", "KoboldCpp", "Ollama")
    assert says(FOUR, "temperature:2,min_p:0.6") == {name: f"{name} {before}" for name in names}
    after = "runs temperature before min-p, which leaves 3 tokens there, 2 here."
    names = ("transformers", "vLLM", "exllamav3", "text-generation-webui")
    assert says(FOUR, "min_p:0.6,temperature:2") == {name: f"{name} {after}" for name in names}


def test_a_rule_of_its_own() -> None:
    rule = "exllamav3 has its own top-p: the token that crosses p goes, unless it is the likeliest"
    assert says([0.45, 0.28, 0.17, 0.1], "top_p:0.7") == {"exllamav3": f"{rule}; 1 token is left there, 2 here."}


def test_a_value_it_refuses_and_a_stage_it_lacks() -> None:
    assert says(FOUR, "temperature:4") == {
        "vLLM": "vLLM takes temperature from 0 to 2 only: it runs at 2; t3 has 16.3 % there, 20.3 % here."
    }
    lines = says(FOUR, "typical_p:0.3")
    assert set(lines) == {"vLLM", "exllamav3"}
    assert lines["vLLM"] == "vLLM has no typical-p: 4 tokens are left there, 1 here."
    lines = says(FOUR, "typical_p:0.99,temperature:0.5")
    assert lines["vLLM"] == "vLLM has no typical-p: it is left out; on this step that changes nothing."
    assert lines["transformers"] == "Another order, but on this step the same result."


def test_several_stages_that_it_lacks_are_one_reason() -> None:
    lines = says(FOUR, "top_a:0.9,tail_free:0.5")
    assert lines["vLLM"].startswith("vLLM has no top-a and tail-free: 4 tokens are left there, ")


def test_a_window_that_is_shared_and_one_that_is_not_there() -> None:
    lines = says(FOUR, "repetition_penalty:2:1,frequency_penalty:1:3", (0, 0, 0, 1))
    assert lines["llama.cpp"].startswith("llama.cpp has one window for repetition penalty, frequency penalty: 1 token")
    assert lines["transformers"].startswith("transformers has no ") and lines["vLLM"].startswith("vLLM has no window")


def test_what_koboldcpp_lets_in() -> None:
    wide = torch.linspace(0, 1, 5000)
    lines = {engine["name"]: engine for engine in view_of(wide, "temperature:2")["engines"]}
    line = "KoboldCpp lets in only the 3,000 best tokens; 3,000 tokens are left there, 5,000 here."
    assert lines["KoboldCpp"]["parts"] == line
    assert lines["KoboldCpp"]["path"][0]["title"] == "its top-k"
    assert sum(engine["parts"] == AS_HERE for engine in lines.values()) == 6


def test_guidance_that_an_engine_has_not() -> None:
    """The prompt says 0.4, 0.3, 0.2, 0.1, the negative branch the reverse: at scale 2 the guided row is p²/q."""
    prompt, negative = torch.tensor(FOUR).log(), torch.tensor(FOUR[::-1]).log()
    rows = StepRows("key", prompt, beside(negative), torch.tensor([0]), 1, 0, "title", seed=3)
    strip = Strip.from_json([{"id": "min_p", "on": True, "min_p": 0.2}])
    view = engines_view(rows, Knobs(strip, Recipe(scale=2.0)), LETTERS)
    lines = {engine["name"]: engine for engine in view["engines"]}
    assert view["here"]["support"] == 2 and lines["transformers"]["same"] and lines["KoboldCpp"]["same"]
    assert lines["vLLM"]["parts"] == "vLLM has no guidance: 4 tokens are left there, 2 here."
    assert lines["vLLM"]["notes"] == ["vLLM has no guidance: it starts from the prompt alone."]
    assert lines["vLLM"]["path"][0]["support"] == 4
    masked = engines_view(rows, Knobs(strip, Recipe(scale=2.0, mask=0.1)), LETTERS)
    assert masked["engines"][0]["parts"].startswith("transformers has only guidance by one negative prompt: ")
    off = engines_view(rows, Knobs(strip, Recipe(scale=1.0)), LETTERS)
    assert {engine["parts"] for engine in off["engines"]} == {AS_HERE}


def test_small_differences_do_not_hide_the_large_one() -> None:
    """The window differs by a trifle, the place of temperature by nearly everything."""
    scores = torch.linspace(3, 0, 400)
    view = view_of(scores, "frequency_penalty:0.01:2,temperature:2,top_p:0.5", (0, 399, 398))
    (kobold,) = [engine for engine in view["engines"] if engine["name"] == "KoboldCpp"]
    assert "frequency penalty" in " ".join(kobold["notes"])
    assert kobold["parts"].startswith("KoboldCpp runs top-p before temperature: ")


def test_variants_say_what_is_theirs() -> None:
    view = view_of(torch.tensor(FOUR).log(), "temperature:2,min_p:0.6")
    variants = {variant["name"]: variant for engine in view["engines"] for variant in engine["variants"]}
    assert variants["Ollama (MLX runner)"]["tvd"] == 0 and variants["Ollama (MLX runner)"]["support"] == 3
    last = variants["exllamav3 (temp_last)"]
    assert last["support"] == 2 and "runs min-p before temperature" in last["parts"]


@settings(max_examples=25, deadline=None)
@given(chain=chains(max_size=4), number=st.integers(0, 1000))
def test_the_figures_are_those_of_the_plain_computation(chain: Chain, number: int) -> None:
    scores = 3 * torch.randn(WIDTH, generator=torch.Generator().manual_seed(number))
    history = (1, 2, 1, 5)
    view = view_of(scores, chain, history)
    assert orjson.loads(orjson.dumps(view))["key"] == "key"

    def left(one: Chain) -> torch.Tensor:
        return one.apply(scores[None], [list(history)], 1)

    here = left(chain)
    for engine in (view["here"], *view["engines"]):
        there = here if engine["name"] == "here" else left(as_engine(chain, engine["name"])[0].bind(VOCABULARY))
        alive, alive_here = there[0] > -torch.inf, here[0] > -torch.inf
        probs = softmax.softmax(there)[0]
        assert engine["support"] == int(alive.sum())
        assert engine["entropy_bits"] == pytest.approx(float(metrics.entropy_bits(probs)), abs=1e-9)
        assert engine["tvd"] == pytest.approx(float(metrics.tvd(probs, softmax.softmax(here)[0])), abs=1e-9)
        assert engine["gained"]["count"] == int((alive & ~alive_here).sum())
        assert engine["lost"]["count"] == int((alive_here & ~alive).sum())
        u = draw.uniform(3, 0, 0)
        own = chain if engine["name"] == "here" else as_engine(chain, engine["name"])[0].bind(VOCABULARY)
        there = left(own.decided(own.coins(3, 0, 0)))
        probs = softmax.softmax(there)[0]
        assert engine["dart"]["token_id"] == int(draw.draw(there, torch.tensor([u]))[0])
        for segment in engine["dart"]["segments"]:
            assert segment["p"] == pytest.approx(float(probs[segment["token_id"]]), abs=1e-9)
        assert engine["same"] == (torch.equal(alive, alive_here) and engine["tvd"] < 1e-6)
        assert engine["parts"].endswith(".") or engine is view["here"]
    assert [len(token["p"]) for token in view["tokens"]] == [len(ORDERS)] * len(view["tokens"])
    assert view["tokens"] and sum(token["p_here"] for token in view["tokens"]) <= 1 + 1e-9


def test_knobs_that_are_off_are_nowhere() -> None:
    strip: list[dict[str, Any]] = [{"id": "top_k", "on": True, "top_k": 0}, {"id": "min_p", "on": False, "min_p": 0.5}]
    rows = StepRows("key", torch.tensor(FOUR).log(), (), torch.tensor([0]), 1, 0, "title")
    view = engines_view(rows, Knobs(Strip.from_json(strip)), LETTERS)
    assert view["here"]["path"] == [] and {engine["parts"] for engine in view["engines"]} == {AS_HERE}
