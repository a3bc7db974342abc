"""Features: each on texts a person can check, their JSON, what strangers may send, and texts that make them raise."""

import json

import pytest

from playground.control.evaluation import Evaluator
from playground.control.features import COMBINATIONS, KINDS, feature, features, from_function
from playground.control.texts import Text, Tools, Unreadable
from playground.errors import PlaygroundError
from playground.studies.text_tools import text_tools

TOOLS = text_tools()


def value(given, text, num_tokens=0, bits=None):
    return feature(given, TOOLS).score([Text(text, num_tokens, bits)])[0]


@pytest.mark.parametrize(
    ("given", "text", "expected"),
    [
        ("amazing", "An Amazing film", 1),
        ("amazing", "an amazingly good film", 0),
        ({"feature": "contains", "text": "amazing", "whole_words": False}, "an amazingly good film", 1),
        ({"feature": "contains", "text": "Amazing", "match_case": True}, "an amazing film", 0),
        ({"feature": "contains", "text": "a.c"}, "abc", 0),
        ({"feature": "contains_any", "words": "cat, dog"}, "one dog", 1),
        ({"feature": "contains_any", "words": ["cat", "dog"]}, "one doge", 0),
        ({"feature": "regex", "pattern": r"\d{3}"}, "room 101", 1),
        ({"feature": "regex", "pattern": "^x"}, "ax", 0),
        ({"feature": "starts_with", "text": "the"}, "  The cat", 1),
        ({"feature": "ends_with", "text": "."}, "The cat. \n", 1),
        ({"feature": "num_characters"}, "four", 4),
        ({"feature": "first_of", "first": ["she", "her"], "second": ["he", "his"]}, "Then she saw him", 1),
        ({"feature": "first_of", "first": ["she", "her"], "second": ["he", "his"]}, "His mother said she", 0),
        ({"feature": "first_of", "first": ["she", "her"], "second": ["he", "his"]}, "They went", 0),
        ({"feature": "valid_json"}, ' {"a": [1, 2]}\n', 1),
        ({"feature": "valid_json"}, "NaN", 0),
        ({"feature": "valid_json"}, "{'a': 1}", 0),
        ({"feature": "valid_json"}, "[" * 50_000, 0),
        ({"feature": "valid_python"}, "def f(x):\n    return x + 1", 1),
        ({"feature": "valid_python"}, "def f(x) return", 0),
        ({"feature": "valid_python"}, "  ", 0),
        ({"feature": "valid_python"}, "(" * 1000, 0),
        ({"feature": "repetition", "size": 2}, "a b a b a b", 1 - 2 / 5),
        ({"feature": "repetition"}, "a b", 0),
        ({"feature": "sentiment"}, "the table is brown", 0),
        ({"feature": "readability"}, "The cat sat.", 206.835 - 1.015 * 3 - 84.6),
        ({"feature": "valid_json"}, "9" * 5_000, 1),
        ({"feature": "valid_json"}, '"\\ud800"', 1),
        ({"feature": "valid_json"}, "", 0),
        ({"feature": "valid_python"}, "x = '\0'", 0),
        ({"feature": "valid_python"}, "café = '\\d'", 1),
        ({"feature": "num_characters"}, "e\u0301 👨‍👩‍👧 🇫🇷 👍🏽", 7),
        ({"feature": "starts_with", "text": "É"}, " e\u0301t\u00e9", 1),
        ({"feature": "starts_with", "text": "e"}, "e\u0301t\u00e9", 0),
        ({"feature": "ends_with", "text": "STRASSE "}, "die Straße", 1),
        ("straße", "DIE STRASSE", 1),
        ("café", "a cafe\u0301!", 1),
        ("cafe", "a café", 0),
        ({"feature": "contains", "text": "cafe", "whole_words": False}, "a cafe\u0301", 0),
        ("don't", "I don’t", 1),
        ("the end", "the\n end", 1),
        ("amazing ", "amazing", 1),
        ("!", "wow!", 1),
        ("C++", "in C++", 1),
        ("猫", "我的猫很可爱", 1),
        ("AI", "我用AI写", 1),
        ("हिन्द", "हिन्दी में", 0),
        ("हिन्दी", "हिन्दी में", 1),
        ("😀", "hi😀there", 1),
        ("👍", "👍🏽!", 1),
        ("👩", "👩‍💻", 0),
        ("❤", "❤️", 1),
        ({"feature": "first_of", "first": ["New York"], "second": ["New"]}, "in new  york", 1),
        ({"feature": "first_of", "first": ["she"], "second": ["he"]}, "Then she’s home, he said", 1),
        ({"feature": "repetition", "size": 2}, "我我我", 0.5),
        ({"feature": "repetition", "size": 1}, "É e\u0301", 0.5),
        ({"feature": "readability"}, "Pi is 3.14.", 206.835 - 1.015 * 2 - 84.6),
        ({"feature": "not", "of": "amazing"}, "an amazing film", 0),
        ({"feature": "product", "of": ["cat", {"feature": "not", "of": "dog"}]}, "a cat", 1),
        ({"feature": "product", "of": ["cat", {"feature": "not", "of": "dog"}]}, "a cat, a dog", 0),
        ({"feature": "at_least", "of": {"feature": "num_characters"}, "value": 5}, "four", 0),
    ],
)
def test_worked_examples(given, text, expected):
    assert value(given, text) == pytest.approx(expected)


