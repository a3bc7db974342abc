"""Where features find what they look for: code points, folded letters, several parts; in whole texts, nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.control.features import feature
from playground.control.spans import MAX_SPANS
from playground.control.texts import Text
from playground.studies.text_tools import text_tools

TOOLS = text_tools()


def words(asked: dict[str, Any], text: str) -> list[str]:
    return [text[start:end] for start, end in feature(asked, TOOLS).spans(text)]


@pytest.mark.parametrize(
    ("asked", "text", "found"),
    [
        ({"feature": "contains", "text": "moon"}, "Moon, moonlight, 🌙 MOON", ["Moon", "MOON"]),
        ({"feature": "contains", "text": "oo", "whole_words": False}, "moon 🌙 boo", ["oo", "oo"]),
        ({"feature": "contains_any", "words": "sun, moon"}, "🌙 moon or sun", ["moon", "sun"]),
        ({"feature": "regex", "pattern": "[0-9]+|é"}, "𝒳é 12 and 345", ["é", "12", "345"]),
        ({"feature": "regex", "pattern": "x*"}, "aaa", []),
        ({"feature": "starts_with", "text": "straSSe"}, "  Straße und Strasse", ["Straße"]),
        ({"feature": "starts_with", "text": "moon"}, "the moon", []),
        ({"feature": "ends_with", "text": "SS."}, "Spaß.\n", ["ß."]),
        ({"feature": "ends_with", "text": "a text longer than this"}, "this", []),
        ({"feature": "first_of", "first": "she, her", "second": "he, his"}, "Then he saw her.", ["he"]),
        ({"feature": "not", "of": {"feature": "contains", "text": "moon"}}, "a moon", ["moon"]),
        ({"feature": "product", "of": ["sun", "moon"]}, "moon, sun, moon", ["moon", "sun", "moon"]),
        ({"feature": "num_characters"}, "moon", []),
    ],
)
def test_what_is_found(asked: dict[str, Any], text: str, found: list[str]) -> None:
    assert words(asked, text) == found


@given(st.text(alphabet="aß sSİ🌙\u0301.", max_size=12), st.text(alphabet="aß sSİ🌙\u0301.", min_size=1, max_size=4))
def test_a_text_has_a_span_exactly_where_the_feature_holds(text: str, wanted: str) -> None:
    if not wanted.strip():
        return
    for name in ("contains", "starts_with", "ends_with"):
        one = feature({"feature": name, "text": wanted}, TOOLS)
        spans = one.spans(text)
        assert bool(spans) == bool(one.score([Text(text)])[0])
        assert all(0 <= start < end <= len(text) for start, end in spans)


def test_a_pattern_that_matches_everything_marks_no_more_than_anybody_looks_at() -> None:
    assert len(words({"feature": "regex", "pattern": "."}, "a" * 5_000)) == MAX_SPANS
