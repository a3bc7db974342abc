"""Features as JSON says them: checked, combined (product, not, at_least), named, and scored on texts.

Knows nothing about pools, targets or models. ``{"feature": "contains", "text": "amazing"}`` is all a page sends.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.control.kinds import KINDS, Field, each
from playground.control.spans import Finder, found
from playground.control.texts import Scores, Span, Text, Tools
from playground.errors import PlaygroundError

MAX_TEXT_CHARS, MAX_WORDS, MAX_DEPTH, MAX_PARTS, MAX_FEATURES = 300, 100, 4, 8, 24
MAX_SIMPLE = 64
"""Simple features in all that one list holds, those inside combinations counted: each reads every text of a pool."""
_numbers = itertools.count()
"""Of own functions: the id of one that is gone may become that of another, and its answers too."""
COMBINATIONS = ("product", "not", "at_least")
"""Features made of features: the product of several, 1 minus a yes/no one, and 1 where one reaches a value."""


@dataclass(frozen=True)
class Feature:
    """``key`` is its JSON in one fixed spelling: equal features have equal keys."""

    key: str
    label: str
    yes_no: bool
    unit: str
    score: Scores
    finders: tuple[Finder, ...] = ()
    """Of its parts, where they look for something in one place."""
    readers: tuple[str, ...] = ()
    """The models that read the texts, by name: where there are any, scoring takes a while."""

    def spans(self, text: str) -> list[Span]:
        """Where in a text it found what it looks for, met or not: a part of what is wanted counts too."""
        return sorted({span for find in self.finders for span in found(find, text)})

    def to_json(self) -> dict[str, Any]:
        """The JSON it came from, defaults filled in."""
        return dict(json.loads(self.key))


def feature(given: Any, tools: Tools | None = None) -> Feature:
    """One feature from its JSON; PlaygroundError says what is wrong with it. A plain text means ``contains``."""
    return _feature(given, tools or Tools(), MAX_DEPTH)


def features(given: Any, tools: Tools | None = None) -> tuple[Feature, ...]:
    """Several, all different."""
    if isinstance(given, (str, Mapping)):
        given = [given]
    if not isinstance(given, Sequence) or not given:
        raise PlaygroundError('features must be a list like [{"feature": "contains", "text": "amazing"}].')
    if len(given) > MAX_FEATURES:
        raise PlaygroundError(f"At most {MAX_FEATURES} features fit; {len(given)} were given.")
    if sum(_num_simple(one, MAX_DEPTH) for one in given) > MAX_SIMPLE:
        raise PlaygroundError(f"At most {MAX_SIMPLE} features fit, those inside others counted; leave some out.")
    made = tuple(feature(one, tools) for one in given)
    for at, one in enumerate(made):
        if one.key in {other.key for other in made[:at]}:
            raise PlaygroundError(f"The feature {one.label!r} is there twice; one target for it is enough.")
    return made


def _num_simple(given: Any, depth: int) -> int:
    """Simple features in what is not checked yet; deeper than anything may nest nobody looks."""
    parts = given.get("of") if isinstance(given, Mapping) else None
    if parts is None or depth < 0 or isinstance(parts, str):
        return 1
    many = parts if isinstance(parts, Sequence) else [parts]
    return sum(_num_simple(part, depth - 1) for part in many)


def _feature(given: Any, tools: Tools, depth: int) -> Feature:
    if isinstance(given, str):
        given = {"feature": "contains", "text": given}
    if not isinstance(given, Mapping):
        raise PlaygroundError('A feature is an object like {"feature": "contains", "text": "amazing"}.')
    name = given.get("feature")
    if not isinstance(name, str) or name not in {*KINDS, *COMBINATIONS}:
        raise PlaygroundError(
            f"There is no feature {str(name)[:40]!r}; there are {', '.join([*KINDS, *COMBINATIONS])}."
        )
    if name in COMBINATIONS:
        if depth == 0:
            raise PlaygroundError(f"Features nest at most {MAX_DEPTH} deep.")
        return _combination(name, given, tools, depth - 1)
    kind = KINDS[name]
    known = {field.name for field in kind.fields}
    for extra in set(given) - known - {"feature"}:
        has = ", ".join(sorted(known)) or "nothing to set"
        raise PlaygroundError(f"{name} has no {str(extra)[:40]!r}; it has {has}.")
    values = {field.name: _value(name, field, given.get(field.name, field.default)) for field in kind.fields}
    key = json.dumps({"feature": name, **values}, ensure_ascii=False, sort_keys=True)
    finders = (kind.find(values, tools),) if kind.find else ()
    readers = (values[kind.reader],) if kind.reader else ()
    score = kind.make(values, tools)
    return Feature(key, _label(kind.title, values), kind.yes_no, kind.unit, score, finders, readers)


def _combination(name: str, given: Mapping[str, Any], tools: Tools, depth: int) -> Feature:
    parts = given.get("of")
    many = list(parts) if isinstance(parts, Sequence) and not isinstance(parts, str) else [parts]
    if parts is None or not many or len(many) > MAX_PARTS or (name != "product" and len(many) > 1):
        allowed = f"up to {MAX_PARTS} features" if name == "product" else "one feature"
        raise PlaygroundError(f'{name} needs {allowed} under "of".')
    inner = [_feature(part, tools, depth) for part in many]
    data: dict[str, Any] = {"feature": name, "of": [json.loads(part.key) for part in inner]}
    first = inner[0]
    if name == "product":
        return _made(
            data,
            " and ".join(part.label for part in inner),
            all(part.yes_no for part in inner),
            lambda texts: [math.prod(values) for values in zip(*(part.score(texts) for part in inner), strict=True)],
            inner,
        )
    if name == "not":
        if not first.yes_no:
            raise PlaygroundError(f"Only a yes/no feature can be negated; {first.label} is a number: use at_least.")
        negated: Scores = lambda texts: [1.0 - value for value in first.score(texts)]  # noqa: E731
        return _made(data, f"not ({first.label})", True, negated, inner)
    least = _value(name, Field("value", "number", "", None, -1e9, 1e9), given.get("value"))
    data["value"] = least
    reached: Scores = lambda texts: [float(value >= least) for value in first.score(texts)]  # noqa: E731
    return _made(data, f"{first.label} ≥ {least:g}", True, reached, inner)


def _made(data: dict[str, Any], label: str, yes_no: bool, score: Scores, parts: Sequence[Feature]) -> Feature:
    key = json.dumps(data, ensure_ascii=False, sort_keys=True)
    finders = tuple(find for part in parts for find in part.finders)
    readers = tuple(dict.fromkeys(model for part in parts for model in part.readers))
    return Feature(key, label, yes_no, "", score, finders, readers)


def _value(name: str, field: Field, value: Any) -> Any:
    where = f"{name}: {field.name}"
    if field.kind == "flag":
        if not isinstance(value, bool):
            raise PlaygroundError(f"{where} must be true or false.")
        return value
    if field.kind == "text":
        return _text(where, value)
    if field.kind == "words":
        if isinstance(value, str):
            value = [stripped for part in value.split(",") if (stripped := part.strip())]
        if not isinstance(value, Sequence) or not value or len(value) > MAX_WORDS:
            raise PlaygroundError(f"{where} must be a list of 1 to {MAX_WORDS} words or phrases.")
        return [_text(where, word) for word in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not field.low <= value <= field.high:
        raise PlaygroundError(f"{where} must be a number from {field.low:g} to {field.high:g}.")
    if field.kind == "whole" and value != int(value):
        raise PlaygroundError(f"{where} must be a whole number.")
    return int(value) if field.kind == "whole" else float(value)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT_CHARS:
        raise PlaygroundError(f"{where} must be a text of 1 to {MAX_TEXT_CHARS} characters.")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise PlaygroundError(f"{where} holds half of a character (an unpaired surrogate); retype it.")
    return value


def _label(title: str, values: Mapping[str, Any]) -> str:
    shown = []
    for value in values.values():
        if isinstance(value, str):
            shown.append(f"“{value}”")
        elif isinstance(value, list):
            shown.append("/".join(value[:4]) + ("/…" if len(value) > 4 else ""))
        elif not isinstance(value, bool):
            shown.append(f"{value:g}")
    return " ".join([title, *shown])


def from_function(label: str, function: Any, yes_no: bool = False) -> Feature:
    """A feature of one's own: ``function(text: str) -> number``; for scripts, where nobody is a stranger."""
    return Feature(
        json.dumps({"feature": "own", "label": label, "id": next(_numbers)}),
        label,
        yes_no,
        "",
        each(lambda text: function(text.text)),
    )


__all__ = ["COMBINATIONS", "KINDS", "Feature", "Text", "Tools", "feature", "features", "from_function"]
