"""The kinds of features: one entry each, with its words, its parameters and the function that makes its scores.

Knows nothing about pools, targets or JSON. A new feature is one new entry here; form, API and documentation follow.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from playground.control import spans
from playground.control.texts import Scores, Text, Tools, bounded
from playground.control.words import Phrases, begins, ends, folded, num_characters, num_syllables, words_of
from playground.errors import PlaygroundError

MAX_CODE_CHARS, MAX_JSON_CHARS, MAX_PATTERN_CHARS = 4_000, 100_000, 300
NEGATIONS = frozenset(
    (
        *("not", "no", "never", "none", "nothing", "hardly", "cannot", "without", "isn't", "wasn't", "aren't"),
        *("weren't", "don't", "doesn't", "didn't", "can't", "couldn't", "won't", "wouldn't", "shouldn't"),
    )
)
FLIPPED = -0.74
"""What a negation within three words makes of a valence (Hutto & Gilbert 2014)."""


@dataclass(frozen=True)
class Field:
    """One parameter of a kind, for checking and for the page's form."""

    name: str
    kind: Literal["text", "words", "whole", "number", "flag"]
    help: str
    default: Any = None
    """None: it must be given."""
    low: float = 0
    high: float = 0


@dataclass(frozen=True)
class Kind:
    """``make`` takes checked parameters and tools, and answers a function from texts to numbers."""

    name: str
    title: str
    help: str
    fields: tuple[Field, ...]
    yes_no: bool
    """Its values are 0 and 1: a target of 1 is a filter."""
    make: Callable[[Mapping[str, Any], Tools], Scores]
    unit: str = ""
    find: Callable[[Mapping[str, Any], Tools], spans.Finder] | None = None
    """Where it finds what it looks for; None: it reads the whole text."""
    reader: str = ""
    """The field that names the model which reads the texts; empty where none does, and reading takes no time."""


def each(score: Callable[[Text], float]) -> Scores:
    """Texts one by one."""
    return lambda texts: [float(score(text)) for text in texts]


def _contains(given: Mapping[str, Any], _: Tools) -> Scores:
    phrases = spans.phrases_of(given)
    return each(lambda text: phrases.are_in(text.text))


def _regex(given: Mapping[str, Any], tools: Tools) -> Scores:
    if tools.compile_pattern is None:
        raise PlaygroundError("Patterns need RE2; install google-re2, or use contains.")
    bounded(given["pattern"], MAX_PATTERN_CHARS, "A pattern")
    found = tools.compile_pattern(given["pattern"])
    return each(lambda text: found(text.text))


def _starts_with(given: Mapping[str, Any], _: Tools) -> Scores:
    start = given["text"].lstrip()
    return each(lambda text: begins(text.text.lstrip(), start) > 0)


def _ends_with(given: Mapping[str, Any], _: Tools) -> Scores:
    end = given["text"].rstrip()
    return each(lambda text: ends(text.text.rstrip(), end) > 0)


def _first_of(given: Mapping[str, Any], _: Tools) -> Scores:
    both = {folded(word.strip()) for word in given["first"]} & {folded(word.strip()) for word in given["second"]}
    if both:
        raise PlaygroundError("A word cannot be in both sets: which came first would be undecided.")
    first, second = Phrases.of(given["first"]), Phrases.of(given["second"])

    def score(text: Text) -> bool:
        found, other = first.first(text.text), second.first(text.text)
        return found is not None and (other is None or found < other)

    return each(score)


def _valid_json(_: Mapping[str, Any], __: Tools) -> Scores:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    def score(text: Text) -> bool:
        whole = bounded(text.text, MAX_JSON_CHARS, "Valid JSON")
        try:
            # numbers are not made: one of thousands of digits is JSON as well
            json.loads(whole, parse_constant=refuse, parse_int=len, parse_float=len)
        except ValueError:
            return False
        except RecursionError:
            if all(whole.count(pair[0]) == whole.count(pair[1]) for pair in ("[]", "{}")):
                raise PlaygroundError("It is nested too deeply to be read.") from None
            return False  # what is opened so often and not closed is none
        return True

    return each(score)


def _valid_python(_: Mapping[str, Any], __: Tools) -> Scores:
    # A strange escape in somebody's text is no news for the console. Once for all: catch_warnings knows no threads.
    warnings.filterwarnings("ignore", module="<unknown>")

    def score(text: Text) -> bool:
        code = bounded(text.text, MAX_CODE_CHARS, "Valid Python")
        if not code.strip():
            return False
        try:
            ast.parse(code)  # reads the grammar; nothing is compiled or run
        except (SyntaxError, ValueError):
            return False
        except (RecursionError, MemoryError):  # not of the machine: the parser's own limit
            raise PlaygroundError("It is nested too deeply to be read.") from None
        return True

    return each(score)


def _readability(_: Mapping[str, Any], __: Tools) -> Scores:
    def score(text: Text) -> float:
        words = [word for word in words_of(text.text) if any(char.isalpha() for char in word)]
        if not words:
            raise PlaygroundError("Readability needs at least one word.")
        sentences = max(1, _num_sentences(text.text))
        return 206.835 - 1.015 * len(words) / sentences - 84.6 * sum(map(num_syllables, words)) / len(words)

    return each(score)


