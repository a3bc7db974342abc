"""Stages whose form in an engine is not one key a parameter: biases and bans, half-width temperatures, mirostat.

Knows nothing about any particular engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playground.sampling.interop.given import Given, is_number
from playground.sampling.interop.stages import built, put
from playground.sampling.interop.values import Notes
from playground.sampling.param import MAX_BIASES, shortened
from playground.sampling.registry import SAMPLERS
from playground.sampling.sampler import Sampler

BAN = -100.0
"""What an engine without bans gets: a bias that leaves e⁻¹⁰⁰ of a token."""


@dataclass(frozen=True)
class Biases:
    """``logit_bias`` and ``token_ban`` under one key: ``form`` "map" {"5": 1.5}, "pairs" [[5, 1.5]] or
    "sequences" {(5,): 1.5}; where ``bans`` a bias of false forbids, else −100 stands for it (None: only biases)."""

    key: str = "logit_bias"
    form: str = "map"
    limit: float = 1e30
    bans: bool | None = False

    @property
    def names(self) -> tuple[str, ...]:
        return ("logit_bias",) if self.bans is None else ("logit_bias", "token_ban")

    def write(self, sampler: Sampler, values: dict[str, Any], title: str, notes: Notes) -> None:
        found: dict[int, Any] = values.get(self.key, {})
        if sampler.name == "token_ban":
            found |= dict.fromkeys(sampler.tokens, False if self.bans else BAN)  # type: ignore[attr-defined]
            if not self.bans:
                notes.lost(f"{title} has no ban by token id: a bias of {BAN:g} stands for it.")
        else:
            for token_id, bias in sampler.bias:  # type: ignore[attr-defined]
                held = min(max(bias, -self.limit), self.limit)
                if held != bias:
                    notes.lost(f"{title} holds biases within ±{self.limit:g}: token {token_id}'s {bias:g} is cut.")
                if token_id in found:
                    notes.lost(f"Token {token_id} has a bias and a ban; {title} takes one of them.")
                found.setdefault(token_id, held)
        values[self.key] = found
        notes.hint("Token ids are those of this model; another model's tokens have other ids.")

    def silence(self, values: dict[str, Any]) -> None:
        if self.key in values:
            values[self.key] = _formed(values[self.key], self.form)

    def read(self, given: Given) -> list[Sampler]:
        raw = given.take(self.key)
        if not raw:
            return []
        pairs = _pairs(raw)
        if pairs is None:
            given.ignored.append(f"{self.key} = {shortened(raw)}: it must be token ids with a number each")
            return []
        found, banned = {}, []
        for key, bias in pairs:
            token_id = _token_id(key)
            if token_id is None:
                given.ignored.append(f"{self.key}: {shortened(key)} is no token id")
            elif bias is False:
                banned.append(token_id)
            elif is_number(bias):
                found[str(token_id)] = bias
            else:
                given.ignored.append(f"{self.key}: {shortened(bias)} is no number")
        samplers = built("logit_bias", {"bias": found}, self.key, given) if found else []
        if banned and "token_ban" in SAMPLERS:
            samplers += built("token_ban", {"tokens": sorted(set(banned))}, self.key, given)
        return samplers


@dataclass(frozen=True)
class HalfWidth:
    """Dynamic temperature as a middle and a half-width around it (llama.cpp, KoboldCpp), in temperature's own keys."""

    names = ("dynamic_temperature",)

    def write(self, sampler: Any, values: dict[str, Any], title: str, notes: Notes) -> None:
        low, high = sampler.low, sampler.high
        if high <= low:
            what = "a plain temperature there" if high == low else "nothing there: the lower one must come first"
            notes.lost(f"{sampler.title} from {low:g} to {high:g} is {what}.")
            high = low
        put(values, "temperature", _round((low + high) / 2), sampler, notes)
        put(values, "dynatemp_range", _round((high - low) / 2), sampler, notes)
        put(values, "dynatemp_exponent", sampler.exponent, sampler, notes)

    def silence(self, values: dict[str, Any]) -> None:
        values.setdefault("dynatemp_range", 0.0)

    def read(self, given: Given) -> list[Sampler]:
        width, exponent = given.number("dynatemp_range"), given.number("dynatemp_exponent")
        if not width or width < 0 or "dynamic_temperature" not in SAMPLERS:
            return []
        middle = given.number("temperature")
        middle = 1.0 if middle is None else middle
        low, high = _round(max(0.0, middle - width)), _round(middle + width)
        params = {"low": low, "high": high, "exponent": 1.0 if exponent is None else exponent}
        return built("dynamic_temperature", params, "dynatemp_range", given)


@dataclass(frozen=True)
class Mirostat:
    """Both versions under a mode, with their target and rate; ``modes`` are those the engine runs."""

    mode: str = "mirostat"
    tau: str = "mirostat_tau"
    eta: str = "mirostat_eta"
    m: int = 100
    modes: tuple[int, ...] = (1, 2)

    names = ("mirostat", "mirostat_v2")

    def write(self, sampler: Any, values: dict[str, Any], title: str, notes: Notes) -> None:
        number = self.names.index(sampler.name) + 1
        if number not in self.modes:
            notes.lost(f"{title} has no {sampler.title}; it is left out.")
            return
        values[self.mode] = number
        values[self.tau], values[self.eta] = sampler.tau, sampler.eta
        if getattr(sampler, "m", self.m) != self.m:
            notes.lost(f"{title} has m = {self.m} built in: {sampler.title}'s {sampler.m} is left out.")

    def silence(self, values: dict[str, Any]) -> None:
        values.setdefault(self.mode, 0)

    def read(self, given: Given) -> list[Sampler]:
        mode, tau, eta = given.number(self.mode), given.number(self.tau), given.number(self.eta)
        if mode not in (1, 2):
            return []
        name = self.names[int(mode) - 1]
        if name not in SAMPLERS or mode not in self.modes:
            given.ignored.append(f"{self.mode} = {mode:g}: it is not known here")
            return []
        params = {"tau": 5.0 if tau is None else tau, "eta": 0.1 if eta is None else eta}
        if mode == 1:
            params["m"] = self.m
        return built(name, params, self.mode, given)


def _formed(found: dict[int, Any], form: str) -> Any:
    if form == "pairs":
        return [list(pair) for pair in found.items()]
    return {(token_id,) if form == "sequences" else str(token_id): bias for token_id, bias in found.items()}


def _pairs(raw: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(raw, dict):
        found = list(raw.items())
    elif isinstance(raw, list) and all(isinstance(one, list | tuple) and len(one) == 2 for one in raw):
        found = [(one[0], one[1]) for one in raw]
    else:
        return None
    return found if len(found) <= MAX_BIASES else None


def _token_id(key: Any) -> int | None:
    if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) <= 10:
        key = int(key)
    if isinstance(key, tuple | list) and len(key) == 1:
        key = key[0]  # transformers' sequences of one
    return key if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < 2**31 else None


def _round(value: float) -> float:
    return float(f"{value:.15g}")


@dataclass(frozen=True)
class Bans:
    """``token_ban`` as a plain list of token ids."""

    key: str

    names = ("token_ban",)

    def write(self, sampler: Any, values: dict[str, Any], title: str, notes: Notes) -> None:
        values[self.key] = list(sampler.tokens)

    def silence(self, values: dict[str, Any]) -> None:
        """Nothing is written where nothing is banned."""

    def read(self, given: Given) -> list[Sampler]:
        tokens = given.take(self.key)
        return built("token_ban", {"tokens": tokens}, self.key, given) if tokens else []
