"""The parts of the README that are made from the code. Run ``python -m tests.docs`` to write them anew."""

from __future__ import annotations

import json

from playground import settings
from playground.control.kinds import KINDS, Field
from playground.sampling import PRESETS, SAMPLERS, Param, Sampler, orders
from tests.trees import ROOT

README = ROOT / "README.md"


def settings_table() -> str:
    """Every setting of the program."""
    rows = [(f"`{flag}`", f"`{variable}`", f"`{default}`", meaning)
            for flag, variable, default, meaning in settings.table()]
    return _table(("Flag", "Environment variable", "Default", "Meaning"), rows)


def samplers_table() -> str:
    """Every sampler, in the order of the slots."""
    rows = [(f"**{kind.title}** `{kind.name}`", f"{kind.summary}<br>`{kind.formula}`", _parameters(kind), _off(kind),
             ", ".join(orders.engines_with(kind.name)) or "none of the seven", kind.source)
            for kind in SAMPLERS.values()]
    return _table(("Sampler", "What it does", "Parameters", "Off", "Engines that have it", "Source"), rows)


def flavours_table() -> str:
    """Where engines differ under one name: each flavour of each sampler, ours first."""
    rows = [(kind.title if number == 0 else "", f"`{value}`", meaning)
            for kind in SAMPLERS.values() for fact in kind.params().values() if fact.kind == "choice"
            for number, (value, meaning) in enumerate(fact.choices)]
    return _table(("Sampler", "Flavour", "Its rule"), rows)


def guidance_table() -> str:
    """Every preset of guidance."""
    rows = [(f"**{preset.title}** `{name}`", f"{preset.summary}<br>`{preset.formula}`",
             f"{preset.recipe.scale:g}; {preset.scale_is}", preset.source) for name, preset in PRESETS.items()]
    return _table(("Guidance", "What it does", "Published scale", "Source"), rows)


def features_table() -> str:
    """Every kind of feature."""
    rows = [(f"`{kind.name}`", kind.help, "<br>".join(f"`{one.name}` {_field(one)}" for one in kind.fields) or "none")
            for kind in KINDS.values()]
    return _table(("Feature", "Its value", "Parameters"), rows)


PARTS = {
    "features": features_table,
    "guidance": guidance_table,
    "settings": settings_table,
    "samplers": samplers_table,
    "flavours": flavours_table,
}


def renewed(text: str) -> str:
    """A document with the text between each pair of markers made again."""
    for name, make in PARTS.items():
        start, end = f"<!-- {name}: written by python -m tests.docs -->", f"<!-- end of {name} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        assert found and closed, f"the README has no place for {name}"
        text = f"{before}{start}\n{make()}\n{end}{after}"
    return text


def _field(one: Field) -> str:
    return one.help if one.default is None else f"{one.help}; {json.dumps(one.default)} where it is not given"


def _parameters(kind: type[Sampler]) -> str:
    return "<br>".join(f"`{name}` {_values(fact)}" for name, fact in kind.params().items()) or "none"


def _values(fact: Param) -> str:
    if fact.kind == "choice":
        return ", ".join(f"`{value}`" for value, _ in fact.choices)
    if fact.kind != "number":
        return fact.range_text
    unit = f" {fact.unit}" if fact.unit else ""
    return f"{fact.default:g}, slider {fact.low:g} to {fact.high:g}{unit}"


def _off(kind: type[Sampler]) -> str:
    if kind.off is None:
        return "its switch"
    values = {name: kind.params()[name].to_json(value) for name, value in kind.off.items()}
    return ", ".join(f"`{name}` = {value:g}" if isinstance(value, int | float) else f"`{name}` empty"
                     for name, value in values.items())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the tables of {README.name}")
