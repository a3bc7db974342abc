"""Param: one parameter of a sampler, declared once and read by sliders, JSON, links, the API and the documentation.

Knows nothing about samplers' maths, tensors or pages.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from playground.errors import PlaygroundError

MAX_BIASES = 10_000  # more pairs than this is not a setting but an attack on the server's memory
MAX_TOKENS = 10_000  # in a list of token ids, for the same reason
MAX_TEXTS, MAX_TEXT_CHARS = 64, 40  # in a list of texts, and in each of them (llama.cpp cuts a breaker off there)


@dataclass(frozen=True)
class Param:
    """What a field means: ``low``..``high`` is the slider, ``hard_low``..``hard_high`` is what is legal."""

    default: Any
    low: float
    high: float
    step: float
    unit: str
    help: str
    scale: str  # "linear" or "log": how the slider is spaced
    label: str
    integer: bool
    kind: str  # "number", "choice", or what is typed as JSON: "biases" (token id to number), "tokens", "texts"
    hard_low: float
    hard_high: float
    choices: tuple[tuple[str, str], ...] = ()  # of a choice: each value, and what it means in one line

    @property
    def range_text(self) -> str:
        """The legal range in words, and the slider's where it is narrower."""
        if self.kind != "number":
            return {
                "biases": f'a map {{"token id": number}} of at most {MAX_BIASES:,} pairs, every number finite',
                "tokens": f"a list of at most {MAX_TOKENS:,} token ids",
                "texts": f"a list of at most {MAX_TEXTS} texts, 1 to {MAX_TEXT_CHARS} characters each",
                "choice": "one of " + ", ".join(value for value, _ in self.choices),
            }[self.kind]
        what = "a whole number" if self.integer else "a number"
        text = f"{what} from {self.hard_low:g} to {self.hard_high:g}"
        if (self.low, self.high) != (self.hard_low, self.hard_high):
            text += f" (the slider covers {self.low:g} to {self.high:g})"
        return text

    def check(self, where: str, value: Any) -> Any:
        """The value in its one canonical Python form, or a PlaygroundError that names ``where`` and the legal range."""
        checked = self._checked(value)
        if checked is None:
            raise PlaygroundError(f"{where} must be {self.range_text}; got {shortened(value)}.")
        return checked

    def _checked(self, value: Any) -> Any:
        """The canonical form, or None where the value is no such thing."""
        if self.kind == "number":
            return self._number(value)
        if self.kind == "choice":
            return value if isinstance(value, str) and value in dict(self.choices) else None
        return {"biases": _biases, "tokens": _tokens, "texts": _texts}[self.kind](value)

    def _number(self, value: Any) -> float | None:
        number = _finite(value)
        if number is None or not self.hard_low <= number <= self.hard_high:
            return None
        if self.integer:
            return int(number) if number == int(number) else None
        return number

    def to_json(self, value: Any) -> Any:
        """The value as JSON has it: a map, a list, a text or a number."""
        if self.kind == "biases":
            return {str(token_id): bias for token_id, bias in value}
        return list(value) if self.kind in {"tokens", "texts"} else value

    def to_text(self, value: Any) -> str:
        """The value in the alphabet of links: [a-z0-9_.-]; texts as the hexadecimal of their UTF-8."""
        if self.kind == "choice":
            return str(value)
        if self.kind == "texts":
            return "_".join(text.encode().hex() for text in value)
        numbers = {"biases": lambda: [number for pair in value for number in pair], "tokens": lambda: value}
        return "_".join(_short(number) for number in numbers.get(self.kind, lambda: [value])())

    def from_text(self, text: str) -> Any:
        """The reverse of ``to_text``; what cannot be read is left as text, for ``check`` to refuse with its message."""
        if self.kind == "number":
            return _read(text)
        parts = text.split("_") if text else []
        if self.kind == "biases" and len(parts) % 2 == 0:
            return dict(zip(parts[::2], map(_read, parts[1::2]), strict=True))
        if self.kind == "tokens":
            return [_token_id(part) for part in parts]
        if self.kind == "texts":
            try:
                return [bytes.fromhex(part).decode() for part in parts]
            except ValueError:
                return text
        return text


def param(
    default: float,
    low: float,
    high: float,
    step: float,
    *,
    label: str,
    help: str,
    unit: str = "",
    scale: str = "linear",
    integer: bool = False,
    hard_low: float | None = None,
    hard_high: float | None = None,
) -> Any:
    """A dataclass field holding a number, with its ``Param`` in the metadata."""
    hard_low, hard_high = low if hard_low is None else hard_low, high if hard_high is None else hard_high
    fact = Param(default, low, high, step, unit, help, scale, label, integer, "number", hard_low, hard_high)
    return dataclasses.field(default=default, metadata={"param": fact})


