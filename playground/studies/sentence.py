"""The live sentence: what the pipeline did to this step, in words; also the screen reader's summary.

Knows nothing about tensors: it reads a finished PipelineView.
"""

from __future__ import annotations

from playground.studies.views import Fragment, PipelineView, StageView


def sentence(view: PipelineView) -> list[Fragment]:
    """ "The model wavered between about 615 tokens; guidance made it 153, temperature 1.4 made it 1,637; ..."."""
    parts: list[Fragment] = [
        _text("The model wavered between about "),
        _figure(_count(view["base"]["choices"])),
        _text(" token" if round(view["base"]["choices"]) == 1 else " tokens"),
    ]
    clauses = [_clause(stage) for stage in view["stages"] if stage["on"]]
    for number, clause in enumerate(clauses):
        parts += [_text("; " if number == 0 else ", "), *clause]
    dart = view["dart"]
    how = f"{dart['found_by'].lower()} took" if dart["found_by"] else "the dart hit"
    parts += [_text(f"; {how} "), Fragment(text=dart["text"], kind="token"), _text(f" ({_percent(dart['p'])}).")]
    return parts


def _clause(stage: StageView) -> list[Fragment]:
    title = stage["title"]
    name = title if title[:2].isupper() else title[0].lower() + title[1:]
    if stage["kind"] == "guidance":
        return [_text("guidance made it "), _figure(_count(stage["choices"]))]
    if stage["sides"]:
        taken = next(side for side in stage["sides"] if side["taken"])
        return [
            _text(f"{name}'s coin fell for "),
            _figure(f"{taken['support']:,} of {stage['support_before']:,} tokens"),
        ]
    value = next((f" {value:g}" for value in stage["params"].values() if isinstance(value, int | float)), "")
    if stage["kind"] == "truncate":
        if stage["support"] == stage["support_before"]:
            return [_text(f"{name}{value} kept all "), _figure(f"{stage['support']:,}")]
        return [_text(f"{name}{value} kept "), _figure(f"{stage['support']:,}")]
    if round(stage["choices"], 1) == round(stage["choices_before"], 1) and stage["support"] == stage["support_before"]:
        return [_text(f"{name}{value} changed nothing")]
    return [_text(f"{name}{value} made it "), _figure(_count(stage["choices"]))]


def _text(text: str) -> Fragment:
    return Fragment(text=text, kind="text")


def _figure(text: str) -> Fragment:
    return Fragment(text=text, kind="figure")


def _count(choices: float) -> str:
    return f"{choices:,.0f}" if choices >= 10 else f"{choices:.1f}"


def _percent(p: float) -> str:
    percent = p * 100
    if 0 < percent < 0.001:
        return "under 0.001 %"
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.3f} %"
