"""One frozen table of settings; the only reader (and, before anything heavy loads, writer) of the environment.

Knows nothing about what the settings are for. Precedence: command line, then environment, then default.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError

PREFIX = "PLAYGROUND_"


def setting(default: Any, meaning: str, choices: Sequence[str] | None = None, low: float | None = None) -> Any:
    """A field of Settings with the words ``--help`` and the README show."""
    return field(default=default, metadata={"meaning": meaning, "choices": choices, "low": low})


@dataclass(frozen=True)
class Settings:
    """Every setting of the program. The field ``max_tokens`` is ``--max-tokens`` and ``PLAYGROUND_MAX_TOKENS``."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in")
    port: int = setting(7860, "port to listen on", low=0)
    model: str = setting("default", "default, a hub id, a local folder (safetensors or GGUF) or a .gguf file")
    second_model: str = setting(
        "", "another model of the same vocabulary, as a branch of guidance: contrastive decoding"
    )
    third_model: str = setting("", "and a third one: proxy tuning takes a small tuned and a small untuned model")
    classifiers: str = setting(
        "", "classifiers that the control section offers as features: folders or hub ids, with commas between"
    )
    backend: str = setting(
        "transformers",
        "what runs the model; toy is a tiny deterministic one for tests and demos",
        choices=("transformers", "toy"),
    )
    device: str = setting("auto", "where the weights go: auto, cpu, cuda, cuda:1, ...")
    dtype: str = setting(
        "auto",
        "precision of the weights; auto is bfloat16 on a GPU and float32 on a CPU",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    cache_dir: str = setting("~/.cache/decoding-playground", "where the converted default model is kept")
    num_threads: int = setting(0, "torch threads of the engine; 0 leaves it to torch", low=0)
    max_lanes: int = setting(
        128, "texts served at once (guidance takes two each); bulk work, such as pools, has at most half", low=2
    )
    kv_budget_mb: int = setting(
        2048, "memory for keys and values of running requests, MiB; half of it at most for bulk work", low=1
    )
    store_budget_mb: int = setting(512, "memory for stored logits rows, MiB", low=1)
    max_queue: int = setting(256, "requests that may wait; more are refused", low=1)
    max_tokens: int = setting(1024, "longest generation a visitor may ask for, tokens", low=1)
    max_prompt_chars: int = setting(40_000, "longest prompt a visitor may send, characters", low=1)
    max_sessions: int = setting(300, "browser sessions kept at once; the least recently used goes first", low=1)
    offline: bool = setting(False, "never reach out to a model hub, not even for --model HUB_ID")

    @classmethod
    def read(cls, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
        """Settings from command-line arguments (without the program's name) and the environment.

        ``--help`` prints the table and exits. Raises PlaygroundError for a value that does not fit.
        """
        environment = os.environ if environment is None else environment
        parser = argparse.ArgumentParser(
            prog="python app.py",
            description="The Decoding Playground: see and steer how a language model picks its next token.",
            formatter_class=lambda prog: argparse.HelpFormatter(prog, 34, 110),
        )
        for spec in fields(cls):
            flag, variable = flag_of(spec.name), variable_of(spec.name)
            words = f"{spec.metadata['meaning']} [{variable}; default {spec.default}]".replace("%", "%%")
            shape: dict[str, Any] = (
                {"action": argparse.BooleanOptionalAction}
                if isinstance(spec.default, bool)
                else {"metavar": spec.name.upper()}
            )
            parser.add_argument(flag, dest=spec.name, default=None, help=words, **shape)
        given = vars(parser.parse_args(list(arguments)))
        values: dict[str, Any] = {}
        for spec in fields(cls):
            raw, where = given[spec.name], flag_of(spec.name)
            if raw is None and variable_of(spec.name) in environment:
                raw, where = environment[variable_of(spec.name)], variable_of(spec.name)
            values[spec.name] = spec.default if raw is None else _parse(raw, spec.default, spec.metadata, where)
        return cls(**values)

    @property
    def cache_path(self) -> Path:
        """The cache folder, with ``~`` expanded."""
        return Path(self.cache_dir).expanduser()

    @property
    def classifier_list(self) -> list[str]:
        """The classifiers one by one."""
        return [one for part in self.classifiers.split(",") if (one := part.strip())]


def flag_of(name: str) -> str:
    """The command-line flag of a setting."""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def table() -> list[tuple[str, str, str, str]]:
    """(flag, environment variable, default, meaning) of every setting, for the README."""
    return [(flag_of(s.name), variable_of(s.name), str(s.default), s.metadata["meaning"]) for s in fields(Settings)]


def prepare_process(settings: Settings, environment: Any = None) -> None:
    """Set what libraries read from the environment at import; call it before torch or gradio is imported.

    Gradio's start would call home and count runs; a second OpenMP team that spins while it waits would take a core
    from the engine (DESIGN §8); a proxy would catch the server's check of its own address.
    """
    environment = os.environ if environment is None else environment
    environment["GRADIO_ANALYTICS_ENABLED"] = "False"  # exactly this spelling: gradio compares the string
    environment["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
    environment["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000"
    environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    environment["NO_PROXY"] = ",".join(filter(None, [environment.get("NO_PROXY"), "localhost,127.0.0.1"]))
    names = {settings.model, settings.second_model, settings.third_model}
    hubless = names <= {"default", ""} or settings.backend == "toy"  # the default model needs no hub
    if settings.offline or (hubless and all(Path(one).expanduser().is_dir() for one in settings.classifier_list)):
        environment["HF_HUB_OFFLINE"] = "1"


def _parse(raw: Any, default: Any, metadata: Mapping[str, Any], where: str) -> Any:
    """``raw`` in the type of the default, or a PlaygroundError that names where it came from."""
    if isinstance(default, bool):
        if isinstance(raw, bool):
            return raw
        if str(raw).lower() in {"1", "true", "yes", "on", "0", "false", "no", "off", ""}:
            return str(raw).lower() in {"1", "true", "yes", "on"}
        raise PlaygroundError(f"{where}: {raw!r} is neither yes nor no.")
    if isinstance(default, int):
        try:
            value = int(raw)
        except ValueError:
            raise PlaygroundError(f"{where}: {raw!r} is not a whole number.") from None
        if metadata["low"] is not None and value < metadata["low"]:
            raise PlaygroundError(f"{where}: {value} is below {metadata['low']}.")
        return value
    if metadata["choices"] and raw not in metadata["choices"]:
        raise PlaygroundError(f"{where}: {raw!r} is not one of {', '.join(metadata['choices'])}.")
    return str(raw)
