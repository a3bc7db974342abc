"""Ollama: a Modelfile; its JSON API's ``options`` are read as well.

Knows nothing about other targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playground.sampling.interop.given import number_of
from playground.sampling.interop.ordering import Fixed
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.stages import Number, Stage
from playground.sampling.interop.swaps import swapped
from playground.sampling.interop.target import Target
from playground.sampling.interop.values import WHOLE_TEXT, Export, Notes, Setup, Taken

WINDOW = Number("repeat_last_n", "last_n", whole=WHOLE_TEXT, missing=64)
QUOTES = '"""'
OUTSIDE = "it is about the program, not about sampling"
APPLE = ("repetition_penalty", "frequency_penalty", "presence_penalty", "top_k", "temperature", "top_p", "min_p")
"""The order of Ollama's runner for Apple's MLX, which differs from that for GGUF files."""


class Ollama(Target):
    """The order is llama.cpp's; what Ollama has no parameter for is left out."""

    name = "ollama"
    title = "Ollama Modelfile"
    who = "Ollama"
    place = 60
    runs = "Ollama"
    language = "modelfile"
    file_name = "Modelfile"
    stages = (
        Stage("temperature", (Number("temperature", "temperature"),), neutral=1.0),
        Stage("top_k", (Number("top_k", "top_k"),), neutral=0, off_under=0),
        Stage("top_p", (Number("top_p", "top_p"),), neutral=1.0),
        Stage("min_p", (Number("min_p", "min_p"),), neutral=0.0),
        Stage("typical_p", (Number("typical_p", "typical_p"),), neutral=1.0),
        Stage("repetition_penalty", (Number("repeat_penalty", "penalty"), WINDOW), neutral=1.0),
        Stage("frequency_penalty", (Number("frequency_penalty", "penalty"), WINDOW), neutral=0.0),
        Stage("presence_penalty", (Number("presence_penalty", "penalty"), WINDOW), neutral=0.0),
    )
    order = Fixed("Ollama")
    surroundings = {"seed": "seed", "num_predict": "max_tokens", "stop": "stop", "system": "system", "prompt": "prompt"}
    idle = {
        "num_ctx": OUTSIDE,
        "num_gpu": OUTSIDE,
        "num_thread": OUTSIDE,
        "num_keep": OUTSIDE,
        "keep_alive": OUTSIDE,
        "stream": "the page always streams",
        "raw": OUTSIDE,
        "from": "the model is chosen when the page is started",
        "model": "the model is chosen when the page is started",
        "template": "the template is the model's own here",
        "tfs_z": "Ollama itself no longer runs it",
        "mirostat": "Ollama itself no longer runs it",
        "mirostat_tau": "Ollama itself no longer runs it",
        "mirostat_eta": "Ollama itself no longer runs it",
    }

    def write(self, setup: Setup) -> Export:
        notes = Notes()
        values = self.settings(setup, notes)
        if setup.seed is not None:
            values["seed"] = setup.seed
        if setup.max_tokens is not None:
            values["num_predict"] = setup.max_tokens
        lines = [f"FROM {_one_line(setup.model or 'model.gguf')}"]
        lines += [f"PARAMETER {key} {value}" for key, value in values.items()]
        lines += [f"PARAMETER stop {_quoted(stop, 'a stop string', notes)}" for stop in setup.stop or ()]
        if setup.chat and setup.system:
            lines.append(f"SYSTEM {_quoted(setup.system, 'the system text', notes)}")
        if setup.prompt:
            notes.hint("A Modelfile holds no prompt: ollama create it, then ollama run with your prompt.")
        self._say_runner(setup, notes)
        text = "\n".join(lines) + "\n"
        return Export(text, self.language, self.file_name, tuple(notes.losses), tuple(notes.hints))

    def sees(self, pasted: Pasted) -> int:
        data = pasted.data
        if isinstance(data, dict):
            return 150 if isinstance(data.get("options"), dict) else 0
        first = [line.split(maxsplit=1)[0].upper() for line in pasted.text.splitlines() if line.strip()]
        return 250 if "PARAMETER" in first else 100 if first[0] == "FROM" else 0

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        ignored: list[str] = []
        data = pasted.data
        if isinstance(data, dict):
            from playground.sampling.interop.json_target import from_messages

            body = {key: value for key, value in data.items() if key != "options"}
            around = from_messages(body, ignored)
            return self.taken(_plain({**body, **data["options"]}, ignored), assume, ignored, **around)
        return self.taken(_plain(_values(pasted.text, ignored), ignored), assume, ignored)

    def _say_runner(self, setup: Setup, notes: Notes) -> None:
        kept = [one for one in setup.chain.samplers if one.name in APPLE and not one.is_off]
        if swapped(kept, APPLE):
            notes.hint(
                "On Apple's MLX Ollama runs penalties, top-k, temperature, top-p, min-p in this order, which "
                "gives other numbers again."
            )


def _plain(values: dict[str, Any], ignored: list[str]) -> dict[str, Any]:
    """Windows as numbers: −1 is the whole context, 0 is none at all, which switches the penalties off."""
    if values.get("repeat_last_n") == -1:
        return {**values, "repeat_last_n": WHOLE_TEXT}
    if values.get("repeat_last_n") == 0:
        ignored.append("repeat_last_n 0: it switches Ollama's penalties off")
        off = {"repeat_last_n", "repeat_penalty", "frequency_penalty", "presence_penalty"}
        return {key: value for key, value in values.items() if key not in off}
    return values


def _values(text: str, ignored: list[str]) -> dict[str, Any]:
    """A Modelfile's instructions as keys; a text in three quotes goes on over lines."""
    values: dict[str, Any] = {}
    lines = iter(text.split("\n"))  # and at nothing else: a stop string may hold a line separator
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        command, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.count(QUOTES) == 1:
            rest = "\n".join([rest, *_until_quotes(lines)])
        if command.upper() == "PARAMETER":
            key, _, raw = rest.partition(" ")
            value = _unquoted(raw.strip())
            if key.lower() == "stop":
                values.setdefault("stop", []).append(value)
            else:
                values[key.lower()] = number_of(value)
        elif command.upper() in {"FROM", "SYSTEM", "TEMPLATE"}:
            values[command.lower()] = _unquoted(rest)
        else:
            ignored.append(f"{command[:40]}: it says nothing about sampling")
    return values


def _until_quotes(lines: Iterator[str]) -> Iterator[str]:
    """The lines up to the one that holds three quotes, or to the end."""
    for line in lines:
        yield line
        if QUOTES in line:
            return


def _quoted(text: str, what: str, notes: Notes) -> str:
    if QUOTES in text:
        notes.lost(f"A Modelfile cannot hold three quotes in a row; in {what} they became single ones.")
        text = text.replace(QUOTES, "'''")
    if text.endswith('"'):
        notes.lost(f"A Modelfile cannot hold a quotation mark at the end of {what}; a space stands behind it.")
    if text.endswith('"') or text.startswith('"') or "\n" in text:
        return f"{QUOTES}{text}{QUOTES}" if not text.endswith('"') else f"{QUOTES}{text} {QUOTES}"
    return f'"{text}"'


def _unquoted(text: str) -> str:
    for quotes in (QUOTES, '"'):
        if len(text) >= 2 * len(quotes) and text.startswith(quotes) and text.endswith(quotes):
            return text[len(quotes) : -len(quotes)]
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())
