"""Sessions: bounded in number, age and contents; a key of one means nothing in another; keys and never tensors."""

from __future__ import annotations

import gc
import types
from typing import Any

import pytest
import torch

from playground.errors import PlaygroundError
from playground.studies.generate import Generation
from playground.studies.inspect import Place
from playground.ui.desk import Desk
from playground.ui.session import (
    MAX_AGE_S,
    MAX_AT_WORK,
    MAX_GENERATIONS,
    MAX_PLACE_TOKENS,
    MAX_PLACES,
    Session,
    Sessions,
)
from tests.running import run


def place(key: str, num_tokens: int = 3) -> Place:
    return Place(key, tuple(range(num_tokens)), f"{key}:prompt")


def test_beyond_capacity_the_session_not_used_for_longest_goes() -> None:
    sessions = Sessions(3)
    tokens = [sessions.create().token for _ in range(3)]
    for token in (tokens[1], tokens[2], tokens[0]):
        sessions.get(token)
    sessions.create()
    assert len(sessions) == 3
    with pytest.raises(PlaygroundError) as caught:
        sessions.get(tokens[1])
    assert caught.value.status == 404 and "Reload" in str(caught.value)
    assert sessions.get(tokens[2]).token == tokens[2]


def test_a_loop_that_opens_sessions_pushes_out_its_own() -> None:
    sessions = Sessions(10)
    used = [sessions.create().token for _ in range(9)]
    for token in used:
        sessions.get(token)
    for _ in range(500):
        sessions.create()
    assert len(sessions) == 10
    assert [sessions.get(token).token for token in used] == used


def test_a_closed_tab_is_the_first_to_go_but_may_come_back() -> None:
    sessions = Sessions(2)
    closed, kept = sessions.create(), sessions.create()
    for session in (closed, kept, closed):  # the closed one is the newer
        sessions.get(session.token)
    sessions.tie("connection", closed)
    assert sessions.untie("connection") == closed.token and sessions.untie("connection") is None
    assert closed.idle and sessions.get(closed.token) is closed and not closed.idle, "its connection came back"
    sessions.tie("connection", closed)
    sessions.untie("connection")
    sessions.create()
    assert sessions.get(kept.token) is kept
    with pytest.raises(PlaygroundError):
        sessions.get(closed.token)


def test_old_sessions_are_forgotten() -> None:
    sessions = Sessions(10)
    old, fresh = sessions.create(), sessions.create()
    old.used_s -= MAX_AGE_S - 60
    assert len(sessions) == 2 and sessions.get(fresh.token) is fresh
    assert len(sessions) == 2, "not quite old enough"
    old.used_s -= 120
    sessions.get(fresh.token)
    assert len(sessions) == 1
    with pytest.raises(PlaygroundError):
        sessions.get(old.token)


@pytest.mark.parametrize("token", [None, "", "x", 5, ["a"], {"a": 1}, b"x", "\ud800"])
def test_what_is_no_token_is_a_404(token: Any) -> None:
    sessions = Sessions(3)
    sessions.create()
    with pytest.raises(PlaygroundError) as caught:
        sessions.get(token)
    assert caught.value.status == 404


def test_connections_are_bounded_too() -> None:
    sessions = Sessions(5)
    session = sessions.create()
    for number in range(100):
        sessions.tie(f"connection-{number}", session)
    assert sessions.untie("connection-0") is None and sessions.untie("connection-99") == session.token
    sessions.tie(None, session)
    assert sessions.untie(None) is None


def test_places_and_texts_of_a_session_are_bounded() -> None:
    session = Session()
    for number in range(MAX_PLACES + 10):
        session.add_place(place(f"{number:032x}"))
    assert len(session.places) == MAX_PLACES and f"{9:032x}" not in session.places
    session.place(f"{10:032x}")
    session.add_place(place("new"))
    assert f"{10:032x}" in session.places, "what is looked at stays"
    for number in range(3 * MAX_GENERATIONS):
        session.add_generation(Generation(str(number), None, None))  # type: ignore[arg-type]
    assert list(session.generations) == [str(n) for n in range(2 * MAX_GENERATIONS, 3 * MAX_GENERATIONS)]


def test_long_prompts_are_forgotten_sooner() -> None:
    session = Session()
    for number in range(10):
        session.add_place(place(str(number), MAX_PLACE_TOKENS // 4))
    assert list(session.places) == ["6", "7", "8", "9"]
    session.add_place(place("longer than all", MAX_PLACE_TOKENS + 1))
    assert list(session.places) == ["longer than all"], "the newest always has its place"


def test_a_tab_has_only_so_many_requests_at_work() -> None:
    session, entered = Session(), []
    for _ in range(MAX_AT_WORK):
        work = session.at_work()
        work.__enter__()
        entered.append(work)
    with pytest.raises(PlaygroundError) as caught, session.at_work():
        raise AssertionError("one too many")
    assert caught.value.status == 429 and session.num_at_work == MAX_AT_WORK
    entered.pop().__exit__(None, None, None)
    with pytest.raises(ZeroDivisionError), session.at_work():
        _ = 1 / 0
    assert session.num_at_work == MAX_AT_WORK - 1, "a failure counts as an end"


def test_keys_inside_a_prompt_and_a_text() -> None:
    session = Session()
    session.add_place(place("k", 5))
    inside = session.place("k@3")
    assert inside.prompt_ids == (0, 1, 2) and inside.chosen == 3 and inside.texts is None
    for key in ("k@0", "k@5", "k@-1", "k@99999999999", "k@", "k@x", "k.0", "", "@1", "K@3", "k@3@3", "k@3.0"):
        with pytest.raises(PlaygroundError) as caught:
            session.place(key)
        assert caught.value.status == 404


def reachable(root: object) -> list[object]:
    """Every object that a value keeps alive, code and classes left out."""
    seen: dict[int, object] = {}
    waiting: list[object] = [root]
    while waiting:
        thing = waiting.pop()
        code = isinstance(thing, type | types.ModuleType | types.FunctionType | types.BuiltinFunctionType)
        if id(thing) not in seen and not code:
            seen[id(thing)] = thing
            waiting += gc.get_referents(thing)
    return list(seen.values())


def test_a_session_holds_keys_and_numbers_but_no_tensor(desk: Desk) -> None:
    async def use() -> Session:
        session = desk.sessions.get((await desk.open())["session"])
        view = await desk.next(session, {"prompt": "The old sailor", "negative": "A house", "scale": 2.0})
        async for _ in desk.generate(session, {"prompt": "The old sailor", "max_tokens": 12, "scale": 1.5}):
            pass
        text = next(iter(session.generations))
        for key in (view["key"], f"{view['key']}@1", f"{text}.2"):
            await desk.trace(session, {"key": key, "refill": True, "scale": 2.0})
            await desk.step(session, key)
        return session

    session = run(use())
    held = reachable(session)
    assert len(held) > 100 and any(isinstance(thing, Place) for thing in held), "the walk reaches its contents"
    assert not [thing for thing in held if isinstance(thing, torch.Tensor) or type(thing).__module__ == "numpy"]
    assert not [thing for thing in held if thing is desk.host or thing is desk.host.engine or thing is desk]


def test_the_walk_would_find_a_tensor() -> None:
    session = Session()
    session.places["k"] = torch.zeros(3)  # type: ignore[assignment]
    assert any(isinstance(thing, torch.Tensor) for thing in reachable(session))