def test_tokens_surprisal_and_sentiment():
    assert value({"feature": "num_tokens"}, "a b", 2) == 2
    assert value({"feature": "mean_surprisal"}, "a b", 4, 10.0) == 2.5
    good, bad, flipped = (value({"feature": "sentiment"}, text) for text in
                          ("a wonderful, happy day", "a terrible, sad day", "it was not good"))
    assert bad < 0 < good <= 1 and -1 <= flipped < 0
    assert value({"feature": "sentiment"}, "a cake :)") > 0 < value({"feature": "sentiment"}, "cake😀")
    assert value({"feature": "sentiment"}, "don’t love it") < 0 == value({"feature": "sentiment"}, "")


def test_a_classifier_and_surprisal_receive_their_functions():
    tools = Tools(surprisal_bits=lambda texts: [8.0 for _ in texts],
                  classifier=lambda model, label: lambda texts: [len(model) / 10 for _ in texts])
    assert feature({"feature": "mean_surprisal"}, tools).score([Text("x", 2)]) == [4.0]
    assert feature({"feature": "classifier", "model": "some/id", "label": "yes"}, tools).score([Text("x")]) == [0.7]
    for given in ({"feature": "classifier", "model": "a", "label": "b"}, {"feature": "sentiment"},
                  {"feature": "regex", "pattern": "a"}):
        with pytest.raises(PlaygroundError, match=r"needs? "):
            feature(given, Tools())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_json_goes_round_and_every_entry_has_its_words(name):
    kind = KINDS[name]
    samples = {"text": "word", "words": ["one", "two"], "pattern": "a+", "first": ["she"], "second": ["he"],
               "model": "some/model", "label": "yes"}
    tools = Tools(TOOLS.compile_pattern, TOOLS.valences, None, lambda model, label: lambda texts: [0.0] * len(texts))
    given = {"feature": name} | {field.name: samples[field.name] for field in kind.fields if field.name in samples}
    one = feature(given, tools)
    assert feature(one.to_json(), tools).key == one.key
    assert one.label and kind.help.endswith(".") and kind.title and one.yes_no == kind.yes_no
    if one.yes_no:
        found = one.score([Text("one word"), Text(""), Text('{"she": 1}')])
        assert set(found) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (7, "A feature is an object"),
        ({"feature": "magic"}, "no feature 'magic'"),
        ({"feature": "contains"}, "text must be a text"),
        ({"feature": "contains", "text": ""}, "text of 1 to 300"),
        ({"feature": "contains", "text": "x" * 301}, "text of 1 to 300"),
        ({"feature": "contains", "text": "\ud800"}, "half of a character"),
        ({"feature": "contains", "text": "x", "whole_words": 1}, "true or false"),
        ({"feature": "contains", "text": "x", "colour": 1}, "has no 'colour'"),
        ({"feature": "contains_any", "words": []}, "list of 1 to 100"),
        ({"feature": "contains_any", "words": ["a", 1]}, "must be a text"),
        ({"feature": "regex", "pattern": "(a"}, "cannot be read"),
        ({"feature": "regex", "pattern": "(?=a)"}, "no look-around"),
        ({"feature": "regex", "pattern": "a{1000}{1000}"}, "cannot be read"),
        ({"feature": "repetition", "size": 0}, "from 1 to 10"),
        ({"feature": "repetition", "size": 1.5}, "whole number"),
        ({"feature": "repetition", "size": True}, "must be a number"),
        ({"feature": "first_of", "first": ["she"], "second": ["She"]}, "both sets"),
        ({"feature": "not"}, "one feature"),
        ({"feature": "not", "of": {"feature": "num_tokens"}}, "Only a yes/no feature"),
        ({"feature": "not", "of": ["a", "b"]}, "one feature"),
        ({"feature": "product", "of": ["a"] * 9}, "up to 8"),
        ({"feature": "at_least", "of": "a", "value": float("nan")}, "must be a number"),
        ({"feature": "not", "of": {"feature": "not", "of": {"feature": "not", "of": {"feature": "not", "of": {
            "feature": "not", "of": "a"}}}}}, "at most 4 deep"),
    ],
)
def test_what_strangers_send_is_refused_in_words(given, reason):
    with pytest.raises(PlaygroundError, match=reason):
        feature(given, TOOLS)


