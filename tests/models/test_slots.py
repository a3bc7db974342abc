"""The slots behind the batched backend: pools by length, neighbours read in place, memory given back."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch

from playground.models import Chunk
from playground.models.causal_lm import SlotBackend
from playground.models.plan import Plan
from playground.models.slot_cache import SlotCache
from playground.models.slot_table import Place, SlotTable, capacity_for
from tests.models.test_contract import TinyVocabulary, assert_close, feed, text
from tests.models.tiny import tiny_model

LONG_CONTEXT = 2048


@pytest.fixture
def backend() -> SlotBackend:
    return SlotBackend(tiny_model("llama", LONG_CONTEXT), TinyVocabulary(), LONG_CONTEXT, num_layers=2)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Plan]]:
    """Every plan a forward uses, in order."""
    used: list[Plan] = []
    original = SlotCache.use

    def use(cache: SlotCache, plan: Plan | None) -> None:
        if plan is not None:
            used.append(plan)
        original(cache, plan)

    monkeypatch.setattr(SlotCache, "use", use)
    yield used


def reference(token_ids: list[int]) -> torch.Tensor:
    return tiny_model("llama", LONG_CONTEXT)(input_ids=torch.tensor([token_ids]), use_cache=False).logits[0]


def decode(backend: SlotBackend, lanes: list[int]) -> torch.Tensor:
    return backend.forward([Chunk(lane, (lane + 1,)) for lane in lanes])


def test_lanes_grow_through_the_pools_beside_short_ones(backend: SlotBackend) -> None:
    texts = {lane: text(lane, length) for lane, length in enumerate((700, 20, 300, 1100))}
    done = dict.fromkeys(texts, 0)
    choice = random.Random(1)
    while unfinished := [lane for lane in texts if done[lane] < len(texts[lane])]:
        call = []
        for lane in unfinished:
            stop = min(len(texts[lane]), done[lane] + choice.choice([1, 5, 120]))
            call.append(Chunk(lane, tuple(texts[lane][done[lane] : stop])))
            done[lane] = stop
        backend.forward(call)
    for lane, token_ids in texts.items():
        assert_close(feed(backend, lane, [7])[0], reference([*token_ids, 7])[-1])


def test_decoding_lanes_become_neighbours_and_are_read_in_place(backend: SlotBackend, plans: list[Plan]) -> None:
    for lane in range(6):
        feed(backend, lane, text(lane, 10 + lane))
    for lane in (1, 4):
        backend.release(lane)
    plans.clear()
    found = decode(backend, [5, 0, 3, 2])
    assert [[segment.adjacent for segment in plan.segments] for plan in plans] == [[True]]
    for row, lane in enumerate([5, 0, 3, 2]):
        assert_close(found[row], reference([*text(lane, 10 + lane), lane + 1])[-1])


def test_neighbours_are_made_by_swapping_with_lanes_that_wait(backend: SlotBackend, plans: list[Plan]) -> None:
    for lane in range(4):
        feed(backend, lane, text(lane, 30))
    plans.clear()
    for lanes in ([0, 3], [1, 2], [0, 3], [1, 2]):
        decode(backend, lanes)
    assert all(segment.adjacent for plan in plans for segment in plan.segments)
    assert_close(feed(backend, 2, [9])[0], reference([*text(2, 30), 3, 3, 9])[-1])
    assert_close(feed(backend, 3, [9])[0], reference([*text(3, 30), 4, 4, 9])[-1])


def test_prefill_beside_decoding_is_one_forward(backend: SlotBackend, plans: list[Plan]) -> None:
    for lane in range(3):
        feed(backend, lane, text(lane, 10))
    plans.clear()
    found = backend.forward([Chunk(0, (4,)), Chunk(7, tuple(text(7, 50))), Chunk(2, (6,))])
    assert [[segment.shape for segment in plan.segments] for plan in plans] == [[(2, 1), (1, 50)]]
    assert_close(found[0], reference([*text(0, 10), 4])[-1])
    assert_close(found[1], reference(text(7, 50))[-1])
    assert_close(found[2], reference([*text(2, 10), 6])[-1])


def test_rows_that_are_no_neighbours_are_gathered(backend: SlotBackend, plans: list[Plan]) -> None:
    for lane in range(3):
        feed(backend, lane, text(lane, 10))
    plans.clear()
    found = backend.forward([Chunk(0, (4, 5)), Chunk(2, (6, 7))])
    assert [[segment.adjacent for segment in plan.segments] for plan in plans] == [[False]]
    assert_close(found[0], reference([*text(0, 10), 4, 5])[-1])
    assert_close(found[1], reference([*text(2, 10), 6, 7])[-1])


def test_a_long_lane_does_not_lengthen_the_slots_of_short_ones(backend: SlotBackend) -> None:
    for lane in range(8):
        feed(backend, lane, text(lane, 5))
    before = backend.cache_bytes()
    backend.forward([Chunk(9, tuple(text(9, 1500)))])
    assert backend.cache_bytes() - before == 2048 * backend.bytes_per_token()


def test_all_memory_comes_back(backend: SlotBackend) -> None:
    for lane in range(12):
        feed(backend, lane, text(lane, 10 + 60 * lane))
    backend.fork(11, 50, 500)
    held = backend.cache_bytes()
    for lane in range(8):
        backend.release(lane)
    assert backend.cache_bytes() < held
    for lane in (8, 9, 10, 11, 50):
        backend.release(lane)
    assert backend.cache_bytes() == 0


def test_a_fork_onto_a_long_lane_gives_its_memory_back(backend: SlotBackend) -> None:
    feed(backend, 0, text(0, 10))
    backend.forward([Chunk(1, tuple(text(1, 1500)))])
    backend.fork(0, 1)
    backend.release(0)
    assert backend.cache_bytes() <= 2 * 256 * backend.bytes_per_token()


def test_a_stable_batch_keeps_its_memory(backend: SlotBackend) -> None:
    for lane in range(5):
        feed(backend, lane, text(lane, 40))
    held = backend.cache_bytes()
    for _ in range(5):
        backend.release(4)
        feed(backend, 4, text(4, 40))
    assert backend.cache_bytes() == held


def test_bytes_per_token_are_those_of_keys_and_values(backend: SlotBackend) -> None:
    feed(backend, 0, [1])
    layers, kv_heads, head_dim, float32 = 2, 2, 8, 4
    assert backend.bytes_per_token() == 2 * layers * kv_heads * head_dim * float32


@pytest.mark.parametrize(("tokens", "capacity"), [(1, 256), (256, 256), (257, 512), (1025, 2048)])
def test_capacity_is_the_next_power_of_two(tokens: int, capacity: int) -> None:
    assert capacity_for(tokens) == capacity


def test_the_table_hands_out_the_lowest_free_slot() -> None:
    table = SlotTable()
    for lane in range(4):
        table.settle(lane, table.reserve(256))
    assert [table.place(lane) for lane in range(4)] == [Place(256, slot) for slot in range(4)]
    table.leave(1)
    assert table.reserve(256) == Place(256, 1)
    table.swap(256, 1, 3)
    assert table.place(3) == Place(256, 1) and table.lane_at(Place(256, 3)) is None
