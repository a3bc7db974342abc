"""Models lent to an engine for a while: named by branches, served beside the others, forgotten when withdrawn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from playground.engine import Branch, Engine, Request
from playground.errors import PlaygroundError
from playground.models import load_model
from playground.sampling import cfg

PROMPT = (84, 104, 101, 32)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(load_model(backend="toy"), num_threads=1, max_lanes=8) as engine:
        yield engine


def request(number: int, max_tokens: int = 12, **options: object) -> Request:
    """Written by the model of that number alone."""
    return Request(PROMPT, max_tokens=max_tokens, guidance=cfg(0.0), others=(Branch(PROMPT, number),), seed=5,
                   ignore_eos=True, **options)  # type: ignore[arg-type]


def written(engine: Engine, work: Request) -> list[int]:
    return [item.token_id for item in engine.submit(work) if hasattr(item, "token_id")]


def settled(engine: Engine) -> None:
    """A round later; the engine still serves."""
    assert engine.submit(Request(PROMPT, max_tokens=1, ignore_eos=True)).result(timeout_s=30).reason == "length"


def test_a_lent_model_writes_and_is_forgotten(engine):
    plain = written(engine, Request(PROMPT, max_tokens=12, seed=5, ignore_eos=True))
    number = engine.lend(load_model(backend="toy"))
    assert written(engine, request(number)) == plain, "an equal model writes the same"
    engine.withdraw(number)
    settled(engine)
    assert not engine.fleet.has(number) and len(engine.fleet.models) == 1
    with pytest.raises(PlaygroundError, match="loaded"):
        engine.submit(request(number))
    assert engine.lend(load_model(backend="toy")) != number, "a number is used once"


def test_withdrawing_ends_what_runs_on_it_and_nothing_else(engine):
    number = engine.lend(load_model(backend="toy"))
    theirs = engine.submit(request(number, 100_000, num_samples=3))
    other = engine.submit(Request(PROMPT, max_tokens=40, seed=5, ignore_eos=True))
    next(iter(theirs))
    engine.withdraw(number)
    assert theirs.result(timeout_s=30).reason == "cancelled"
    assert other.result(timeout_s=30).reason == "length"
    settled(engine)
    assert not engine.fleet.has(number) and engine.status()["num_lanes_used"] == 0


def test_what_shares_the_vocabulary_is_not_compared_with_it(engine, monkeypatch):
    """Token by token that takes a tenth of a second, on the event loop and at every round of a pool."""
    monkeypatch.setattr("playground.engine.fleet._identity", lambda *_: pytest.fail("compared"))
    assert engine.fleet.has(engine.lend(engine.model))


def test_an_idle_engine_forgets_too(engine):
    """Nobody asks for anything afterwards: the thread wakes for it alone, and sleeps again."""
    number = engine.lend(load_model(backend="toy"))
    engine.withdraw(number)
    settled(engine)
    assert not engine.fleet.has(number)
    for one in (number, 0):  # what is gone, and what was never lent
        engine.withdraw(one)
        settled(engine)
