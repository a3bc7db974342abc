"""Recall: what the stages of a chain remembered at a place of a text, told to whatever chain looks at it now.

Knows nothing about what a memory holds; a stage that the text's own chain did not have begins afresh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from playground.engine import Step
from playground.sampling import Chain


@dataclass(frozen=True)
class Recall:
    """The memory recorded at a place, one value a stage of the chain that wrote the text."""

    chain: Chain
    memory: tuple[Any, ...]

    def state(self, chain: Chain) -> tuple[Any, ...]:
        """The memory for another chain: of the stages that both have."""
        return chain.carried(self.chain, self.memory)

    def knows(self, name: str) -> bool:
        """Whether a stage of this name has a memory here."""
        return any(sampler.name == name for sampler in self.chain.samplers)


def state_at(recall: Recall | None, chain: Chain) -> tuple[Any, ...]:
    """The memory of ``chain`` at a place; afresh where nothing was recorded."""
    return chain.start() if recall is None else recall.state(chain)


def handed_over(step: Step, before: Chain, after: Chain) -> Step:
    """A step that another chain takes over: its memories in the order of that chain."""
    return replace(
        step, memory=after.carried(before, step.memory), memory_after=after.carried(before, step.memory_after)
    )
