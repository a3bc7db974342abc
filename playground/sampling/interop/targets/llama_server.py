"""llama-server: the JSON body of /completion, or of /v1/chat/completions.

Knows nothing about other targets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from playground.sampling.interop import llama_cpp
from playground.sampling.interop.json_target import JsonTarget, from_messages, messages
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.values import Notes, Setup, Taken


class LlamaServer(JsonTarget):
    """Always with ``samplers``, because the order of llama.cpp itself is another one."""

    name = "llama_server"
    title = "llama-server"
    place = 40
    runs = "llama.cpp"
    file_name = "llama-server.json"
    stages = llama_cpp.STAGES
    order = llama_cpp.ORDER
    surroundings = {
        "seed": "seed",
        "n_predict": "max_tokens",
        "max_tokens": "max_tokens",
        "max_completion_tokens": "max_tokens",
        "stop": "stop",
        "prompt": "prompt",
    }
    signature = frozenset(
        {
            "samplers",
            "n_predict",
            "repeat_last_n",
            "dry_penalty_last_n",
            "cache_prompt",
            "n_probs",
            "min_keep",
            "id_slot",
        }
    )
    idle = {
        "min_keep": "how many tokens a stage must leave is always 1 here",
        "n_keep": "it is about the context, not about sampling",
        "cache_prompt": "it is about speed, not about sampling",
        "id_slot": "it is about speed, not about sampling",
        "stream": "the page always streams",
        "n_probs": "the page shows every probability",
        "post_sampling_probs": "the page shows every probability",
        "model": "the model is chosen when the page is started",
        "grammar": "grammars are not known here",
        "json_schema": "grammars are not known here",
    }
    unguided = "has had no guidance since September 2024 (llama.cpp #9294)"
    routes = ("/completion", "/infill")

    def settings(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        chain = llama_cpp.without_the_replaced(setup.chain, self.title, notes)
        values = super().settings(replace(setup, chain=chain), notes)
        llama_cpp.say_habits(chain.samplers, values, notes)
        return values

    def head(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        if setup.chat:
            notes.hint("POST it to /v1/chat/completions.")
            return {"messages": messages(setup)}
        notes.hint("POST it to /completion.")
        return {} if setup.prompt is None else {"prompt": setup.prompt}

    def sees(self, pasted: Pasted) -> int:
        return 200 if llama_cpp.is_order(pasted) else super().sees(pasted)

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        if llama_cpp.is_order(pasted):  # names without numbers: those of llama.cpp itself
            return self.taken({"samplers": llama_cpp.order_of(pasted)}, assume=True)
        ignored: list[str] = []
        data = llama_cpp.settled(pasted.data, ignored)
        surroundings = from_messages(data, ignored)
        return self.taken(data, assume, ignored, **surroundings)
