"""OpenAI-style JSON: the body of /v1/chat/completions, or of /v1/completions.

Knows nothing about other targets. What the service itself does with the numbers is not public.
"""

from __future__ import annotations

from typing import Any

from playground.sampling.interop.json_target import JsonTarget, messages
from playground.sampling.interop.ordering import Unknown
from playground.sampling.interop.special import Biases
from playground.sampling.interop.stages import OUTPUT_PENALTIES, Number, Stage
from playground.sampling.interop.values import Notes, Setup

MAX_STOPS = 4


class OpenAi(JsonTarget):
    """Four sampling numbers and a bias; many other servers take the same body and more."""

    name = "openai"
    title = "OpenAI-style JSON"
    who = "An OpenAI-style server"
    place = 30
    runs = "vLLM"  # the open server whose rules follow OpenAI's documentation; OpenAI's own are not public
    file_name = "openai.json"
    stages = (
        Biases("logit_bias", "map", limit=100.0),
        Stage("temperature", (Number("temperature", "temperature", low=0.0, high=2.0),), neutral=1.0),
        Stage("top_p", (Number("top_p", "top_p"),), neutral=1.0),
        *OUTPUT_PENALTIES,
    )
    order = Unknown()
    surroundings = {
        "seed": "seed",
        "max_completion_tokens": "max_tokens",
        "max_tokens": "max_tokens",
        "stop": "stop",
        "prompt": "prompt",
        "model": "model",
    }
    signature = frozenset({"messages", "max_completion_tokens", "response_format", "top_logprobs", "tools"})
    idle = {
        "n": "the page writes one text at a time",
        "stream": "the page always streams",
        "logprobs": "the page shows every probability",
        "top_logprobs": "the page shows every probability",
        "user": "it is about the account, not about sampling",
        "response_format": "grammars are not known here",
        "tools": "tools are not known here",
    }
    routes = ("/v1/chat/completions", "/v1/completions")

    def head(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        head: dict[str, Any] = {"model": setup.model or "model-name"}
        notes.hint("The Responses API of OpenAI takes temperature and top_p only: no penalties, seed, bias or stop.")
        if setup.chat:
            notes.hint("POST it to /v1/chat/completions.")
            return {**head, "messages": messages(setup)}
        notes.hint("POST it to /v1/completions.")
        return {**head, "prompt": setup.prompt or ""}

    def around(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        found = super().around(setup, notes)
        if not setup.chat and "max_completion_tokens" in found:
            found["max_tokens"] = found.pop("max_completion_tokens")
        if len(found.get("stop", ())) > MAX_STOPS:
            notes.lost(f"OpenAI takes {MAX_STOPS} stop strings; the rest is left out.")
            found["stop"] = found["stop"][:MAX_STOPS]
        return found
