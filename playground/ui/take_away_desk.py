"""Take away and bring back: the page's knobs as an engine's settings, and pasted settings as what the page can take.

Knows nothing about HTTP, components or any particular engine: checked JSON in, plain data out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from playground.engine import EngineHost
from playground.sampling import Chain, Param, Sampler
from playground.sampling.interop import TARGETS, Setup, Taken, export, parse
from playground.sampling.interop.guiding import to_json
from playground.settings import Settings
from playground.studies.inspect import Inspector
from playground.studies.strip import Strip, numbered
from playground.ui import asks
from playground.ui.session import Session

MODEL_IDS = {"SmolLM2-135M-Instruct": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""Where the default model's name is found on the hub."""
NUM_COPIES = 2
"""How often a stage can stand on the strip."""
MAX_SEED = 2**53 - 1


@dataclass(frozen=True)
class TakeAwayDesk:
    """What the section asks."""

    settings: Settings
    host: EngineHost
    inspector: Inspector

    def questions(self) -> dict[str, Callable[[Session, Any], Awaitable[dict[str, Any]]]]:
        """Each question by the name of its route."""
        return {"export": self.export, "import": self.read}

    async def export(self, session: Session, body: Any) -> dict[str, Any]:
        """The knobs as an engine's own settings."""
        model = self.host.engine.model.name if self.host.status.state == "ready" else ""
        limits = self.settings.max_prompt_chars, self.settings.max_tokens
        return await self.inspector.on_worker(lambda: export_view(body, *limits, model))

    async def read(self, session: Session, body: Any) -> dict[str, Any]:
        """What a pasted text of settings would set here."""
        size = self.inspector.vocabulary.size
        return await self.inspector.on_worker(lambda: import_view(body, size, self.settings.max_tokens))


def export_view(body: Any, max_prompt_chars: int, max_tokens: int, model: str) -> dict[str, Any]:
    """``{"target": "vllm", "strip": [...], "scale": 1.5, "prompt": ...}`` -> the text, and what to say beside it."""
    body = asks.mapping(body)
    stages = numbered(body["chain"]) if "chain" in body else body.get("strip", [])
    prompt = asks.text(body, "prompt")
    around: dict[str, Any] = {}
    if prompt:
        said = asks.prompt(body, max_prompt_chars)
        around = {"prompt": said.text, "negative": said.negative, "chat": said.chat, "system": said.system}
    setup = Setup(
        Strip.from_json(stages).chain,
        asks.guidance(body),
        seed=asks.whole(body, "seed", 0, 0, MAX_SEED),
        max_tokens=asks.whole(body, "max_tokens", 64, 1, max_tokens),
        stop=asks.stops(body),
        model=MODEL_IDS.get(model, model) or None,
        **around,
    )
    target = asks.text(body, "target") or next(iter(TARGETS))
    written = export(target, setup)
    return {
        "target": target,
        "title": TARGETS[target].title,
        "targets": [{"name": name, "title": one.title} for name, one in TARGETS.items()],
        "text": written.text,
        "language": written.language,
        "file_name": written.file_name,
        "losses": list(written.losses),
        "hints": list(written.hints),
    }


def import_view(body: Any, vocabulary_size: int, max_tokens: int) -> dict[str, Any]:
    """``{"text": pasted, "assume": false}`` -> what would be set here, in words and as the page's state; what not."""
    body = asks.mapping(body)
    taken = parse(asks.text(body, "text"), asks.flag(body, "assume"))
    ignored = list(taken.ignored)
    strip, words = _strip(taken.setup.chain, vocabulary_size, ignored)
    state: dict[str, Any] = {"strip": strip}
    setup = taken.setup
    if setup.guidance is not None:
        state |= {"scale": setup.guidance.scale, "guidance": to_json(setup.guidance)}
        words.append(f"Guidance: scale {setup.guidance.scale:g}")
    for name, value in setup.said.items():
        if name == "model":
            ignored.append(f"model {value[:60]}: the model is chosen when the page is started")
        elif name == "max_tokens" and value > max_tokens:
            ignored.append(f"length {value:,}: at most {max_tokens} here")
            state[name] = max_tokens
        else:
            state[name] = list(value) if isinstance(value, tuple) else value
            words.append(_said(name, value))
    return _answer(taken, state, words, ignored)


def _answer(taken: Taken, state: dict[str, Any], words: list[str], ignored: list[str]) -> dict[str, Any]:
    return {
        "target": taken.target,
        "title": taken.title,
        "state": state,
        "words": words,
        "ignored": ignored,
        "unsaid": list(taken.unsaid),
    }


def _strip(chain: Chain, vocabulary_size: int, ignored: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The chain as cards of the strip, at values their sliders can hold; what they cannot is said."""
    stages: list[dict[str, Any]] = []
    words: list[str] = []
    counts: dict[str, int] = {}
    for sampler in chain.samplers:
        number = counts[sampler.name] = counts.get(sampler.name, 0) + 1
        if number > NUM_COPIES:
            ignored.append(f"{sampler.title}: the strip has room for {NUM_COPIES} of a kind")
            continue
        values = {name: _held(sampler, name, fact, ignored) for name, fact in sampler.params().items()}
        values = {name: _known(sampler, value, vocabulary_size, ignored) for name, value in values.items()}
        copy = "" if number == 1 else f"--{number}"
        stages.append({"id": sampler.name + copy, "on": True, **values})
        facts = sampler.params()
        said = [
            (fact, values[name])
            for name, fact in facts.items()
            if fact.kind == "number" or values[name] != fact.default
        ]
        shown = ", ".join(_shown(value) for _, value in said if value not in ([], {}))
        words.append(f"{sampler.title} {shown}".strip())
    return stages, words


def _held(sampler: Sampler, name: str, fact: Param, ignored: list[str]) -> Any:
    """A value as the page's control can hold it: inside the slider, on one of its steps."""
    value = fact.to_json(getattr(sampler, name))
    if fact.kind != "number":
        return value
    steps = round((min(max(value, fact.low), fact.high) - fact.low) / fact.step)
    held = float(f"{min(fact.low + steps * fact.step, fact.high):.10g}")
    if abs(held - value) > 1e-9:
        ignored.append(f"{sampler.title}, {fact.label}: the slider takes {held:g} for {value:g}")
    return int(held) if fact.integer else held


def _known(sampler: Sampler, value: Any, vocabulary_size: int, ignored: list[str]) -> Any:
    """Biases and lists of tokens without those that this model has not."""
    if isinstance(value, dict):
        kept: Any = {key: bias for key, bias in value.items() if int(key) < vocabulary_size}
    elif isinstance(value, list) and all(isinstance(one, int) for one in value):
        kept = [token for token in value if token < vocabulary_size]
    else:
        return value
    if len(kept) < len(value):
        gone = len(value) - len(kept)
        ignored.append(f"{sampler.title}: {gone} token id(s) beyond this model's {vocabulary_size:,} tokens")
    return kept


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{len(value)} entries" if len(value) != 1 else "1 entry"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _said(name: str, value: Any) -> str:
    """One line of the preview: long texts by their beginning."""
    titles = {"max_tokens": "Length", "stop": "Stop strings", "chat": "Mode", "negative": "Negative prompt",
              "system": "System prompt"}  # fmt: skip
    if name == "chat":
        return "Mode: chat" if value else "Mode: completion"
    text = ", ".join(repr(one) for one in value) if isinstance(value, tuple) else str(value)
    return f"{titles.get(name, name.capitalize())}: {text if len(text) <= 80 else text[:77] + '...'}"
