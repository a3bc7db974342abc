"""The decoders on offer beside Generate, as data: what each is called, what it does, and its parameters.

Knows nothing about how a token is found; a search's own file says everything that stands here.
"""

from __future__ import annotations

from typing import Any

from playground.sampling import Param
from playground.sampling.search import SEARCHES

SAMPLE = {
    "name": "sample",
    "title": "Sample",
    "summary": "Throws a dart at the final distribution, one for each token.",
    "formula": "",
    "source": "",
    "with_chain": "",
    "params": [],
}
DOLA = {
    "name": "dola",
    "title": "DoLa",
    "summary": "Greedy under guidance that takes away what an earlier layer would say: what is left is what the last "
    "layers know.",
    "formula": "log p(last layer) − log p(earlier layer), where p(last) ≥ 0.1·max",
    "source": "Chuang et al. 2023, arXiv 2309.03883",
    "with_chain": "Set as a method of guidance, so it goes with every other decoder too.",
    "params": [],
}


def decoders_json() -> list[dict[str, Any]]:
    """Everything the picker shows, in its order."""
    searches = [
        {
            "name": search.name,
            "title": search.title,
            "summary": search.summary,
            "formula": search.formula,
            "source": search.source,
            "with_chain": search.with_chain,
            "params": [{"name": name, **_param_json(fact)} for name, fact in search.params().items()],
        }
        for search in SEARCHES.values()
    ]
    return [SAMPLE, *searches, DOLA]


def _param_json(fact: Param) -> dict[str, Any]:
    return {
        "kind": fact.kind,
        "label": fact.label,
        "help": fact.help,
        "unit": fact.unit,
        "default": fact.default,
        "low": fact.low,
        "high": fact.high,
        "step": fact.step,
        "choices": [list(choice) for choice in fact.choices],
    }
