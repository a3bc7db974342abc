"""The public Python interface: texts in, steps, texts and rows out."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from playground.engine import Engine, Request, chat_ids, request_for
from playground.errors import PlaygroundError
from playground.models import Model
from playground.models.backend import Message
from playground.sampling import Chain, cfg
from tests.engine.wrappers import GREEDY, Broken, Wrapper, chain, ids, run, toy, until


def test_generate_gives_the_steps_of_the_request(model: Model) -> None:
    with Engine(model, num_threads=1) as engine:
        options = {"chain": chain(temperature=1.5), "max_tokens": 12, "seed": 7, "guidance_scale": 1.5}
        steps = list(engine.generate("Once upon", **options))
        expected, _ = run(engine, Request(ids(model, "Once upon"), chain(temperature=1.5), 12, 7, cfg(1.5)))
        assert [step.token_id for step in steps] == [step.token_id for step in expected]
        assert engine.complete("Once upon", **options) == "".join(step.text for step in steps)
        assert engine.num_threads == 1


def test_a_negative_prompt_is_its_own_text(model: Model, backend: Wrapper) -> None:
    with Engine(model) as engine:
        engine.complete("Once upon", guidance_scale=2.0, negative_prompt="The old house", max_tokens=1)
    assert [chunk.token_ids for chunk in backend.calls[0]] == [ids(model, "Once upon"), ids(model, "The old house")]


def test_chat_fills_the_template_on_both_branches(model: Model) -> None:
    assert model.chat is not None
    request = request_for(model, "Hi", chat=True, system="Be kind", negative_system="Be rude", guidance_scale=2.0)
    assert request.prompt_ids == tuple(model.chat.encode([Message("system", "Be kind"), Message("user", "Hi")]))
    rude = [Message("system", "Be rude"), Message("user", "Hi")]
    assert request.others[0].token_ids == tuple(model.chat.encode(rude))
    user = request_for(model, "Hi", chat=True, negative_prompt="Bye", guidance_scale=2.0)
    assert user.prompt_ids == chat_ids(model, "Hi") and user.others[0].token_ids == chat_ids(model, "Bye")
    assert request_for(model, "Hi", chat=True, guidance_scale=2.0).others == ()


def test_a_base_model_says_that_it_cannot_chat(model: Model) -> None:
    with Engine(replace(model, chat=None)) as engine, pytest.raises(PlaygroundError, match="template"):
        engine.complete("Hi", chat=True)


def test_temperature_zero_is_greedy(model: Model) -> None:
    with Engine(model) as engine:
        texts = {engine.complete("The old", chain=GREEDY, max_tokens=10, seed=seed) for seed in range(4)}
        row = engine.next_logits("The old")
        first = next(iter(engine.generate("The old", chain=GREEDY)))
    assert len(texts) == 1 and first.token_id == int(row.argmax())


def test_leaving_generate_early_frees_the_lanes() -> None:
    backend = Wrapper(lambda _: time.sleep(0.001))
    with Engine(toy(backend)) as engine:
        steps = engine.generate("Once upon", max_tokens=1500, ignore_eos=True)
        next(steps)
        steps.close()  # type: ignore[attr-defined]
        until(lambda: not backend.lanes)
    assert len(backend.calls) < 1000


def test_a_failed_text_raises(model: Model) -> None:
    with Engine(model) as engine, pytest.raises(PlaygroundError, match="ValueError"):
        engine.complete("Once upon a time there was a house", chain=Chain((Broken(),)), max_tokens=20, ignore_eos=True)


def test_the_status_says_what_goes_on(model: Model) -> None:
    with Engine(model) as engine:
        assert engine.guidance_cost_ms is None
        run(engine, Request((1,), Chain(), 20, ignore_eos=True))
        run(engine, Request((1,), Chain(), 20, guidance=cfg(2.0), ignore_eos=True))
        status = engine.status()
        assert status["tokens_per_s"] > 0 and set(status["step_ms"]) == {"forward", "chain", "transfer"}
        assert all(part > 0 for part in status["step_ms"].values())
        assert status["guidance_cost"] is not None and status["guidance_cost"] > 0
        assert status["guidance_cost_ms"] == engine.guidance_cost_ms is not None
        stream = engine.submit(Request((1,), Chain(), 1900, session="a", ignore_eos=True))
        next(iter(stream))
        assert engine.status()["num_users_generating"] == 1
        stream.cancel()