def last_n() -> Any:
    """The window that every penalty has."""
    help_text = "How many of the last tokens count, prompt included; 0 is the whole text."
    return param(0, 0, 4096, 1, label="Window", unit="tokens", help=help_text, integer=True, hard_high=10**7)


def whose_tokens() -> Any:
    """The flavour of the penalties that some engines take from the output alone."""
    return flavour(
        {
            "ours": "prompt and output count, as in llama.cpp and text-generation-webui",
            "vllm": "the output alone counts, as in vLLM and the OpenAI API",
        },
        "Whose tokens count.",
    )


def biases(*, label: str, help: str, unit: str) -> Any:
    """A dataclass field holding a map from token id to a number, kept as sorted pairs so that chains stay hashable."""
    fact = Param((), -100, 100, 0.1, unit, help, "linear", label, False, "biases", -math.inf, math.inf)
    return dataclasses.field(default=(), metadata={"param": fact})


def tokens(*, label: str, help: str) -> Any:
    """A dataclass field holding a list of token ids, kept as a sorted tuple without repetitions."""
    fact = Param((), 0, math.inf, 1, "", help, "linear", label, True, "tokens", 0, math.inf)
    return dataclasses.field(default=(), metadata={"param": fact})


def texts(*, label: str, help: str) -> Any:
    """A dataclass field holding a list of short texts, kept as a tuple in their order; ``bind`` resolves them."""
    fact = Param((), 0, math.inf, 1, "", help, "linear", label, False, "texts", 0, math.inf)
    return dataclasses.field(default=(), metadata={"param": fact})


def flavour(choices: dict[str, str], help: str = "Whose rule, where the engines differ.") -> Any:
    """A dataclass field that names whose rule a stage follows; the first choice is ours and the default.

    ``choices``: value to one line that says what is different. Rows of a batch with different flavours never share
    a pass, so ``apply`` sees one plain text.
    """
    return choice(choices, label="Flavour", help=help)


def choice(choices: dict[str, str], *, label: str, help: str) -> Any:
    """A dataclass field that holds one of a few words; ``choices``: value to what it means, the first the default."""
    fact = Param(next(iter(choices)), 0, 0, 1, "", help, "linear", label, False, "choice", 0, 0, tuple(choices.items()))
    return dataclasses.field(default=fact.default, metadata={"param": fact})


_BRIEF = reprlib.Repr()  # cuts while it writes: the whole text of what a stranger sent may not fit into memory
_BRIEF.maxstring = _BRIEF.maxother = _BRIEF.maxlong = 80
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = _BRIEF.maxset = 20
_BRIEF.maxlevel = 3


def shortened(value: Any) -> str:
    """A value as it may be repeated in a message: never a megabyte."""
    text = _BRIEF.repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a number too large"
    return text if len(text) <= 60 else text[:57] + "..."


def _finite(value: Any) -> float | None:
    """A finite float, or None. Booleans are not numbers here, although Python counts them as such."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value) + 0.0  # -0.0 becomes 0.0, so that equal settings are equal texts
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _biases(value: Any) -> tuple[tuple[int, float], ...] | None:
    """{"5": 1.5} or ((5, 1.5),) -> ((5, 1.5),) in order of token id, or None."""
    if isinstance(value, tuple):
        try:
            value = dict(value)
        except (TypeError, ValueError):
            return None
    if not isinstance(value, Mapping) or len(value) > MAX_BIASES:
        return None
    pairs: dict[int, float] = {}
    for key, bias in value.items():
        token_id, number = _token_id(key), _finite(bias)
        if token_id is None or number is None or token_id in pairs:
            return None
        pairs[token_id] = number
    return tuple(sorted(pairs.items()))


def _tokens(value: Any) -> tuple[int, ...] | None:
    """[7, 5, 7] -> (5, 7), or None."""
    if not isinstance(value, list | tuple) or len(value) > MAX_TOKENS:
        return None
    ids = [_token_id(one) if not isinstance(one, str) else None for one in value]
    return tuple(sorted({one for one in ids if one is not None})) if None not in ids else None


def _texts(value: Any) -> tuple[str, ...] | None:
    """A list of short texts as a tuple, or None. Unpaired surrogates are no text."""
    if not isinstance(value, list | tuple) or len(value) > MAX_TEXTS:
        return None
    good = all(isinstance(one, str) and 0 < len(one) <= MAX_TEXT_CHARS for one in value)
    if not good or any("\ud800" <= char <= "\udfff" for one in value for char in one):
        return None
    return tuple(dict.fromkeys(value))


def _token_id(key: Any) -> int | None:
    if isinstance(key, str):
        key = int(key) if key.isascii() and key.isdigit() and len(key) <= 10 else None
    return key if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < 2**31 else None


def _short(number: float) -> str:
    """The shortest text that reads back as the same number: 40, 0.05, 1e-05."""
    text = repr(number)
    return (text[:-2] if text.endswith(".0") else text).replace("+", "")


def _read(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
