"""Guidance where an engine has one number for it, and as JSON: what of a recipe is plain classifier-free guidance.

Knows nothing about any particular engine, or about tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from playground.sampling.presets import PRESETS
from playground.sampling.recipe import Context, Recipe

CFG = Recipe()


def cfg(scale: float) -> Recipe:
    """Plain classifier-free guidance: the prompt against the negative prompt, or its last token."""
    return CFG.at(scale)


def scale_of(recipe: Recipe) -> float | None:
    """The scale of plain classifier-free guidance, or None where guidance is anything else."""
    same = replace(recipe, name=CFG.name, scale=CFG.scale, temperatures=()) == CFG
    return recipe.scale if same and all(heat == 1.0 for heat in recipe.temperatures) else None


def title_of(recipe: Recipe) -> str:
    """What people call it."""
    return PRESETS[recipe.name].title if recipe.name in PRESETS else "this mix of branches"


def to_json(recipe: Recipe) -> dict[str, Any]:
    """What ``recipe_from_json`` reads back to an equal recipe."""
    scale = scale_of(recipe)
    if scale is not None and recipe.name == CFG.name:
        return {"scale": scale}
    shared = {"mask": recipe.mask, "gate": recipe.gate.to_json(), "schedule": recipe.schedule.to_json()}
    if recipe.name not in PRESETS:
        heats = recipe.temperatures or (1.0,) * len(recipe.contexts)
        branches = [
            {**_context(context), "weight": weight, "temperature": heat}
            for context, weight, heat in zip(recipe.contexts, recipe.weights[1:], heats, strict=True)
        ]
        return {"branches": branches, "weight": recipe.weights[0], "scale": recipe.scale, **shared}
    first = _context(recipe.contexts[0])
    said = {name: first[name] for name in ("context", "k", "text") if name in first}
    preset = PRESETS[recipe.name].recipe
    heat = {"temperature": recipe.temperatures[0]} if recipe.temperatures != preset.temperatures else {}
    return {"preset": recipe.name, "scale": recipe.scale, **said, **heat, **shared}


def _context(context: Context) -> dict[str, Any]:
    values: dict[str, Any] = {"context": context.kind, "k": context.k}
    if context.text:
        values["text"] = context.text
    if context.model:
        values["model"] = context.model
    if context.layers:
        values["layers"] = context.layers
    return values
