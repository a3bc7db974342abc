"""Coins and memories as the page sees them: the ruler hits what was drawn, continuing and forking lose nothing."""

from __future__ import annotations

from typing import Any

import pytest

from playground.studies.views import PipelineView
from playground.ui.desk import Desk
from playground.ui.session import Session
from tests.running import run

STRIP = [
    {"id": "token_ban", "on": True, "tokens": [256]},  # the toy's end of text
    {"id": "dry", "on": True, "multiplier": 1.0, "sequence_breakers": ["\n", " "]},
    {"id": "temperature", "on": True, "temperature": 1.5},
    {"id": "xtc", "on": True, "probability": 0.5, "threshold": 0.02},
    {"id": "mirostat_v2", "on": True, "tau": 3.0, "eta": 0.5},
]
BODY = {"prompt": "The dragon", "strip": STRIP, "seed": 3, "max_tokens": 10}


async def _all(desk: Desk, session: Session, body: dict[str, Any]) -> dict[str, Any]:
    last = [delta async for delta in desk.generate(session, body)][-1]
    return {**last, "tokens": session.generation(last["generation"]).tokens}  # a delta has only the newest


@pytest.fixture
def written(desk: Desk) -> tuple[Session, dict[str, Any]]:
    session = desk.sessions.create()
    return session, run(_all(desk, session, BODY))


def view(desk: Desk, session: Session, key: str, **changes: Any) -> PipelineView:
    return run(desk.trace(session, {**BODY, "key": key, "refill": True, **changes}))


def test_at_every_step_the_dart_hits_the_token_that_was_drawn(desk: Desk, written: Any) -> None:
    session, text = written
    sides = set()
    for index, token in enumerate(text["tokens"]):
        seen = view(desk, session, f"{text['generation']}.{index}")
        dart, stages = seen["dart"], {stage["id"]: stage for stage in seen["stages"]}
        assert dart["token_id"] == token["token_id"]
        (coin,) = dart["coins"]
        assert coin["acts"] == (coin["u"] < 0.5) and coin["id"] == "xtc"
        sides.add(coin["acts"])
        xtc = stages["xtc"]
        assert [side["taken"] for side in xtc["sides"]] == [coin["acts"], not coin["acts"]]
        assert sum(side["probability"] for side in xtc["sides"]) == pytest.approx(1)
        assert f"coin fell at {coin['u']:.2f}" in xtc["note"]
        assert "As remembered at this step: μ" in stages["mirostat_v2"]["note"]
        drawn = next(row for row in seen["rows"] if row["drawn"])
        assert drawn["p_final"] == pytest.approx(token["p_final"], abs=1e-6)  # under the mixture, as it was recorded
    assert sides == {True, False}


def test_a_place_without_a_text_starts_afresh(desk: Desk) -> None:
    session = desk.sessions.create()
    seen = run(desk.next(session, BODY))
    note = {stage["id"]: stage["note"] for stage in seen["stages"]}["mirostat_v2"]
    assert note.startswith("As at the start of a text: μ = 6.00 bits")


def test_a_moved_knob_goes_on_with_the_recorded_memory(desk: Desk, written: Any) -> None:
    session, text = written
    moved = [{**stage, "eta": 0.1} if stage["id"] == "mirostat_v2" else stage for stage in STRIP]
    notes = []
    for strip in (STRIP, moved, [moved[0], *moved[2:]]):
        seen = view(desk, session, f"{text['generation']}.6", strip=strip)
        notes.append(next(stage["note"] for stage in seen["stages"] if stage["id"] == "mirostat_v2"))
    memory = [note.split("bits")[0] for note in notes]
    assert memory[0] == memory[1] == memory[2] and "μ = 6.00" not in memory[0]


def test_replay_finds_nothing_under_the_same_chain_in_other_words(desk: Desk, written: Any) -> None:
    session, text = written
    same = [*STRIP[:3], {"id": "min_p", "on": True, "min_p": 0.0}, *STRIP[3:]]
    answer = run(desk.replay(session, {**BODY, "strip": same, "generation": text["generation"]}))
    assert answer["index"] is None and answer["num_checked"] == 10


@pytest.mark.parametrize("place", [4, 10])
def test_continuing_goes_on_as_if_nothing_had_happened(desk: Desk, written: Any, place: int) -> None:
    session, text = written
    whole = run(_all(desk, desk.sessions.create(), {**BODY, "max_tokens": 14}))
    start = {"key": f"{text['generation']}.{place}"}
    body = {**BODY, "max_tokens": 14 - place, "continue": start}
    rest = run(_all(desk, session, body))
    seen = view(desk, session, f"{rest['generation']}.12")
    assert [token["token_id"] for token in rest["tokens"]] == [token["token_id"] for token in whole["tokens"]]
    assert seen["dart"]["token_id"] == whole["tokens"][12]["token_id"]


def test_a_forced_token_is_remembered_and_another_chain_takes_over(desk: Desk, written: Any) -> None:
    session, text = written
    start = {"key": f"{text['generation']}.3", "forced": 120}
    fewer = [STRIP[0], *STRIP[2:]]  # the memory stands at another place of this chain
    forked = run(_all(desk, session, {**BODY, "strip": fewer, "max_tokens": 4, "continue": start}))
    generation = session.generation(forked["generation"])
    before, forced, after = generation.steps[2], generation.steps[3], generation.steps[4]
    assert before.memory_after == forced.memory and forced.memory_after == after.memory
    assert len(after.memory) == 4 and after.memory[3] != 6.0
