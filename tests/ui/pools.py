"""Pools of the toy's texts for tests of what is made of a pool: each is drawn once, and every tab is given its own.

Knows nothing about how drawing goes on; tests of that draw themselves.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from playground.studies.pools import PoolRecord
from playground.ui.desk import Desk
from playground.ui.session import Session

DRAW = {"prompt": "The dragon", "num_texts": 200, "max_tokens": 12, "seed": 7}
_seen: WeakKeyDictionary[Any, dict[str, PoolRecord]] = WeakKeyDictionary()
"""Of an engine: what was asked of it, and the record that came."""


async def drawn(desk: Desk, tab: Session, **changes: Any) -> str:
    """A pool, waited for as the page does: by asking."""
    answer = await desk.control.draw(tab, DRAW | changes)
    while any(one["running"] for one in (await desk.control.pools(tab, {}))["pools"]):
        await asyncio.sleep(0.005)
    return str(answer["pool"])


async def given(desk: Desk, tab: Session, **changes: Any) -> str:
    """A pool as ``drawn`` leaves it, its numbers and darts included, without drawing the same texts again."""
    asked, seen = json.dumps(changes, sort_keys=True), _seen.setdefault(desk.host.engine, {})
    if asked not in seen:
        record = tab.pools.get(await drawn(desk, tab, **changes))
        seen[asked] = replace(record, kept=record.pool, drawing=None, task=None)
        return record.id
    record = replace(seen[asked], id=secrets.token_hex(8))
    tab.pools.records[record.id] = record
    return record.id
