"""What a pool may be drawn from: a body's prompts and kind of proposal in, one proposal a prompt out.

Knows nothing about pools or targets. Every prompt is read the same way: as typed, or each in the chat's template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from playground.engine import EngineHost
from playground.errors import PlaygroundError
from playground.sampling import Recipe
from playground.settings import Settings
from playground.studies import prompts
from playground.studies.inspect import Inspector
from playground.studies.prompts import EncodedPrompt, Prompt
from playground.studies.proposals import Proposal, prompted
from playground.studies.tuning_runs import TuningRuns
from playground.ui import asks

MAX_TOKENS = 128
PROPOSALS = ("model", "page", "prompt", "tuned")
"""The model itself; the model under the page's chain and guidance; after another prompt; the tab's tuned model."""


@dataclass(frozen=True)
class Wanted:
    """One proposal for each prompt, all of a kind."""

    proposals: tuple[Proposal, ...]
    label: str


@dataclass(frozen=True)
class ProposalAsks:
    """One for the whole server."""

    settings: Settings
    host: EngineHost
    inspector: Inspector
    runs: TuningRuns
    """Where a tab's tuned model is."""

    @property
    def max_tokens(self) -> int:
        return min(MAX_TOKENS, self.settings.max_tokens)

    async def wanted(self, token: str, body: Mapping[str, Any]) -> Wanted:
        """Of the session with this token. PlaygroundError where the body names nothing that can be drawn from."""
        kind = asks.text(body, "proposal") or "model"
        if kind not in PROPOSALS:
            raise PlaygroundError(f"proposal is one of {', '.join(PROPOSALS)}.")
        asked, knobs = asks.prompts(body, self.settings.max_prompt_chars), asks.knobs(body)
        max_tokens = asks.whole(body, "max_tokens", 16, 1, self.max_tokens)
        encoded = await self._encoded(asked, knobs.recipe)
        pairs = [(one.text, ids) for one, ids in zip(asked, encoded, strict=True)]
        if kind == "model":
            return self._wanted([Proposal(text, read.prompt_ids, max_tokens) for text, read in pairs], "the model")
        if kind == "page":
            knobs = await self.inspector.on_worker(lambda: self.inspector.bound(knobs))  # breakers take a while
            chain, guidance = knobs.strip.chain, knobs.recipe.guidance
            made = [
                Proposal(text, read.prompt_ids, max_tokens, chain, guidance, tuple(one.branch for one in read.others))
                for text, read in pairs
            ]
            return self._wanted(made, chain_label(chain.to_json(), knobs.recipe))
        if kind == "tuned":
            one, label = await self.runs.proposal(token, pairs[0][0], pairs[0][1].prompt_ids, max_tokens)
            made = [replace(one, context=text, prompt_ids=read.prompt_ids) for text, read in pairs]  # one model for all
            return self._wanted(made, label)
        first = asked[0]
        other = Prompt(asks.text(body, "asked"), "", first.chat, first.system).validated(self.settings.max_prompt_chars)
        (instead,) = await self._encoded([other])
        made = [prompted(text, read.prompt_ids, instead.prompt_ids, max_tokens) for text, read in pairs]
        return self._wanted(made, f"prompted: {other.text[:40]}")

    async def _encoded(self, asked: Sequence[Prompt], recipe: Recipe | None = None) -> list[EncodedPrompt]:
        models = self.host.engine.fleet.models
        return await self.inspector.on_worker(lambda: [prompts.encode(one, models, recipe) for one in asked])

    def _wanted(self, made: Sequence[Proposal], label: str) -> Wanted:
        return Wanted(tuple(made), label if len(made) == 1 else f"{label}, {len(made)} prompts")


def chain_label(chain: list[dict[str, Any]], recipe: Recipe) -> str:
    """A strip in a few words."""
    names = [stage["sampler"] for stage in chain]
    if not recipe.guidance.is_off:
        names.insert(0, f"guidance {recipe.scale:g}")
    return " → ".join(names) or "the model"
