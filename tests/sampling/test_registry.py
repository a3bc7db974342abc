"""The registry and the named orders: facts that pages, documents and links rely on."""

import sys
from pathlib import Path

import pytest
import torch

from playground.errors import PlaygroundError
from playground.sampling import SAMPLERS, Chain, orders, registry, samplers

KINDS = {"penalty", "shape", "truncate", "draw"}


def test_every_file_is_a_sampler_and_the_other_way_round():
    files = {path.stem for path in Path(samplers.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == set(SAMPLERS)
    assert {"temperature", "top_k", "top_p", "min_p", "typical_p", "logit_bias"} <= files
    assert {"repetition_penalty", "frequency_penalty", "presence_penalty"} <= files


@pytest.mark.parametrize("kind", SAMPLERS.values(), ids=SAMPLERS.keys())
def test_facts_are_complete(kind):
    assert kind.kind in KINDS and kind.title and kind.formula and kind.source
    assert kind.summary.endswith(".") and "\n" not in kind.summary
    assert kind.off is None or set(kind.off) <= set(kind.params())
    assert not kind().is_off or kind.name in {"temperature", "logit_bias", "token_ban"}  # added, a stage acts
    for fact in kind.params().values():
        assert fact.label and fact.help and fact.scale in {"linear", "log"}
        assert fact.hard_low <= fact.low <= fact.high <= fact.hard_high and fact.step > 0


def test_slots_are_distinct_and_sorted():
    slots = [kind.slot for kind in SAMPLERS.values()]
    assert slots == sorted(set(slots))


def test_adding_a_sampler_is_one_file(tmp_path, monkeypatch):
    """A new file alone brings a parameter, JSON, links, the batch and the trace."""
    (tmp_path / "halved.py").write_text(
        "from dataclasses import dataclass\n"
        "from playground.sampling.columns import Number, column\n"
        "from playground.sampling.param import param\n"
        "from playground.sampling.sampler import Sampler\n"
        "@dataclass(frozen=True)\n"
        "class Halved(Sampler):\n"
        "    factor: Number = param(0.5, 0, 1, 0.1, label='Factor', help='1 is off.')\n"
        "    name, title, slot, kind, keeps_argmax = 'halved', 'Halved', 41, 'shape', True\n"
        "    off = {'factor': 1.0}\n"
        "    summary, formula, source, examples = 'Halves.', 'ℓ/2', 'here', ()\n"
        "    def apply(self, scores, context):\n"
        "        return scores * column(self.factor, scores, scores.dtype)\n"
    )
    monkeypatch.setattr(samplers, "__path__", [*samplers.__path__, str(tmp_path)])
    try:
        found = registry.discover()
        assert list(found).index("temperature") + 1 == list(found).index("halved")
        monkeypatch.setattr(registry, "SAMPLERS", found)
        chain = Chain.from_url("halved:0.25,top_k:1")
        assert Chain.from_json(chain.to_json()) == chain
        assert chain.trace(torch.tensor([4.0, 8.0])).scores.tolist() == [-torch.inf, 2.0]
    finally:
        sys.modules.pop(f"{samplers.__name__}.halved", None)


def test_a_file_whose_name_is_not_its_samplers_is_refused(tmp_path, monkeypatch):
    (tmp_path / "misnamed.py").write_text("x = 1\n")
    monkeypatch.setattr(samplers, "__path__", [*samplers.__path__, str(tmp_path)])
    try:
        with pytest.raises(ImportError, match="misnamed"):
            registry.discover()
    finally:
        sys.modules.pop(f"{samplers.__name__}.misnamed", None)


def test_named_orders():
    chain = Chain.from_url("temperature:2,min_p:0.1,top_k:5,logit_bias:1_2,repetition_penalty:1.2,temperature:3")
    names = [each.name for each in orders.arrange(chain, "llama.cpp").samplers]
    assert names == ["logit_bias", "repetition_penalty", "top_k", "min_p", "temperature", "temperature"]
    assert orders.arrange(chain, "llama.cpp").to_url().endswith("temperature:2,temperature:3")
    names = [each.name for each in orders.arrange(chain, "transformers").samplers]
    assert names == ["logit_bias", "repetition_penalty", "temperature", "temperature", "top_k", "min_p"]
    for order in orders.ORDERS:
        assert sorted(orders.stage_names(order)) == sorted(SAMPLERS)
    with pytest.raises(PlaygroundError, match="transformers"):
        orders.arrange(chain, "nobody")


def test_a_stage_unknown_to_an_order_goes_where_its_slot_says(monkeypatch):
    stages = (orders.Stage("min_p"), orders.Stage("temperature"))
    monkeypatch.setitem(orders.ORDERS, "short", orders.Order("short", "1", stages, "", ""))
    names = orders.stage_names("short")
    assert names.index("logit_bias") < names.index("temperature") and set(names) == set(SAMPLERS)


def test_bind_returns_itself_where_nothing_needs_the_vocabulary():
    chain = Chain.from_url("temperature:2,min_p:0.1")
    assert chain.bind(object()) is chain
