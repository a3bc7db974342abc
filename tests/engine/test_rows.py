"""The logits store and its rows: kept, evicted, read again by one pass; and a Step replays from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from playground.engine import Engine, Request, Step, around
from playground.engine.store import NUM_NEWEST, LogitsStore
from playground.errors import PlaygroundError
from playground.models import Model
from playground.models.backend import Chunk
from playground.sampling import Chain, cfg, guide
from playground.sampling.draw import draw, uniform
from playground.sampling.metrics import entropy_bits
from tests.engine.wrappers import Wrapper, chain, finished, ids, run, toy

CHAINS = [
    Chain(),
    chain(temperature=0),
    chain(temperature=1.3, min_p=0.05),
    chain(repetition_penalty=1.3, top_p=0.9, temperature=1.5),
    chain(frequency_penalty=0.7, presence_penalty=0.4, top_k=20),
    Chain.from_url("temperature:1.5,xtc:0.5:0.02,top_p:0.95"),
    Chain.from_url("xtc:0.4:0.02,temperature:1.2,xtc:0.6:0.001,mirostat_v2:3:0.4"),
]


def row_of(engine: Engine, key: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(engine.row(key), dtype=np.float32).copy())


def replay(engine: Engine, request: Request, steps: list[Step], place: int) -> Step:
    """The step again from its stored rows, its chain and its dart: the same token and the same figures."""
    step = steps[place]
    model = row_of(engine, step.row_key)[None]
    base = model
    if step.other_keys:
        base = guide(model, row_of(engine, step.other_keys[0])[None], request.guidance.weights[0])
    history = request.prompt_ids + tuple(step.token_id for step in steps[:place])
    final = request.chain.apply(base, [history], len(request.prompt_ids), [step.memory])
    assert step.coins == request.chain.coins(request.seed, step.sample, step.index)
    aimed = request.chain.decided(step.coins).apply(base, [history], len(request.prompt_ids), [step.memory])
    token_id = int(draw(aimed, torch.tensor([step.uniform], dtype=torch.float64)))
    log_model, log_base, log_final = (torch.log_softmax(row[0].double(), -1) for row in (model, base, final))
    assert token_id == step.token_id
    assert step.uniform == uniform(request.seed, step.sample, step.index)
    assert step.logprob_base == pytest.approx(float(log_base[token_id]), abs=1e-5)
    assert step.logprob_final == pytest.approx(float(log_final[token_id]), abs=1e-5)
    assert step.surprisal_bits == pytest.approx(-float(log_model[token_id]) / np.log(2), abs=1e-5)
    assert step.base_entropy_bits == pytest.approx(float(entropy_bits(log_base.exp())), abs=1e-5)
    assert step.entropy_bits == pytest.approx(float(entropy_bits(log_final.exp())), abs=1e-5)
    return step


@pytest.mark.parametrize("scale", [1.0, 1.5, -0.5])
@pytest.mark.parametrize("number", range(len(CHAINS)))
def test_a_step_replays(model: Model, number: int, scale: float) -> None:
    request = Request(ids(model, "The old house"), CHAINS[number], 12, number, cfg(scale), ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        for place in range(len(steps)):
            replay(engine, request, steps, place)


@pytest.mark.model
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_a_step_of_the_real_model_replays(placed_model: Model, scale: float) -> None:
    request = Request(ids(placed_model, "The capital of France is"), CHAINS[3], 5, 1, cfg(scale))
    with Engine(placed_model) as engine:
        steps, _ = run(engine, request)
        for place in range(len(steps)):
            replay(engine, request, steps, place)


def test_rows_are_those_of_the_backend(model: Model) -> None:
    prompt = ids(model, "The old house")
    with Engine(model) as engine:
        prompt_key, negative_key = engine.next_rows(prompt, prompt[:2])
        assert torch.equal(row_of(engine, prompt_key), engine.next_logits("The old house"))
        assert torch.equal(row_of(engine, negative_key), alone(model, prompt[:2]))
        assert torch.equal(row_of(engine, prompt_key), alone(model, prompt))
        default = engine.next_rows(prompt)
        assert torch.equal(row_of(engine, default[1]), alone(model, prompt[-1:]))


def alone(model: Model, token_ids: tuple[int, ...]) -> Tensor:
    """float32[V]: the row after these tokens, from a backend that has seen nothing else."""
    return Wrapper().forward([Chunk(0, token_ids)])[0]


def test_the_newest_rows_of_a_stream_stay_and_those_looked_at(model: Model) -> None:
    with Engine(model) as engine:
        stream = engine.submit(Request((1, 2), Chain(), 60, guidance=cfg(1.5), ignore_eos=True))
        first = next(iter(stream))
        assert isinstance(first, Step)
        engine.row(first.row_key)  # somebody looks at it
        steps = [first, *finished(stream)[0]]
        assert len(steps) == 60
        kept = [step.index for step in steps if engine.store.get(step.row_key) is not None]
        assert kept == [0, *range(60 - NUM_NEWEST, 60)]
        assert engine.store.get(steps[0].other_keys[0]) is None, "only the row that was looked at"
        assert all(engine.store.get(step.other_keys[0]) is not None for step in steps[-NUM_NEWEST:])


def test_rows_are_copies_of_their_own() -> None:
    """A view would keep the whole batch's logits alive, uncounted, and change where a backend reuses its memory."""

    class Reusing(Wrapper):
        buffer = torch.empty(200, Wrapper().vocabulary.size)

        def forward(self, chunks: Sequence[Chunk]) -> Tensor:
            logits = super().forward(chunks)
            self.buffer.fill_(torch.nan)
            self.buffer[: len(logits)] = logits
            return self.buffer[: len(logits)]

    request = Request((1, 2, 3), chain(temperature=1.5), 6, 3, num_samples=5, ignore_eos=True)
    with Engine(toy(Reusing()), max_lanes=2) as engine, Engine(toy(Wrapper())) as other:
        steps, _ = run(engine, request)
        expected, _ = run(other, request)
        assert {(s.sample, s.index, s.token_id) for s in steps} == {(s.sample, s.index, s.token_id) for s in expected}
        for step in steps[-NUM_NEWEST:]:
            row = engine.store.get(step.row_key)
            assert row is not None and row.isfinite().all()
            assert row.untyped_storage().nbytes() == 4 * row.numel()
        engine.refill((1, 2, 3, 4), 1, ["a", "b"])
        engine.next_logits("The")
        assert torch.equal(row_of(engine, "a"), alone(engine.model, (1, 2)))


