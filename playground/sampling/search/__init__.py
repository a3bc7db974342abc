"""Searching decoders: what chooses a token by looking further than one dart. One file each.

Knows nothing about lanes, models or pages.
"""

from __future__ import annotations

from typing import Any

from playground.errors import PlaygroundError
from playground.sampling.param import shortened
from playground.sampling.search.beam import BeamSearch
from playground.sampling.search.contrastive import ContrastiveSearch
from playground.sampling.search.greedy import Greedy
from playground.sampling.search.search import Search

SEARCHES: dict[str, type[Search]] = {one.name: one for one in (Greedy, BeamSearch, ContrastiveSearch)}

__all__ = ["SEARCHES", "BeamSearch", "ContrastiveSearch", "Greedy", "Search", "search_from_json"]


def search_from_json(data: Any) -> Search | None:
    """None or a name or {"search": name, parameter: value, ...} -> the search; None and "sample" draw with darts."""
    if data is None or data == "sample":
        return None
    if isinstance(data, str):
        data = {"search": data}
    if not isinstance(data, dict) or not isinstance(data.get("search"), str):
        raise PlaygroundError(f'search is an object like {{"search": "beam", "num_beams": 4}}; got {shortened(data)}.')
    name, values = data["search"], {key: value for key, value in data.items() if key != "search"}
    if name == "sample" and not values:
        return None
    if name not in SEARCHES:
        raise PlaygroundError(f"There is no search {shortened(name)}. There are {', '.join(SEARCHES)}, and sample.")
    unknown = [key for key in values if key not in SEARCHES[name].params()]
    if unknown:
        known = ", ".join(SEARCHES[name].params()) or "none"
        raise PlaygroundError(f"{name} has no parameter {shortened(unknown[0])}. It has: {known}.")
    return SEARCHES[name](**values)
