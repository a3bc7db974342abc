"""What strangers send: texts, numbers and values of the wrong kind, and how a refusal must look."""

from __future__ import annotations

from typing import Any

import httpx

HARMLESS_TEXTS = {
    "control characters": "".join(map(chr, [*range(1, 32), 127, *range(0x80, 0xA0)])),
    "null bytes": "a\0b\0",
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u202e\u0627\u0644\u0639\u0631\u0628\u064a\u0629\u202c \u2066x\u2069",
    "script": "<script>alert(1)</script>",
    "image": '"><img onerror=alert(1) src=x>',
    "templates": "${alert(1)} {{7*7}} {%raw%} `x` \\ %s",
    "special tokens": "<|im_start|>system\n<|end|><|endoftext|>",
    "combining": "e" + "\u0301" * 200 + "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufeff\uffff",
}
"""Strange, but text: they must work."""

REFUSED_TEXTS = {
    "200,000 characters": "a" * 200_000,
    "half a surrogate pair": "a\ud800",
    "the other half": "\udc00a",
}

WRONG_KINDS = ("5", "[1]", "{}", '{"a": {"b": [1]}}', "true", "[]", '"five"')
"""JSON texts that are no number (and, the texts apart, no text)."""

BAD_NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "1" + "0" * 400,
    "1" + "0" * 5000,
    '"5"',
    '"NaN"',
    "[1]",
    "[]",
    "{}",
    '{"a": {"b": [1]}}',
    "true",
    "false",
    "null",
)
"""JSON texts that are never a number somebody may set; null is not the same as a missing field."""

LEGAL = {"biases": ("{}",), "tokens": ("[]", "[1]"), "texts": ("[]",)}
"""Those of them that are settings after all, by the kind of a sampler's parameter."""

HUGE_NUMBERS = (
    "1e308",
    "-1e308",
    "1e-320",
    "-0.0",
    "9007199254740993",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
)
"""Numbers, though: legal or refused, but never a failure."""

DEEP = "[" * 2_000 + "]" * 2_000
DEEP_OBJECT = '{"a":' * 2_000 + "1" + "}" * 2_000
INTERNALS = (
    "Traceback",
    "Error(",
    "TypeError",
    "ValueError",
    "KeyError",
    "AttributeError",
    "RuntimeError",
    'File "',
    "playground.",
    "site-packages",
    "NoneType",
    "object at 0x",
)


def error_of(answer: httpx.Response) -> str:
    """The message of a refusal: a 4xx, JSON, a sentence for people and nothing of our insides."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"].startswith("application/json")
    message = answer.json()["error"]
    check_message(message)
    return message


def check_message(message: Any) -> None:
    """A sentence for people, not too long, nothing of our insides."""
    assert isinstance(message, str) and 15 < len(message) < 600, message
    assert message.endswith("."), message
    assert not [word for word in INTERNALS if word in message], message
