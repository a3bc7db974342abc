"""Named orders: in which sequence each engine runs the stages.

Knows nothing about the stages themselves but their names; a stage an engine does not have keeps its default slot.
"""

from __future__ import annotations

from playground.errors import PlaygroundError
from playground.sampling.chain import Chain
from playground.sampling.registry import SAMPLERS
from playground.sampling.sampler import Sampler

ORDERS: dict[str, tuple[str, ...]] = {
    "transformers": (
        "logit_bias",
        "repetition_penalty",
        "frequency_penalty",  # transformers has neither this nor the next; with the other penalty they stand
        "presence_penalty",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
    ),
    "llama.cpp": (
        "logit_bias",
        "repetition_penalty",
        "frequency_penalty",
        "presence_penalty",
        "top_k",
        "typical_p",
        "top_p",
        "min_p",
        "temperature",
    ),
}


def stage_names(order: str) -> tuple[str, ...]:
    """All registered stages in the order of an engine; what it does not name goes where its slot says."""
    if order not in ORDERS:
        raise PlaygroundError(f"There is no order {order[:40]!r}. Known: {', '.join(ORDERS)}.")
    names = [name for name in ORDERS[order] if name in SAMPLERS]
    for name, sampler in SAMPLERS.items():
        if name not in names:
            later = [place for place, other in enumerate(names) if SAMPLERS[other].slot > sampler.slot]
            names.insert(later[0] if later else len(names), name)
    return tuple(names)


def arrange(chain: Chain, order: str) -> Chain:
    """The same stages in an engine's order; two copies of one stage keep theirs."""
    names = stage_names(order)

    def place(sampler: Sampler) -> tuple[bool, int]:
        return sampler.kind == "draw", names.index(sampler.name) if sampler.name in names else len(names)

    return Chain(tuple(sorted(chain.samplers, key=place)))