def test_rows_nobody_wants_are_not_kept(model: Model) -> None:
    with Engine(model) as engine:
        run(engine, Request((1, 2), Chain(), 5, keep_rows=False, ignore_eos=True))
        assert engine.store.num_rows == 0


def test_the_store_keeps_to_its_budget_and_forgets_what_was_used_longest_ago() -> None:
    store = LogitsStore(budget_bytes=10 * 4 * 100)
    for number in range(30):
        store.put({str(number): torch.full((100,), float(number))}, owner="a")
        assert store.num_bytes <= 10 * 4 * 100
        if number >= 20:
            assert store.get("20") is not None
    assert [number for number in range(30) if store.get(str(number)) is not None] == list(range(20, 30))
    assert store.get("20") is not None
    store.put({"30": torch.zeros(100)}, owner="b")
    assert store.get("20") is not None and store.get("21") is None, "the least recently used goes, looked at or not"
    store.drop("a")
    assert (store.num_rows, store.num_bytes) == (1, 400)
    store.put({"30": torch.ones(100)}, owner="b")
    assert (store.num_rows, store.num_bytes) == (1, 400), "a key is charged once"


def test_rows_that_have_left_are_read_again_by_one_pass(model: Model, backend: Wrapper) -> None:
    request = Request(ids(model, "The old house"), CHAINS[3], 60, 1, cfg(1.5), ignore_eos=True, session="me")
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        with pytest.raises(PlaygroundError, match="refill"):
            engine.row(steps[10].row_key)
        num_calls = len(backend.calls)
        reading = around(request, steps, 10)
        assert all(len(span.token_ids) == span.wanted.stop for span in reading.spans), "no token more than needed"
        stream = engine.submit(reading)
        assert finished(stream)[1].reason == "length"
        assert len(backend.calls) == num_calls + 1 and len(backend.calls[-1]) == 2
        assert sum(len(chunk.rows) for chunk in backend.calls[-1]) == 2 * 5, "a few steps around, and no others"
        for place in range(8, 13):
            replay(engine, request, steps, place)
            assert engine.store.is_recomputed(steps[place].row_key)
        assert not engine.store.is_recomputed(steps[-1].row_key)
        engine.submit(around(request, steps, 0)).result()
        replay(engine, request, steps, 0)
    assert not backend.lanes


def test_a_step_written_at_scale_one_gets_its_negative_row_later(model: Model) -> None:
    request = Request(ids(model, "The old house"), Chain(), 6, ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        reading = around(request, steps, 2, every_branch=True)
        engine.submit(reading).result()
        written = tuple(step.token_id for step in steps[:2])
        assert torch.equal(row_of(engine, reading.spans[1].keys[2]), alone(model, request.prompt_ids[-1:] + written))


def test_a_continued_text_is_read_again_at_the_right_place(model: Model) -> None:
    request = Request(ids(model, "The old"), CHAINS[2], 30, 1, ignore_eos=True, continued_ids=(300, 301, 302))
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        engine.submit(around(request, steps, 4)).result()
        written = tuple(step.token_id for step in steps[:4])
        expected = alone(model, request.prompt_ids + request.continued_ids + written)
        assert steps[4].index == 7 and torch.equal(row_of(engine, steps[4].row_key), expected)


def test_a_long_reading_is_read_in_chunks(model: Model, backend: Wrapper) -> None:
    text = tuple(n % 300 for n in range(1000))
    with Engine(model, prefill_chunk=64) as engine:
        engine.refill(text, 126, ["a", "b", "c", "d"])
        assert len(backend.calls) == 16
        for place, key in enumerate("abcd"):
            assert torch.equal(row_of(engine, key), alone(model, text[: 127 + place]))
