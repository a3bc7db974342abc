"""Laws of the features on any text: a number or a reason, whatever the case, the spelling of accents, the script."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.control.evaluation import Evaluator
from playground.control.features import KINDS, feature
from playground.control.texts import Text, Tools
from playground.control.words import Phrases, folded, num_characters, places, words_of
from playground.studies.text_tools import text_tools

TOOLS = Tools(
    text_tools().compile_pattern, text_tools().valences, None,
    lambda model, label: lambda texts: [len(text.text) / (1 + len(text.text)) for text in texts],
)  # fmt: skip
SAMPLES: dict[str, Any] = {
    "text": "é", "words": ["Ab c", "猫", "!"], "pattern": "(a|é)+$", "first": ["she", "é"], "second": ["he", "猫"],
    "model": "some/model", "label": "yes",
}  # fmt: skip
ALL = [
    {"feature": name} | {field.name: SAMPLES[field.name] for field in kind.fields if field.name in SAMPLES}
    for name, kind in KINDS.items()
]
ANY = st.text(st.characters(), max_size=40)
"""Unpaired surrogates and null characters included."""
TELLING = st.text("aAbeéÉ\u0301ßSs猫かไทยहिन्दी 👍🏽\u200d👩💻🇫🇷'’.,!?\n\0[]{}()\"1\ud800", max_size=24)


@settings(max_examples=60, deadline=None)
@given(st.one_of(ANY, TELLING))
def test_every_feature_answers_a_number_or_a_reason(text: str) -> None:
    asked = [feature(one, TOOLS) for one in ALL]
    asked += [feature({"feature": "product", "of": ALL[:4]}, TOOLS), feature({"feature": "not", "of": ALL[0]}, TOOLS)]
    for one in asked:
        found = Evaluator().table([one], [Text(text, 3, 5.0)])
        value = float(found.values[0, 0])
        assert bool(found.reasons) != math.isfinite(value), one.label
        assert not one.yes_no or found.reasons or value in (0.0, 1.0), one.label
        assert all(0 <= start < end <= len(text) for start, end in one.spans(text)), one.label


@settings(max_examples=60, deadline=None)
@given(TELLING, st.text("aAbeéßs猫ไ👍 '", min_size=1, max_size=3))
def test_case_and_the_spelling_of_accents_change_nothing(text: str, wanted: str) -> None:
    for spelling in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)):
        assert num_characters(spelling) == num_characters(text) and words_of(spelling) == words_of(text)
        for name in ("contains", "starts_with", "ends_with"):
            if wanted.strip():
                one = feature({"feature": name, "text": wanted}, TOOLS)
                other = feature({"feature": name, "text": unicodedata.normalize("NFD", wanted)}, TOOLS)
                assert one.score([Text(spelling)]) == other.score([Text(text)]) == one.score([Text(text.swapcase())])


@settings(max_examples=80, deadline=None)
@given(TELLING, st.lists(st.text("abeés猫 👍!", min_size=1, max_size=3), min_size=1, max_size=4), st.booleans())
def test_phrases_are_found_where_they_are(text: str, wanted: list[str], match_case: bool) -> None:
    whole, part = (Phrases.of(wanted, whole_words, match_case) for whole_words in (True, False))
    stripped = Phrases.of([one.strip() for one in wanted], False, match_case)
    assert not whole.are_in(text) or stripped.are_in(text), "a whole word is a part"
    for phrases in (whole, part):
        found = [text[start:end] for start, end in phrases.spans(text)]
        assert bool(found) == phrases.are_in(text)
        known = {" ".join(folded(one, match_case).split()) for one in wanted}
        said = [" ".join(folded(one, match_case).split()) for one in found]
        # ß is ss without case, so that "s" is found in it, and nothing less than the whole letter can be marked
        assert all(one in known or any(part in one for part in known if "ß" in text) for one in said)
    assert len(places(text, match_case)) == len(folded(text, match_case)) + 1


@given(st.text("ab '!", max_size=20), st.lists(st.text("ab'! ", min_size=1, max_size=3), min_size=1, max_size=4))
def test_plain_letters_are_searched_as_all_are(text: str, wanted: list[str]) -> None:
    """The short cut for ASCII finds what the search for any script finds."""
    phrases = Phrases.of(wanted)
    assert bool(phrases.in_ascii.search(text)) == bool(phrases.pattern.search(text))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("", 0), ("a\r\nb", 3), ("e\u0301", 1), ("한국", 2), ("한", 1), ("नी", 1)),
        *(("🇩🇪🇫🇷", 2), ("👨\u200d👩\u200d👧\u200d👦", 1), ("1\ufe0f\u20e3", 1), ("❤\ufe0f\u200d🔥", 1), ("👍🏽", 1)),
    ],
)
def test_characters_as_people_count_them(text: str, number: int) -> None:
    assert num_characters(text) == number


def test_words_of_several_scripts() -> None:
    text = "It’s the NAÏVE हिन्दी; 我的猫, __a don't. 123 …"
    assert words_of(text) == ["it's", "the", folded("naïve"), folded("हिन्दी"), "我", "的", "猫", "__a", "don't", "123"]
    assert words_of("") == [] == words_of("… — 👍")


LONG = ("a", "a ", "é", "é\u0301", "'", "👩\u200d", " ", ".", '."', "[", "{\"a\":")


@pytest.mark.parametrize("unit", LONG)
def test_long_texts_are_read_in_no_time_to_speak_of(unit: str) -> None:
    """Linear in the text: 100,000 characters of the worst kinds; a square would take minutes."""
    text = unit * (100_000 // len(unit)) + "x"
    for one in [*ALL, {"feature": "contains", "text": " y ", "whole_words": False}]:
        Evaluator().table([feature(one, TOOLS)], [Text(text, 3, 5.0)])
