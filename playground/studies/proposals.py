"""Proposals: how texts for a pool are drawn, always beside what the model itself says of them.

Knows nothing about features, targets or pages. The prompt's own branch stands first in every proposal, so each step
carries log a (its surprisal there, before guidance and chain) beside log q (after them): nothing is scored again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from playground.engine import Branch, Request
from playground.errors import PlaygroundError
from playground.models import Model
from playground.sampling import Chain, Guidance, cfg

MAX_DRAWN = 50_000
INSTEAD = cfg(0.0)
"""Guidance of scale 0: the second branch alone, bit for bit up to a constant, while the first, whose distribution is
wanted, still runs beside it and says log a."""
NO_CHAIN = Chain()
OTHER_DARTS = 0x5DEECE66D
"""What is added to the bits of a seed for a model that was tuned: see ``seed_of``."""


@dataclass(frozen=True)
class Proposal:
    """What one pool is drawn from: the model after ``prompt_ids``, or the model there under guidance and a chain, or
    another model there."""

    context: str
    """The prompt as people know it."""
    prompt_ids: tuple[int, ...]
    max_tokens: int
    chain: Chain = field(default_factory=Chain)
    guidance: Guidance = field(default_factory=Guidance)
    others: tuple[Branch, ...] = ()
    model: Model | None = None
    """Writes in the place of the engine's own model, which still says log a: a tuned one, say."""

    def __post_init__(self) -> None:
        if self.chain.random and self.chain.stateful:
            # What the memory becomes depends on how the coins fell, so log q would be a sum over all their outcomes.
            raise PlaygroundError(
                "A pool cannot be drawn under XTC's coin and a stage with a memory at once: how likely a text is would "
                "depend on all the coins that might have fallen. Switch one of them off."
            )

    @property
    def is_base(self) -> bool:
        """Whether log q is log a by construction."""
        return self.guidance.is_off and not self.chain.samplers and self.model is None

    @property
    def truncates(self) -> bool:
        """Whether it cuts tokens off, so that some of the model's texts have probability 0."""
        return self.guidance.mask > 0 or any(stage.may_forbid for stage in self.chain.samplers)

    def seed_of(self, seed: int) -> int:
        """The seed of its darts. A tuned model has learnt what the darts of a pool drew; under the same darts it would
        write those texts again more often than it does, and look better than it is."""
        return seed if self.model is None else seed ^ OTHER_DARTS

    def request(
        self, num_samples: int, seed: int, first_sample: int = 0, session: str = "", number: int = 0
    ) -> Request:
        """At bulk priority, so that people who type go first and half the lanes stay theirs; no rows are kept.
        ``number``: that of its own model, where it has one and the engine was lent it."""
        if not 1 <= num_samples <= MAX_DRAWN:
            raise PlaygroundError(f"Draw from 1 to {MAX_DRAWN:,} texts at a time.")
        return Request(
            self.prompt_ids,
            self.chain,
            self.max_tokens,
            seed,
            self.guidance,
            self.others if self.model is None else (Branch(self.prompt_ids, number),),
            num_samples=num_samples,
            first_sample=first_sample,
            priority="bulk",
            session=session,
            keep_rows=False,
        )


def numbered(prompt: int, first: int = 0) -> int:
    """The number of a text of one of several prompts. Different prompts have different darts: shared ones would make
    similar prompts write alike, and an average over them less certain than its error says."""
    return (prompt << 32) + first


def prompted(context: str, prompt_ids: tuple[int, ...], asked_ids: tuple[int, ...], max_tokens: int) -> Proposal:
    """Texts written after another prompt, weighed as texts after this one."""
    return Proposal(context, prompt_ids, max_tokens, NO_CHAIN, INSTEAD, (Branch(asked_ids),))


def tuned(context: str, prompt_ids: tuple[int, ...], model: Model, max_tokens: int) -> Proposal:
    """Texts written by another model of the same vocabulary, weighed as texts of the engine's own."""
    return Proposal(context, prompt_ids, max_tokens, NO_CHAIN, INSTEAD, model=model)
