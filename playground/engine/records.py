"""What goes into the engine and what comes out: a Request or a Reading in, Steps and exactly one Done out.

Knows nothing about threads, lanes or models: plain frozen values, safe to keep, compare and send.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal

from playground.sampling import Chain, Guidance
from playground.sampling.draw import uniform
from playground.sampling.search import Greedy, Search
from playground.sampling.search.beam import Candidate
from playground.sampling.search.contrastive import Tried
from playground.sampling.search.dola import Bucket, LayerChoice

Priority = Literal["interactive", "bulk"]
Reason = Literal["eos", "length", "stop", "cancelled", "error"]


@dataclass(frozen=True)
class Branch:
    """What one branch of guidance reads before the text that is being written, and with which model."""

    token_ids: tuple[int, ...]
    model: int = 0
    """0: the main model; others in the order the engine was given them."""
    layers: Bucket | Literal[""] = ""
    """Which layers' early exit the row comes from; empty: the last layer, as everywhere."""

    @cached_property
    def name(self) -> str:
        """Short, and the same for equal branches alone: a row read again for another guidance is found by it."""
        text = f"{self.model} {self.layers} {self.token_ids}"
        return blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Request:
    """Text to write. With its Steps it is enough to recompute everything that happened."""

    prompt_ids: tuple[int, ...]
    chain: Chain = field(default_factory=Chain)
    max_tokens: int = 64
    seed: int = 0
    guidance: Guidance = field(default_factory=Guidance)
    others: tuple[Branch, ...] = ()
    """The branches of guidance after the prompt; none: one, the last token of the prompt, as in transformers."""
    num_samples: int = 1
    stop: tuple[str, ...] = ()
    priority: Priority = "interactive"
    session: str = ""
    """Whose it is: rows and fair shares are by session; a request without one counts for itself."""
    ignore_eos: bool = False
    keep_rows: bool = True
    """Put each step's logits rows into the store (the newest 16 of a stream stay)."""
    continued_ids: tuple[int, ...] = ()
    """Tokens already written or forced: they follow the prompt in every branch; the darts go on at their number."""
    memory: tuple[Any, ...] | None = None
    """What the chain's stages remember behind ``continued_ids``, one value a stage; None: they start afresh."""
    both_branches: bool = False
    """Run every branch even where guidance is off, because somebody looks at their rows."""
    first_sample: int = 0
    """The number of the first sample, so that later samples of the same seed have darts of their own."""
    search: Search | None = None
    """How tokens are found; None: by darts."""

    @property
    def start_memory(self) -> tuple[Any, ...]:
        """What the chain's stages remember before the first token, one value a stage."""
        return self.chain.start() if self.memory is None else self.memory

    @property
    def looks_ahead(self) -> bool:
        """Whether several texts are in flight at once, of which one is told."""
        return self.search is not None and not isinstance(self.search, Greedy)

    def dart(self, sample: int, index: int) -> float:
        """The dart of one token, in [0, 1): at 0 it hits the most probable one, the first of those that tie."""
        return 0.0 if isinstance(self.search, Greedy) else uniform(self.seed, sample, index)

    @property
    def other_branches(self) -> tuple[Branch, ...]:
        """The branches of guidance after the prompt, before ``continued_ids``."""
        return self.others or (Branch(self.prompt_ids[-1:]),)

    @property
    def branches(self) -> tuple[Branch, ...]:
        """What each lane starts from: the prompt, and the other branches where somebody needs them."""
        prompt = Branch(self.prompt_ids + self.continued_ids)
        if self.guidance.is_off and not self.both_branches:
            return (prompt,)
        return (prompt, *(replace(one, token_ids=one.token_ids + self.continued_ids) for one in self.other_branches))

    @property
    def models(self) -> frozenset[int]:
        """The numbers of the models it may run on."""
        return frozenset({0, *(one.model for one in self.others)})


@dataclass(frozen=True)
class Span:
    """Rows to read from one teacher-forced text: ``keys[i]`` names the row that follows ``token_ids[first + i]``."""

    token_ids: tuple[int, ...]
    first: int
    keys: tuple[str, ...]
    model: int = 0
    layers: Bucket | Literal[""] = ""
    """Rows of an earlier layer instead of the last one, as in Branch."""

    @property
    def wanted(self) -> range:
        """Positions in ``token_ids`` whose rows are wanted."""
        return range(self.first, self.first + len(self.keys))


@dataclass(frozen=True)
class Reading:
    """Rows to put (back) into the store, by one teacher-forced pass a span; nothing is drawn."""

    spans: tuple[Span, ...]
    priority: Priority = "interactive"
    session: str = ""

    @property
    def models(self) -> frozenset[int]:
        """The numbers of the models that read."""
        return frozenset(span.model for span in self.spans)


@dataclass(frozen=True)
class Step:
    """One drawn token and the scalars that outlive its logits rows.

    *Model* is the prompt branch alone; *base* is after guidance, before the chain (where it is off, the model itself);
    *final* is what the token was drawn from.
    """

    index: int
    """Place among the written tokens, ``continued_ids`` counted: the number of the dart."""
    sample: int
    token_id: int
    text: str
    """Text completed by this token: incomplete UTF-8 and the start of a stop string wait for what follows."""
    logprob_base: float
    """Nats, under the base."""
    logprob_final: float
    """Nats, under what the token was drawn from."""
    entropy_bits: float
    """Of the final distribution."""
    base_entropy_bits: float
    surprisal_bits: float
    """Under the model, before guidance and chain."""
    uniform: float
    """The dart, in [0, 1); of a token that was searched for the place where one would have hit it."""
    row_key: str
    """Names the prompt branch's row; the row itself may have left the store."""
    other_keys: tuple[str, ...] = ()
    """Those of the other branches, in order; none where guidance was off."""
    memory: tuple[Any, ...] = ()
    """What the chain's stateful stages remembered when this token was drawn, one value a stage."""
    memory_after: tuple[Any, ...] = ()
    """What they remember of it: the memory of the next step."""
    coins: tuple[float | None, ...] = ()
    """The numbers in [0, 1) of the chain's random stages, one a stage; () where none is random."""
    layers: tuple[LayerChoice, ...] = ()
    """Which earlier layer a branch was read from, one value a branch that reads one (DoLa)."""
    end: Reason | None = None
    """Why this sample ended here; None while it goes on."""


@dataclass(frozen=True)
class BeamStep:
    """What a beam search looked at in one step: a generation of the beam tree. The text comes when it is over."""

    index: int
    """Place among the written tokens, as of a Step."""
    candidates: tuple[Candidate, ...]
    """Best first; those that were kept are the parents of the next step's, in order."""
    best_ids: tuple[int, ...]
    """Tokens of the text that would win now."""


@dataclass(frozen=True)
class ContrastiveStep:
    """The candidates of one step of contrastive search; the Step of the one that was chosen follows."""

    index: int
    tried: tuple[Tried, ...]
    chosen: int
    """The place of the winner."""


Progress = BeamStep | ContrastiveStep
"""What a search says on its way, between Steps."""


@dataclass(frozen=True)
class Done:
    """The last item of a stream; of a request with several samples, ``sample`` is the one that ended last.

    A Reading that got all its rows ends with ``length``.
    """

    reason: Reason
    message: str = ""
    sample: int = 0
