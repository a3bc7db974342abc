"""The playground's own JSON: the body its API takes, which can say everything.

Knows nothing about other targets.
"""

from __future__ import annotations

from typing import Any

from playground.errors import PlaygroundError
from playground.sampling.chain import Chain
from playground.sampling.interop.given import Given
from playground.sampling.interop.guiding import to_json
from playground.sampling.interop.json_target import JsonTarget, as_json
from playground.sampling.interop.ordering import Unknown
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.values import Export, Setup, Taken
from playground.sampling.param import shortened
from playground.sampling.presets import recipe_from_json
from playground.sampling.recipe import Recipe
from playground.sampling.sampler import Sampler

MAX_STAGES = 40
WORDS = {str: "a text", bool: "true or false", int: "a whole number"}
AROUND = {"prompt": str, "negative": str, "chat": bool, "system": str, "seed": int, "max_tokens": int, "model": str}


class Playground(JsonTarget):
    """Chain and guidance as they are, each stage under its own name."""

    name = "playground"
    title = "This page (JSON)"
    place = 100
    file_name = "playground.json"
    order = Unknown()
    signature = frozenset({"chain", "strip"})

    def write(self, setup: Setup) -> Export:
        values: dict[str, Any] = {"chain": setup.chain.to_json()}
        if setup.guidance is not None:
            values["guidance"] = to_json(setup.guidance)
        said = setup.said
        values |= {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}
        hint = "The API's next_token and generate take these, chain included; nothing is lost."
        return Export(as_json(values), self.language, self.file_name, hints=(hint,))

    def owns(self, data: dict[str, Any]) -> bool:
        return isinstance(data.get("chain"), list) or isinstance(data.get("strip"), list)

    def sees(self, pasted: Pasted) -> int:
        return 400 if isinstance(pasted.data, dict) and self.owns(pasted.data) else 0

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        data = dict(pasted.data)
        given = Given(data)
        chain = _chain(given)
        around = {name: value for name, kind in AROUND.items() if (value := _checked(given, name, kind)) is not None}
        stop = given.texts("stop")
        if stop is not None:
            around["stop"] = stop
        guidance = _guidance(given)
        given.drop("pins", "figures", "key", "guided", why="it is about the picture, not about sampling")
        given.rest()
        return Taken(self.name, self.title, Setup(chain, guidance, **around), tuple(given.ignored))


def _chain(given: Given) -> Chain:
    """Stage by stage, so that one that is wrong is left out with its reason; a strip's stages may be off."""
    stages = given.take("chain") or given.take("strip")
    samplers: list[Sampler] = []
    for stage in stages[:MAX_STAGES] if isinstance(stages, list) else []:
        if isinstance(stage, dict) and "id" in stage:
            stage = {"sampler": str(stage["id"]).partition("--")[0], "on": True, **stage}
            if not stage.pop("on"):
                continue
            stage.pop("id")
        try:
            samplers += Chain.from_json([stage]).samplers
        except PlaygroundError as error:
            given.ignored.append(str(error))
    draws = [sampler for sampler in samplers if sampler.kind == "draw"]
    given.ignored += [f"{one.title}: only one stage can draw the token" for one in draws[1:]]
    return Chain((*(one for one in samplers if one.kind != "draw"), *draws[:1]))


def _guidance(given: Given) -> Recipe | None:
    value, scale = given.take("guidance"), given.number("scale")
    try:
        if value is None:
            return None if scale is None else recipe_from_json({"scale": scale})
        return recipe_from_json(value, scale)
    except PlaygroundError as error:
        given.ignored.append(str(error))
        return None


def _checked(given: Given, name: str, kind: type) -> Any:
    value = given.take(name)
    if value is None or (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
        return value
    given.ignored.append(f"{name} = {shortened(value)}: it must be {WORDS[kind]}")
    return None
