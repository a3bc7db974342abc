"""Search: a way to choose tokens by looking further than one dart, as a value with declared parameters.

Knows nothing about lanes, models or pages; the maths of each way is in its own file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from playground.sampling.param import Param


@dataclass(frozen=True)
class Search:
    """One search decoder's parameters; the class holds what there is to say about it."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    with_chain: ClassVar[str]
    """What the chain's stages do to it, in words."""
    needs_states: ClassVar[bool] = False
    """It reads the last layer's hidden states, so it needs a backend that shows them."""

    def __post_init__(self) -> None:
        for name, fact in self.params().items():
            object.__setattr__(self, name, fact.check(f"{self.name}.{name}", getattr(self, name)))

    @classmethod
    @cache
    def params(cls) -> dict[str, Param]:
        """Its parameters by name, in the order of declaration."""
        return {one.name: one.metadata["param"] for one in dataclasses.fields(cls) if "param" in one.metadata}

    @property
    def num_hypotheses(self) -> int:
        """Texts that are in flight at once: each needs lanes of its own."""
        return 1

    def to_json(self) -> dict[str, Any]:
        """Its name and every parameter."""
        return {"search": self.name, **{name: getattr(self, name) for name in self.params()}}
