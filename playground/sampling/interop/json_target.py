"""JsonTarget: a target whose settings are one JSON object.

Knows nothing about any particular engine.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.target import Target, known_keys
from playground.sampling.interop.values import Export, Notes, Setup, Taken

SIGN = 5  # how much more a key counts that only one target has


class JsonTarget(Target):
    """Keys on top, then the prompt; ``wrapper`` is a key whose object holds the settings (Ollama's ``options``)."""

    language = "json"
    routes: ClassVar[tuple[str, ...]] = ()  # parts of an address that only this engine answers

    def write(self, setup: Setup) -> Export:
        notes = Notes()
        values = {**self.head(setup, notes), **self.settings(setup, notes), **self.around(setup, notes)}
        return Export(as_json(values), self.language, self.file_name, tuple(notes.losses), tuple(notes.hints))

    def head(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        """What stands first: a model, a prompt."""
        return {}

    def around(self, setup: Setup, notes: Notes) -> dict[str, Any]:
        """Seed, length and stop strings under the engine's keys."""
        said = setup.said
        found: dict[str, Any] = {}
        for key, name in self.surroundings.items():
            if name in {"seed", "max_tokens", "stop"} and said.get(name) and name not in found.values():
                found[key] = name
                said.pop(name)
        return {key: _plain(getattr(setup, name)) for key, name in found.items()}

    def sees(self, pasted: Pasted) -> int:
        data = pasted.data
        if not isinstance(data, dict) or not self.owns(data):
            return 0
        sure = score(self, data)
        return sure + (100 if sure and any(route in pasted.url for route in self.routes) else 0)

    def owns(self, data: dict[str, Any]) -> bool:
        """Whether an object can be this engine's at all."""
        return True

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        data = dict(pasted.data)
        ignored: list[str] = []
        surroundings = from_messages(data, ignored)
        return self.taken(data, assume, ignored, **surroundings)


def score(target: Target, data: dict[str, Any]) -> int:
    """How many of an object's keys a target knows; those that no other has count more."""
    known = known_keys(target)
    return sum(SIGN if key in target.signature else 1 for key in data if key in known)


def as_json(values: dict[str, Any]) -> str:
    """One line a key: lists stay short to read."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").replace("\ue000", "\\ue000")  # that one is invisible


def messages(setup: Setup, negative: bool = False) -> list[dict[str, str]]:
    """The conversation of a chat: a system text where there is one, and one message of the user's."""
    system = setup.negative if negative and setup.negative else setup.system
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": setup.prompt or ""}]


def from_messages(data: dict[str, Any], ignored: list[str]) -> dict[str, Any]:
    """Take ``messages`` out of an object: system text and the last message of the user's."""
    found = data.pop("messages", None)
    if found is None:
        return {}
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        ignored.append("messages: it must be a list of objects with role and content")
        return {}
    texts = {"system": "", "user": ""}
    for one in found:
        role, content = one.get("role"), one.get("content")
        if isinstance(content, str) and role in texts:
            texts[role] = content
    if len(found) > (1 if not texts["system"] else 2):
        ignored.append(f"messages: of {len(found)} the system text and the user's last one are taken")
    return {"chat": True, "prompt": texts["user"], "system": texts["system"]}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
