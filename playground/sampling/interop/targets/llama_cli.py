"""llama.cpp's command line: llama-cli, llama-server and their kin take the same flags.

Knows nothing about other targets.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

from playground.sampling.interop import llama_cpp
from playground.sampling.interop.given import number_of
from playground.sampling.interop.pasted import Pasted
from playground.sampling.interop.target import Target
from playground.sampling.interop.values import Export, Notes, Setup, Taken

FLAGS = {
    "temperature": ("--temp", "--temperature"),
    "dynatemp_range": ("--dynatemp-range",),
    "dynatemp_exponent": ("--dynatemp-exp",),
    "top_k": ("--top-k",),
    "top_p": ("--top-p",),
    "min_p": ("--min-p",),
    "typical_p": ("--typical", "--typical-p"),
    "top_n_sigma": ("--top-nsigma", "--top-n-sigma"),
    "xtc_probability": ("--xtc-probability",),
    "xtc_threshold": ("--xtc-threshold",),
    "dry_multiplier": ("--dry-multiplier",),
    "dry_base": ("--dry-base",),
    "dry_allowed_length": ("--dry-allowed-length",),
    "dry_penalty_last_n": ("--dry-penalty-last-n",),
    "repeat_penalty": ("--repeat-penalty",),
    "repeat_last_n": ("--repeat-last-n",),
    "frequency_penalty": ("--frequency-penalty",),
    "presence_penalty": ("--presence-penalty",),
    "adaptive_target": ("--adaptive-target",),
    "adaptive_decay": ("--adaptive-decay",),
    "mirostat": ("--mirostat",),
    "mirostat_tau": ("--mirostat-ent",),
    "mirostat_eta": ("--mirostat-lr",),
    "samplers": ("--samplers", "--sampler-seq", "--sampling-seq"),
    "seed": ("-s", "--seed"),
    "n_predict": ("-n", "--predict", "--n-predict"),
    "prompt": ("-p", "--prompt"),
    "system": ("-sys", "--system-prompt"),
    "reverse_prompt": ("-r", "--reverse-prompt"),
    "model": ("-m", "--model"),
    "context": ("-c", "--ctx-size"),
    "threads": ("-t", "--threads"),
    "gpu_layers": ("-ngl", "--gpu-layers", "--n-gpu-layers"),
}
"""Each setting and its flags, the one that is written first."""
KEYS = {flag: key for key, flags in FLAGS.items() for flag in flags}
BREAKER, BIAS = "--dry-sequence-breaker", ("-l", "--logit-bias")
OUTSIDE = "it is about the program, not about sampling"


class LlamaCli(Target):
    """Flags; a bias and a breaker are flags that repeat."""

    name = "llama_cli"
    title = "llama.cpp command line"
    who = "llama.cpp"
    terse = True
    place = 50
    runs = "llama.cpp"
    language = "shell"
    file_name = "llama-cli.sh"
    stages = llama_cpp.STAGES
    order = llama_cpp.ORDER
    surroundings = {
        "seed": "seed", "n_predict": "max_tokens", "prompt": "prompt", "system": "system", "reverse_prompt": "stop",
    }  # fmt: skip
    idle = {"model": "the model is chosen when the page is started", "context": OUTSIDE, "threads": OUTSIDE,
            "gpu_layers": OUTSIDE}  # fmt: skip
    unguided = "has had no guidance since September 2024 (llama.cpp #9294)"

    def write(self, setup: Setup) -> Export:
        notes = Notes()
        chain = llama_cpp.without_the_replaced(setup.chain, self.engine, notes)
        values = self.settings(replace(setup, chain=chain), notes)
        llama_cpp.say_habits(chain.samplers, values, notes)
        lines = ["llama-cli -m model.gguf", *_prompt_flags(setup), *_flags(values)]
        if setup.seed is not None:
            lines.append(f"--seed {setup.seed % 2**32}")
            if setup.seed >= 2**32 - 1:
                notes.hint("llama.cpp's seeds have 32 bits: this one is cut.")
        if setup.max_tokens is not None:
            lines.append(f"--predict {setup.max_tokens}")
        for stop in setup.stop or ():
            lines.append(f"--reverse-prompt {shlex.quote(stop)}")
            notes.hint("--reverse-prompt hands the word back to you where a stop string would end the text.")
        text = " \\\n  ".join(lines) + "\n"
        return Export(text, self.language, self.file_name, tuple(notes.losses), tuple(notes.hints))

    def sees(self, pasted: Pasted) -> int:
        if pasted.is_curl or pasted.data is not None:
            return 0
        words = pasted.words
        if not words:
            return 0
        flags = sum(word.partition("=")[0] in KEYS or word in (BREAKER, *BIAS) for word in words)
        return 300 if flags and ("llama" in words[0] or words[0].startswith("-")) else 0

    def read(self, pasted: Pasted, assume: bool) -> Taken:
        values, ignored = _values(pasted.words)
        chat = {"chat": True} if values.get("system") else {"chat": False} if values.pop("completion", None) else {}
        return self.taken(llama_cpp.settled(values, ignored), assume, ignored, **chat)


def _prompt_flags(setup: Setup) -> list[str]:
    if setup.prompt is None:
        return []
    if not setup.chat:
        return ["-no-cnv", f"-p {shlex.quote(setup.prompt)}"]
    system = [f"-sys {shlex.quote(setup.system)}"] if setup.system else []
    return ["-cnv", *system, f"-p {shlex.quote(setup.prompt)}"]


def _flags(values: dict[str, Any]) -> list[str]:
    """One flag a line; breakers and biases one flag an entry."""
    lines = []
    for key, value in values.items():
        if key == "samplers":
            lines.append(f"--samplers {shlex.quote(';'.join(value))}")
        elif key == "dry_sequence_breakers":
            none = value == ["\ue000"]
            lines += [f"{BREAKER} none"] if none else [f"{BREAKER} {shlex.quote(_escaped(one))}" for one in value]
        elif key == "logit_bias":
            lines += [f"{BIAS[1]} {token_id}{_signed(bias)}" for token_id, bias in value]
        else:
            lines.append(f"{FLAGS[key][0]} {value}")
    return lines


def _values(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The flags of a command as llama-server's keys, and those that say nothing here."""
    values: dict[str, Any] = {}
    ignored: list[str] = []
    rest = iter(words if words[0].startswith("-") else words[1:])
    for word in rest:
        flag, equals, value = word.partition("=")
        key = KEYS.get(flag)
        if word in ("-no-cnv", "--no-conversation"):
            values["completion"] = True
        elif key is not None:
            value = value if equals else next(rest, "")
            is_text = key in ("prompt", "system", "samplers", "model")
            if key == "reverse_prompt":
                values.setdefault(key, []).append(value)
            else:
                values[key] = value if is_text else number_of(value)
        elif flag == BREAKER:
            value = value if equals else next(rest, "")
            found = values.setdefault("dry_sequence_breakers", [])
            found += [] if value == "none" else [_unescaped(value)]
        elif flag in BIAS:
            values.setdefault("logit_bias", []).append(_bias(value if equals else next(rest, "")))
        elif word not in ("-cnv", "--conversation"):
            ignored.append(f"{word[:60]}: not known here")
    return values, ignored


def _signed(bias: Any) -> str:
    """llama.cpp's own form: 15043+1, 15043-0.5; a ban is -inf."""
    return "-inf" if bias is False else f"{bias:+g}" if float(f"{bias:g}") == bias else f"{bias:+}"


def _bias(text: str) -> tuple[Any, Any]:
    for number, char in enumerate(text):
        if char in "+-" and number:
            amount = text[number:]
            return text[:number], False if amount.lower() in ("-inf", "-infinity") else number_of(amount)
    return text, None


def _escaped(text: str) -> str:
    """llama.cpp reads \\n and its like in a breaker."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')


def _unescaped(text: str) -> str:
    try:
        return str(json.loads('"' + text.replace('"', '\\"') + '"'))
    except ValueError:
        return text