def test_lists_of_features():
    assert [one.label for one in features("amazing", TOOLS)] == ["contains “amazing”"]
    with pytest.raises(PlaygroundError, match="twice"):
        features(["a", {"feature": "contains", "text": "a"}], TOOLS)
    for nothing in ([], 5, None):
        with pytest.raises(PlaygroundError, match="must be a list"):
            features(nothing, TOOLS)
    assert set(COMBINATIONS).isdisjoint(KINDS)


def test_what_raises_on_one_text_ends_that_text_with_a_reason():
    def picky(text):
        if "bad" in text:
            raise ZeroDivisionError
        return len(text)

    asked = [from_function("picky", picky), feature({"feature": "readability"}, TOOLS), feature("good", TOOLS)]
    found = Evaluator().table(asked, [Text("good"), Text("bad"), Text("..."), Text("x" * 3)])
    assert found.reasons == {1: "picky: ZeroDivisionError", 2: "readability: Readability needs at least one word."}
    assert found.values[0].tolist()[0] == 4 and found.values[0, 2] == 1
    assert [bool(row) for row in (found.values != found.values).all(axis=1)] == [False, True, True, False]


def test_what_is_nested_too_deeply_is_left_out_with_a_reason():
    asked = [feature({"feature": name}, TOOLS) for name in ("valid_json", "valid_python")]
    for one, deep in zip(asked, ("[" * 50_000 + "]" * 50_000, "-" * 3_999 + "1"), strict=True):
        reasons = Evaluator().table([one], [Text("1"), Text(deep)]).reasons
        assert reasons == {1: f"{one.label}: It is nested too deeply to be read."}


def test_a_feature_that_cannot_be_had_leaves_out_no_text():
    def gone(texts):
        raise Unreadable("the model is gone")

    asked = feature({"feature": "classifier", "model": "a", "label": "b"}, Tools(classifier=lambda *_: gone))
    assert asked.readers == ("a",) and feature({"feature": "product", "of": ["x", asked.to_json()]},
                                               Tools(classifier=lambda *_: gone)).readers == ("a",)
    with pytest.raises(Unreadable, match="the model is gone"):
        Evaluator().table([asked], [Text("x"), Text("y")])


def test_every_distinct_text_is_scored_once():
    asked = []
    one = from_function("counted", lambda text: asked.append(text) or 1)
    evaluator = Evaluator()
    evaluator.table([one], [Text("a"), Text("a"), Text("b")])
    evaluator.table([one], [Text("b"), Text("c")])
    assert asked == ["a", "b", "c"]


def test_code_is_parsed_and_never_run(tmp_path):
    witness = tmp_path / "witness"
    assert value({"feature": "valid_python"}, f"open({str(witness)!r}, 'w')") == 1
    assert not witness.exists()
    long = Evaluator().table([feature({"feature": "valid_python"}, TOOLS)], [Text("x = 1\n" * 1000)])
    assert "at most 4,000 characters" in long.reasons[0]


def test_a_key_is_json():
    assert json.loads(feature("é", TOOLS).key)["text"] == "é"


def test_features_inside_features_are_counted():
    """Every one reads every text of a pool on the thread that draws everybody's pictures."""
    eight = [{"feature": "at_least", "value": number, "of": {"feature": "num_tokens"}} for number in range(8)]
    many = [{"feature": "product", "of": [{"feature": "product", "of": eight}] * 8}] * 2
    with pytest.raises(PlaygroundError, match="At most 64 features"):
        features(many, TOOLS)
    assert features(many[0], TOOLS)[0].yes_no


def test_own_functions_are_never_taken_for_one_another():
    """By the id of a function that was gone, another one got its answers."""
    evaluator = Evaluator()
    for number in range(50):
        own = from_function("length", lambda text, number=number: len(text) + number)
        assert evaluator.table([own], [Text("abc", 1, 0.0)]).values.tolist() == [[3.0 + number]]
        del own
