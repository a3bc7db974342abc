"""What the page and the API may ask, checked: JSON of strangers in, frozen requests out.

Knows nothing about HTTP or Gradio. Every number is checked for type, finiteness and range; nothing is trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from playground.control.joint import WAYS, check_way
from playground.errors import PlaygroundError
from playground.sampling import Recipe, recipe_from_json
from playground.sampling.param import shortened
from playground.sampling.search import Search, search_from_json
from playground.studies.prompts import Prompt
from playground.studies.rows import Knobs
from playground.studies.strip import Strip, numbered

MAX_SCALE = 20.0
MAX_TARGET, MAX_EXPONENT = 1e9, 1e7
MAX_PROMPTS = 8
"""Of one pool."""
MAX_PINS, MAX_STOPS, MAX_STOP_CHARS = 64, 8, 200


def mapping(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise PlaygroundError("The request must be a JSON object.")
    return body


def text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PlaygroundError(f"{name} must be a text, not {_kind(value)}.")
    return value


def number(body: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A finite number within [low, high]; booleans and texts are not numbers."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PlaygroundError(f"{name} must be a number from {low:g} to {high:g}, not {_kind(value)}.")
    if not low <= value <= high:  # NaN fails this too
        raise PlaygroundError(f"{name} must be a number from {low:g} to {high:g}; got {shortened(value)}.")
    return value


def whole(body: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = number(body, name, default, low, high)
    if value != int(value):
        raise PlaygroundError(f"{name} must be a whole number from {low} to {high}; got {shortened(value)}.")
    return int(value)


def flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise PlaygroundError(f"{name} must be true or false.")
    return value


def prompt(body: Mapping[str, Any], max_chars: int) -> Prompt:
    """The prompt boxes, validated."""
    return Prompt(text(body, "prompt"), text(body, "negative"), flag(body, "chat"), text(body, "system")).validated(
        max_chars
    )


def prompts(body: Mapping[str, Any], max_chars: int) -> tuple[Prompt, ...]:
    """The prompt boxes' prompt, and ``more_prompts`` under the same system text and negative. Blank ones are left out,
    and one that is there twice counts once."""
    first, given = prompt(body, max_chars), body.get("more_prompts") or []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise PlaygroundError("more_prompts must be a list of texts.")
    texts = dict.fromkeys([first.text, *(one for one in given if one.strip())])
    if len(texts) > MAX_PROMPTS:
        raise PlaygroundError(f"A pool follows at most {MAX_PROMPTS} prompts; these are {len(texts)}. Leave some out.")
    return tuple(replace(first, text=one).validated(max_chars) for one in texts)


def targets(body: Mapping[str, Any], num_features: int) -> tuple[float, ...]:
    """What each feature is to be on average; NaN for null: as it is under the model."""
    given = _each(body, "targets", num_features)
    return tuple(math.nan if one is None else _limited("targets", one, MAX_TARGET) for one in given)


def exponents(body: Mapping[str, Any], num_features: int) -> tuple[float, ...] | None:
    """Those that somebody has set by hand; None where nobody has."""
    if body.get("exponents") is None:
        return None
    given = _each(body, "exponents", num_features)
    return tuple(_limited("exponents", one, MAX_EXPONENT) for one in given)


def contexts(body: Mapping[str, Any]) -> str:
    """How several prompts are meant: ``pooled`` where nothing is said, ``averaged`` or ``each``."""
    way = text(body, "contexts") or WAYS[0]
    check_way(way)
    return way


def scale(body: Mapping[str, Any]) -> float:
    return float(number(body, "scale", 1.0, -MAX_SCALE, MAX_SCALE))


def guidance(body: Mapping[str, Any]) -> Recipe:
    """``{"scale": 1.5}``, or ``{"guidance": {...}}`` as ``recipe_from_json`` takes it; the scale may stand beside."""
    given = body.get("guidance")
    outer = scale(body) if "scale" in body else None
    if given is None:
        return Recipe(scale=1.0 if outer is None else outer)
    if isinstance(given, Mapping) and "scale" in given:
        scale(given)
    return recipe_from_json(given, outer)


def seed(body: Mapping[str, Any]) -> int:
    return whole(body, "seed", 0, 0, 2**63 - 1)


def knobs(body: Mapping[str, Any]) -> Knobs:
    """The strip (or a plain ``chain``), the guidance and the pinned tokens."""
    pins = body.get("pins", [])
    if not isinstance(pins, list) or len(pins) > MAX_PINS or not all(type(pin) is int for pin in pins):
        raise PlaygroundError(f"pins must be a list of at most {MAX_PINS} token ids.")
    stages = numbered(body["chain"]) if "chain" in body else body.get("strip", [])
    return Knobs(Strip.from_json(stages), guidance(body), tuple(pins))


def figures(body: Mapping[str, Any]) -> frozenset[str]:
    """Names of the figures that are wanted besides the view; unknown ones are nobody's harm."""
    given = body.get("figures") or []
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise PlaygroundError('figures must be a list of names such as ["rank"].')
    return frozenset(given)


def stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Stop strings: at most eight short texts, none of them empty."""
    given = body.get("stop") or []
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise PlaygroundError("stop must be a list of texts that are not empty.")
    if len(given) > MAX_STOPS or any(len(one) > MAX_STOP_CHARS for one in given):
        raise PlaygroundError(f"At most {MAX_STOPS} stop strings of {MAX_STOP_CHARS} characters fit.")
    if any("\ud800" <= char <= "\udfff" for one in given for char in one):
        raise PlaygroundError("A stop string holds half of a character (an unpaired surrogate); retype it.")
    return tuple(given)


def search(body: Mapping[str, Any]) -> Search | None:
    """``{"search": "beam", "num_beams": 4}``, a name alone, or nothing: tokens are drawn by darts."""
    return search_from_json(body.get("search"))


def _each(body: Mapping[str, Any], name: str, num_features: int) -> list[Any]:
    given = body.get(name)
    if not isinstance(given, list) or len(given) != num_features:
        raise PlaygroundError(f"{name} must be a list of {num_features} numbers, one for each feature.")
    return given


def _limited(name: str, value: Any, most: float) -> float:
    return float(number({name: value}, name, 0, -most, most))


def _kind(value: Any) -> str:
    """What JSON calls it."""
    kinds = {
        bool: "true or false",
        str: "a text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), "null")