def _num_sentences(text: str) -> int:
    """What ends with a mark before a space: 3.14 ends none."""
    parts = re.split(r"(?<=[.!?…])(?=[\"'”’»)\]]*(?:\s|$))|(?<=[。！？])", text)
    return sum(any(map(str.isalnum, part)) for part in parts)


def _repetition(given: Mapping[str, Any], _: Tools) -> Scores:
    size = given["size"]

    def score(text: Text) -> float:
        words = words_of(text.text)
        grams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
        return 1 - len(set(grams)) / len(grams) if grams else 0.0

    return each(score)


def _sentiment(_: Mapping[str, Any], tools: Tools) -> Scores:
    if tools.valences is None:
        raise PlaygroundError("Sentiment needs a lexicon; hand one in, or install vaderSentiment.")
    valences = tools.valences

    def score(text: Text) -> float:
        words, total = _felt(text.text, valences), 0.0
        for at, word in enumerate(words):
            flipped = any(before in NEGATIONS for before in words[max(0, at - 3) : at])
            total += valences.get(word, 0.0) * (FLIPPED if flipped else 1.0)
        return total / math.sqrt(total * total + 15)

    return each(score)


def _felt(text: str, valences: Mapping[str, float]) -> list[str]:
    """Words, and what stands for one: emoticons as they are between spaces, emoji wherever they are."""
    felt: list[str] = []
    for chunk in text.lower().split():
        if chunk in valences:
            felt.append(chunk)
        else:
            felt += words_of(chunk) + [sign for sign in chunk if not sign.isalnum() and sign in valences]
    return felt


def _mean_surprisal(_: Mapping[str, Any], tools: Tools) -> Scores:
    bits = tools.surprisal_bits or _own_bits
    return lambda texts: [
        value / max(1, text.num_tokens) for value, text in zip(bits(texts), texts, strict=True)
    ]


def _own_bits(texts: Sequence[Text]) -> list[float]:
    bits = [text.surprisal_bits for text in texts]
    known = [value for value in bits if value is not None]
    if len(known) < len(bits):
        raise PlaygroundError("Nobody has scored this text with a model; hand in a scoring function.")
    return known


def _classifier(given: Mapping[str, Any], tools: Tools) -> Scores:
    if tools.classifier is None:
        raise PlaygroundError(
            "A classifier needs a scoring function from a model; here there is none: it is for scripts (pg.Study), and "
            "for a page whose host has named some."
        )
    return tools.classifier(given["model"], given["label"])


WHOLE_WORDS = Field("whole_words", "flag", "not as a part of a longer word", True)
MATCH_CASE = Field("match_case", "flag", "capital letters count", False)
TEXT = Field("text", "text", "a word or phrase")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("contains", "contains", "1 where the word or phrase occurs.", (TEXT, WHOLE_WORDS, MATCH_CASE), True,
             _contains, find=spans.literal),
        Kind("contains_any", "contains any of", "1 where one of the words or phrases occurs.",
             (Field("words", "words", "words or phrases"), WHOLE_WORDS, MATCH_CASE), True, _contains,
             find=spans.literal),
        Kind("regex", "matches pattern", "1 where the pattern (RE2) is found anywhere.",
             (Field("pattern", "text", "RE2 syntax: no look-around, no back-references"),), True, _regex,
             find=spans.pattern),
        Kind("starts_with", "starts with", "1 where the text begins so, spaces and case aside.", (TEXT,), True,
             _starts_with, find=spans.start),
        Kind("ends_with", "ends with", "1 where the text ends so, spaces and case aside.", (TEXT,), True, _ends_with,
             find=spans.end),
        Kind("num_tokens", "length in tokens", "Tokens written, the end token counted once.", (), False,
             lambda given, tools: each(lambda text: text.num_tokens), "tokens"),
        Kind("num_characters", "length in characters", "Characters written; an accented letter or an emoji is one.", (),
             False, lambda given, tools: each(lambda text: num_characters(text.text)), "characters"),
        Kind("first_of", "first of two sets", "1 where a word of the first set comes before any of the second.",
             (Field("first", "words", "e.g. she, her"), Field("second", "words", "e.g. he, his")), True, _first_of,
             find=spans.first_word),
        Kind("valid_json", "valid JSON", "1 where the whole text is JSON.", (), True, _valid_json),
        Kind("valid_python", "valid Python", "1 where the text parses as Python; it is never run.", (), True,
             _valid_python),
        Kind("readability", "readability", "Flesch reading ease of English: about 0 (hard) to 100 (easy).", (), False,
             _readability),
        Kind("repetition", "repetition", "Share of word sequences of this length that stood there before.",
             (Field("size", "whole", "words in a sequence", 3, 1, 10),), False, _repetition),
        Kind("sentiment", "sentiment", "-1 (unpleasant) to 1 (pleasant) by the VADER lexicon: English words, emoji.",
             (), False, _sentiment),
        Kind("mean_surprisal", "mean surprisal", "How unexpected the text is to the model, per token.", (), False,
             _mean_surprisal, "bits"),
        Kind("classifier", "classifier", "Probability of a label under a classifier model.",
             (Field("model", "text", "hub id or folder; on a page one that its host named"),
              Field("label", "text", "one of its labels")), False, _classifier, reader="model"),
    )
}
