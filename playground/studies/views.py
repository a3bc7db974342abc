"""The views: plain, JSON-able, versioned data; the only thing charts, the API and the page ever see.

Knows nothing about tensors, engines or drawing. Probabilities are exact over the full vocabulary; masses are
fractions (0..1), entropies bits, ranks 1-based in the order of the base row (what the model said on the prompt).
"""

from __future__ import annotations

from typing import Literal, TypedDict

VIEW_VERSION = 1


class Fragment(TypedDict, total=False):
    """A piece of the live sentence: plain text, or a figure to set in bold; ``token`` marks a token's label."""

    text: str
    kind: Literal["text", "figure", "token"]


class CutView(TypedDict):
    """A stage's cut as geometry: ``rank`` vertical line, ``probability`` horizontal line, ``cumulative`` staircase
    level, ``band`` two horizontal lines (value and high), ``tokens`` single ones (at their ranks), ``none``."""

    axis: str
    value: float | None
    high: float | None
    marks: list[float]
    """Probabilities of dashed lines by which the cut is measured: each σ below the best score, the ε above an η."""
    ranks: list[int]
    """Of a ``tokens`` cut: where the likeliest of the removed tokens stand."""


class StageView(TypedDict):
    """One card of the strip, as the distribution arrives at it and leaves it."""

    id: str
    """``guidance``, ``temperature``, ``min_p--2``, ...: the sampler's name and, from the second copy on, ``--n``."""
    name: str
    title: str
    kind: str
    on: bool
    """Off: the card keeps its place and passes its input through."""
    params: dict[str, float | str]
    """Its parameters as shown."""
    before: list[float | None]
    """log10 p at each of PipelineView.ranks, as it arrives (removed: null)."""
    cumulative: list[float]
    """The staircase at each of the ranks, where the cut is on the cumulative axis: mass as it arrives, or what the
    stage sums instead (entropy, bends of the curve); else empty."""
    after: list[float | None]
    """The same as it leaves; null where the stage (or an earlier one) removed the token."""
    support_before: int
    support: int
    choices_before: float
    choices: float
    entropy_before_bits: float
    entropy_bits: float
    kept_mass: float
    kl_bits: float
    mass_alive: float
    """Share of the guided distribution's mass on tokens still alive after this stage: the ribbon's width."""
    cut: CutView
    note: str
    """What a stateful or random stage must say, else empty."""
    sides: list[SideView]
    """Both sides of a random stage, whose own figures are those of their mixture; else empty."""


class RowView(TypedDict):
    """One token in the distribution chart."""

    token_id: int
    text: str
    rank: int
    p_raw: float
    p_final: float
    removed_by: str
    """Stage id, empty where it survives."""
    drawn: bool
    """The dart hits it under the present settings."""
    chosen: bool
    """The text has it here."""
    pinned: bool
    journey: list[float]
    """p under the model, then as it leaves each of PipelineView.stages (those that are off included)."""


class OthersView(TypedDict):
    count: int
    p_raw: float
    p_final: float


class CoinView(TypedDict):
    """What decided a random stage at this step: a number of its own, below the stage's probability or not."""

    id: str
    title: str
    u: float
    says: str
    acts: bool


class SideView(TypedDict):
    """One side of a random stage, alone: the distribution as it leaves the stage if the coin falls this way."""

    label: str
    probability: float
    taken: bool
    """The coin fell this way here."""
    after: list[float | None]
    support: int
    choices: float


class DartView(TypedDict):
    """The draw: where the uniform lands on the cumulative ruler of the final distribution."""

    u: float
    seed: int
    step: int
    token_id: int
    text: str
    p: float
    segments: list[RulerSegment]
    """The largest tokens in descending probability from 0; what is left up to 1 is one last anonymous part."""
    coins: list[CoinView]
    """Of the random stages: the dart flies at the sides that these took, whose probabilities the ruler shows."""
    found_by: str
    """The search that took this token, so that no dart flew; empty where one did, or the knobs now hit another one."""


class RulerSegment(TypedDict):
    token_id: int
    text: str
    start: float
    p: float


class GuidanceMark(TypedDict):
    """One token under guidance; probabilities under the prompt, the other branches and the guided distribution."""

    token_id: int
    text: str
    p_prompt: float
    p_others: list[float]
    """Under each branch after the prompt, its temperature included."""
    p_guided: float
    ratio: float
    """p_guided / p_prompt."""


class BranchView(TypedDict):
    """One branch of guidance."""

    name: str
    """``prompt``; the only other one ``negative`` or ``other``; several ``branch 1``, ``branch 2``, ..."""
    words: str
    """What it reads, in words."""
    text: str
    """What somebody typed for it, or the labels of its tokens."""
    rendered: str
    """The text as its model reads it, template included, shortened in the middle; empty for the prompt."""
    is_text: bool
    model: str
    """Its model, where that is not the main one."""
    temperature: float
    weight: float
    """Of its log-probabilities at this step."""
    weight_at_full: float
    """The same where the gate is open and the schedule's strength is 1."""
    entropy_bits: float
    curve: list[float | None]
    """log10 p at each of PipelineView.ranks; null where it gives nothing."""


class GuidanceView(TypedDict):
    """score = Σ weight · log p over the branches, on the scale of the prompt's raw logits."""

    preset: str
    title: str
    formula: str
    scale: float
    scale_is: str
    """What the scale is in the method's own terms."""
    off: bool
    """The scale is 1: nothing is guided at any step."""
    strength: float
    """What the schedule and the gate make of it at this step; the weights hold it already."""
    weight_sum: float
    branches: list[BranchView]
    """The prompt first."""
    gate: str
    schedule: str
    mask: str
    """Each in words for this step; empty where there is none."""
    promoted: list[GuidanceMark]
    suppressed: list[GuidanceMark]
    """Of the plausible tokens (p_prompt >= 0.001 of the largest, or what the mask asks for)."""
    promoted_anywhere: list[GuidanceMark]
    suppressed_anywhere: list[GuidanceMark]
    """Of the whole vocabulary, as the paper ranks them."""
    curve_guided: list[float | None]
    """log10 p at each of PipelineView.ranks; null where a token is masked."""
    cost_ms: float | None
    """Measured cost of the other branches for one step, where it is known."""


class BaseView(TypedDict):
    support: int
    choices: float
    entropy_bits: float


class PipelineView(TypedDict):
    """Everything the page shows about one step: the strip, the rows, the ruler, the guidance card, the sentence."""

    version: int
    key: str
    title: str
    """The end of the prefix this distribution stands after."""
    at_end: bool
    recomputed: bool
    vocabulary_size: int
    ranks: list[int]
    """About 200 ranks from 1 to V, log-spaced; every card's curves share them."""
    base: BaseView
    """The model on the prompt, before guidance."""
    guided: BaseView
    final: BaseView
    kept_mass: float
    """Share of the model's own mass (base) on the tokens that survive."""
    stages: list[StageView]
    """Guidance first, then the strip's order; cards that are off are there too."""
    rows: list[RowView]
    """Largest final first, then up to five largest removed."""
    others: OthersView
    dart: DartView
    guidance: GuidanceView | None
    sentence: list[Fragment]
    cost_ms: float


class TokenView(TypedDict):
    """One token of the text."""

    index: int
    """0 = the first generated; prompt tokens count from 0 on their own."""
    token_id: int
    text: str
    """What it adds to the text, exactly."""
    label: str
    prompt: bool
    special: bool
    key: str
    surprisal_bits: float | None
    entropy_bits: float | None
    p_raw: float | None
    p_final: float | None
