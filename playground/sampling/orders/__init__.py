"""Named orders: in which sequence, by whose rules and with which defaults each engine runs the stages.

Knows nothing about the stages themselves; one file of this folder is one engine, and ``fitting`` runs a chain as it.
"""

from __future__ import annotations

from playground.errors import PlaygroundError
from playground.sampling.chain import Chain
from playground.sampling.orders import (
    exllamav3,
    koboldcpp,
    llama_cpp,
    ollama,
    text_generation_webui,
    transformers,
    vllm,
)
from playground.sampling.orders.fitting import FLAVOUR, Note, always, called, fitted
from playground.sampling.orders.order import Order, Stage
from playground.sampling.registry import SAMPLERS
from playground.sampling.sampler import Sampler

__all__ = [
    "FLAVOUR",
    "ORDERS",
    "Note",
    "Order",
    "Stage",
    "always",
    "arrange",
    "as_engine",
    "called",
    "engines_with",
    "find",
    "stage_names",
]

ORDERS: dict[str, Order] = {
    order.name: order
    for order in (
        transformers.ORDER,
        llama_cpp.ORDER,
        koboldcpp.ORDER,
        ollama.ORDER,
        vllm.ORDER,
        exllamav3.ORDER,
        text_generation_webui.ORDER,
    )
}


def find(name: str) -> Order:
    """The order of an engine, or of a variant of one; PlaygroundError lists the engines."""
    if isinstance(name, str):
        for order in ORDERS.values():
            for one in (order, *order.variants):
                if one.name.lower() == name.lower():
                    return one
    raise PlaygroundError(f"There is no order {str(name)[:40]!r}. Known: {', '.join(ORDERS)}.")


def stage_names(name: str) -> tuple[str, ...]:
    """All registered stages in the order of an engine; what it does not have goes where its slot says."""
    names = [stage for stage in find(name).names if stage in SAMPLERS]
    for stage, sampler in SAMPLERS.items():
        if stage not in names:
            later = [place for place, other in enumerate(names) if SAMPLERS[other].slot > sampler.slot]
            names.insert(later[0] if later else len(names), stage)
    return tuple(names)


def arrange(chain: Chain, name: str) -> Chain:
    """The same stages in an engine's order; two copies of one stage keep theirs."""
    names = stage_names(name)

    def place(sampler: Sampler) -> tuple[bool, int]:
        return sampler.kind == "draw", names.index(sampler.name) if sampler.name in names else len(names)

    return Chain(tuple(sorted(chain.samplers, key=place)))


def as_engine(chain: Chain, name: str) -> tuple[Chain, list[Note]]:
    """The chain as an engine would run it, and a note for everything that is not as it was set."""
    return fitted(chain, find(name))


def engines_with(stage: str) -> tuple[str, ...]:
    """The engines that have a stage."""
    return tuple(name for name, order in ORDERS.items() if order.stage(stage))
