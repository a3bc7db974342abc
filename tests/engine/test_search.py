"""Searches through the engine: equal to the same search recomputed from scratch, alone and in company."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from playground.engine import BeamStep, Branch, ContrastiveStep, Engine, Request, Step, around
from playground.errors import PlaygroundError
from playground.models import Chunk, Model
from playground.models.choosing import choose_backend
from playground.models.toy import ToyBackend
from playground.sampling import SAMPLERS, Chain, Guidance, cfg, draw, mix
from playground.sampling.search import BeamSearch, ContrastiveSearch, Greedy
from playground.sampling.search.beam import Beams, advance, step_scores
from playground.sampling.search.contrastive import candidates, weigh
from tests.engine.search_cases import END, NUM_LAYERS, VOCABULARY_SIZE, tiny_llama
from tests.engine.wrappers import GREEDY, Broken, Gate, Wrapper, chain, finished, ids, out_of_memory, run, toy, until

FIXTURE = json.loads(Path(__file__).with_name("search_fixture.json").read_text())
SEARCHES = (BeamSearch(3), BeamSearch(4, 0.0, "never"), ContrastiveSearch(4, 0.6), ContrastiveSearch(3, 0.9))
Rows = Callable[[tuple[int, ...]], Tensor]
"""A whole text -> float[V], recomputed from scratch."""


class TinyVocabulary:
    """Numbers for words: enough for a text to be written."""

    size = VOCABULARY_SIZE
    eos_ids = frozenset({END})

    def piece(self, token_id: int) -> bytes:
        return b"" if token_id == END else f" {token_id}".encode()

    def decode(self, token_ids: Any) -> str:
        return b"".join(map(self.piece, token_ids)).decode()


@cache
def llama() -> Model:
    backend, _ = choose_backend(tiny_llama(), TinyVocabulary(), 64)  # type: ignore[arg-type]
    for lane in (0, 1):
        backend.release(lane)
    return Model("tiny", backend, "", 64, hf_model=tiny_llama())


@cache
def llama_rows(token_ids: tuple[int, ...]) -> Tensor:
    with torch.no_grad():
        return tiny_llama_once()(input_ids=torch.tensor([token_ids]), use_cache=False).logits[0, -1]


@cache
def tiny_llama_once() -> Any:
    return tiny_llama()


@cache
def scratch() -> ToyBackend:
    return ToyBackend()


@cache
def toy_rows(token_ids: tuple[int, ...]) -> Tensor:
    scratch().release(0)
    return scratch().forward([Chunk(0, token_ids)])[0]


def state_after(model: Model, token_ids: tuple[int, ...]) -> Tensor:
    """float[T,D] of the last layer, from scratch."""
    if model.hf_model is None:
        scratch().release(0)
        return scratch().forward_states([Chunk(0, token_ids, "last", "all")], (8,))[1][0]
    with torch.no_grad():
        output = tiny_llama_once()(torch.tensor([token_ids]), use_cache=False, output_hidden_states=True)
    return output.hidden_states[NUM_LAYERS][0]


def reference(model: Model, request: Request) -> list[int]:
    """The search without lanes, caches or batches."""
    rows = toy_rows if model.hf_model is None else llama_rows
    eos = frozenset() if request.ignore_eos else model.backend.vocabulary.eos_ids

    def base(written: tuple[int, ...]) -> Tensor:
        others = [rows(branch.token_ids + written) for branch in request.branches[1:]]
        stacked = torch.stack(others) if others else torch.empty(0, model.backend.vocabulary.size)
        return mix([request.guidance], [len(written)], rows(request.prompt_ids + written)[None], [stacked])[0]

    def chained(written: list[tuple[int, ...]], scores: Tensor) -> Tensor:
        histories = [torch.tensor(request.prompt_ids + one) for one in written]
        return request.chain.apply(scores, histories, len(request.prompt_ids))

    if isinstance(request.search, BeamSearch):
        beams = Beams()
        while not beams.is_over:
            written = [one.token_ids for one in beams.running]
            scores = step_scores(request.search, torch.stack([base(one) for one in written]), partial(chained, written))
            ends = lambda ids: ids[-1] in eos or len(ids) >= request.max_tokens  # noqa: E731
            beams, _ = advance(request.search, beams, scores, len(eos), request.max_tokens, ends)
        return list(beams.finished[0].token_ids)
    assert isinstance(request.search, ContrastiveSearch)
    text: tuple[int, ...] = ()
    while len(text) < request.max_tokens and (not text or text[-1] not in eos):
        probs = chained([text], base(text)[None])[0].double().softmax(-1)
        tried = candidates(probs, request.search.top_k)
        states = torch.stack([state_after(model, (*request.prompt_ids, *text, token))[-1] for token in tried])
        context = state_after(model, (*request.prompt_ids, *text))
        text = (*text, tried[weigh(request.search, tried, probs[tried].tolist(), states, context)[0]])
    return list(text)


def requests(model: Model) -> list[Request]:
    """Plain, guided, with a chain, and both."""
    if model.hf_model is None:
        prompt, other = ids(model, "The dragon was not"), (Branch(ids(model, "The plane was")),)
    else:
        prompt, other = (5, 9, 14), (Branch((33, 7)),)
    penalised = Chain((SAMPLERS["repetition_penalty"](penalty=1.3), SAMPLERS["top_k"](top_k=12)))
    return [
        Request(prompt, max_tokens=9, search=search, guidance=guidance, others=other, chain=stages)
        for search in SEARCHES
        for guidance in (cfg(1.0), cfg(1.8))
        for stages in (Chain(), penalised)
    ]


@pytest.fixture(params=["toy", "llama"])
def any_model(request: pytest.FixtureRequest) -> Model:
    return toy() if request.param == "toy" else llama()


def test_every_search_with_and_without_guidance_equals_the_recomputed_one(any_model: Model) -> None:
    """What transformers gets wrong: its guidance processor keeps one cache while beams are reordered."""
    with Engine(any_model) as engine:
        for request in requests(any_model):
            steps, done = run(engine, request)
            assert [step.token_id for step in steps] == reference(any_model, request), request
            assert done.reason == ("eos" if steps[-1].token_id in any_model.backend.vocabulary.eos_ids else "length")


def test_in_company_the_same_texts(any_model: Model) -> None:
    with Engine(any_model) as engine:
        alone = [[step.token_id for step in run(engine, request)[0]] for request in requests(any_model)]
        sampling = Request(requests(any_model)[0].prompt_ids, max_tokens=30, seed=3, ignore_eos=True)
        streams = [engine.submit(request) for one in requests(any_model) for request in (one, sampling)]
        together = [[step.token_id for step in finished(stream)[0]] for stream in streams]
        assert together[::2] == alone
        assert all(text == together[1] for text in together[1::2])
        assert engine.status()["num_lanes_used"] == 0


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: str({**case, "tokens": 0}))
def test_token_for_token_as_transformers_own(case: dict[str, Any]) -> None:
    """Contrastive search and DoLa of the last transformers that had them (the fixture says which)."""
    if "alpha" in case:
        request = Request(tuple(case["prompt"]), max_tokens=12, search=ContrastiveSearch(case["top_k"], case["alpha"]))
    else:
        branch = Branch(tuple(case["prompt"]), layers=case["dola_layers"])
        guidance = Guidance((1.0, -1.0), mask=0.1)
        request = Request(tuple(case["prompt"]), max_tokens=12, search=Greedy(), guidance=guidance, others=(branch,))
    with Engine(llama()) as engine:
        steps, _ = run(engine, request)
        assert [step.token_id for step in steps] == case["tokens"]
        if "dola_layers" in case:
            wanted = (0, 2) if case["dola_layers"] == "low" else (4, 6)
            assert all(choice.layers == wanted for step in steps for choice in step.layers)
            assert all(len(step.layers) == 1 and step.layers[0].layer in wanted for step in steps)


def test_greedy_is_temperature_0(model: Model) -> None:
    prompt = ids(model, "The dragon was not")
    with Engine(model) as engine:
        cold, _ = run(engine, Request(prompt, GREEDY, max_tokens=20, seed=5))
        greedy, _ = run(engine, Request(prompt, max_tokens=20, seed=5, search=Greedy()))
    assert [step.token_id for step in greedy] == [step.token_id for step in cold]
    assert all(step.uniform == 0.0 for step in greedy)
    assert all(step.logprob_final == step.logprob_base for step in greedy)  # of the chain, not of certainty


def test_a_found_token_replays_from_its_dart(any_model: Model) -> None:
    with Engine(any_model) as engine:
        for request in requests(any_model)[2::4]:
            steps, _ = run(engine, request)
            for step in steps:
                if isinstance(request.search, BeamSearch):
                    continue  # its rows are read again when somebody looks
                rows = [engine.store.get(key) for key in (step.row_key, *step.other_keys)]
                base = mix([request.guidance], [step.index], rows[0][None], [torch.stack(rows[1:])])
                history = torch.tensor(request.prompt_ids + tuple(one.token_id for one in steps[: step.index]))
                final = request.chain.apply(base, [history], len(request.prompt_ids))
                assert int(draw.draw(final, torch.tensor([step.uniform]))) == step.token_id
                probability = final.double().softmax(-1)[0, step.token_id].log().item()
                assert step.logprob_final == pytest.approx(probability, abs=1e-5)


def test_a_beam_search_tells_its_tree(model: Model) -> None:
    request = Request(ids(model, "The dragon"), max_tokens=6, search=BeamSearch(3), session="s")
    with Engine(model) as engine:
        stream = engine.submit(request)
        stream.result(20)
        items = list(stream)
    trees = [item for item in items if isinstance(item, BeamStep)]
    steps = [item for item in items if isinstance(item, Step)]
    assert [tree.index for tree in trees] == list(range(len(trees))) and len(trees) >= len(steps)
    assert items.index(steps[0]) > items.index(trees[-1])  # the text comes when it is over
    num_parents = 1
    for tree in trees:
        kept = [one for one in tree.candidates if one.fate == "kept"]
        assert len(kept) <= 3 and all(one.parent < num_parents for one in tree.candidates)
        assert [one.log_prob for one in tree.candidates] == sorted(one.log_prob for one in tree.candidates)[::-1]
        num_parents = len(kept)
    assert trees[-1].best_ids == tuple(step.token_id for step in steps)
    total = sum(step.logprob_final for step in steps)
    assert total == pytest.approx(
        max(one.log_prob for one in trees[-1].candidates if one.fate == "ended"), abs=0.05
    ) or (len(trees) > len(steps))


def test_contrastive_search_streams_with_its_candidates(model: Model) -> None:
    request = Request(ids(model, "The dragon"), max_tokens=5, search=ContrastiveSearch(3, 0.5), ignore_eos=True)
    with Engine(model) as engine:
        stream = engine.submit(request)
        stream.result(20)
        items = list(stream)[:-1]
    assert [type(item) for item in items] == [ContrastiveStep, Step] * 5
    for told, step in zip(items[::2], items[1::2], strict=True):
        assert told.index == step.index and told.tried[told.chosen].token_id == step.token_id
        assert max(one.score for one in told.tried) == told.tried[told.chosen].score


@pytest.mark.parametrize("search", [BeamSearch(4), ContrastiveSearch(4)])
def test_never_more_lanes_than_charged_and_all_of_them_back(search: Any) -> None:
    most = [0]
    backend = Wrapper(before=lambda chunks: most.__setitem__(0, max(most[0], len(backend.lanes))))
    model = toy(backend)
    request = Request(ids(model, "The dragon"), max_tokens=8, search=search, guidance=cfg(1.5), ignore_eos=True)
    with Engine(model, max_lanes=8) as engine:
        run(engine, request)
        assert most[0] <= 8 and backend.num_forks > 8
        assert not backend.lanes and engine.status()["num_lanes_used"] == 0 and engine.status()["kv_bytes_used"] == 0
        with pytest.raises(PlaygroundError, match="needs 10 lanes"):
            engine.submit(Request(request.prompt_ids, search=BeamSearch(5), guidance=cfg(1.5)))


@pytest.mark.parametrize("search", [BeamSearch(4), ContrastiveSearch(4)])
def test_cancelling_frees_every_lane(search: Any) -> None:
    gate = Gate()
    backend = Wrapper(before=gate)
    model = toy(backend)
    with Engine(model) as engine:
        stream = engine.submit(Request(ids(model, "The dragon"), max_tokens=500, search=search, ignore_eos=True))
        gate.open.set()
        until(lambda: len(backend.lanes) == 4)
        assert engine.cancel(stream.id)
        until(lambda: not backend.lanes and engine.status()["num_lanes_used"] == 0)
        assert finished(stream)[1].reason == "cancelled"


def test_a_stage_that_raises_ends_its_own_search_alone(model: Model) -> None:
    prompt = ids(model, "The dragon was not")
    with Engine(model) as engine:
        broken = engine.submit(
            Request(prompt, Chain((Broken(),)), max_tokens=30, search=BeamSearch(3), ignore_eos=True)
        )
        good = engine.submit(Request(prompt, max_tokens=20, search=BeamSearch(3), ignore_eos=True))
        assert finished(broken)[1].reason == "error" and finished(good)[1].reason == "length"
        assert engine.status()["num_lanes_used"] == 0


@pytest.mark.parametrize("search", [BeamSearch(3), ContrastiveSearch(3)])
def test_a_forward_that_found_no_memory_is_made_up_for(search: Any) -> None:
    """The youngest request ends; the search's lanes read their texts again, and it goes on as if nothing had been."""
    gate = Gate()
    backend = Wrapper(before=gate)
    model = toy(backend)
    request = Request(ids(model, "The dragon was not"), max_tokens=12, search=search, ignore_eos=True)

    def fail_once(_: Any) -> None:
        if len(backend.calls) == 9:
            out_of_memory()

    with Engine(model) as engine:
        stream = engine.submit(request)
        gate.reached.wait(20)
        victim = engine.submit(Request(request.prompt_ids, max_tokens=400, ignore_eos=True))
        backend.before = fail_once
        gate.open.set()
        assert [step.token_id for step in finished(stream)[0]] == reference(toy(), replace(request, search=search))
        assert finished(victim)[1].reason == "error"


def test_a_row_of_an_earlier_layer_is_read_again_as_it_was() -> None:
    prompt = (5, 9, 14)
    guidance, branch = Guidance((1.0, -1.0), mask=0.1), Branch(prompt, layers="high")
    with Engine(llama()) as engine:
        steps, _ = run(engine, Request(prompt, max_tokens=6, guidance=guidance, others=(branch,), seed=4))
        keys = [step.other_keys[0] for step in steps]
        before = [engine.store.get(key) for key in keys]
        engine.store.drop("")
        request = Request(prompt, max_tokens=6, guidance=guidance, others=(branch,), seed=4)
        engine.submit(around(request, steps, 2)).result(20)
        for key, row in list(zip(keys, before, strict=True))[:5]:
            torch.testing.assert_close(engine.store.get(key), row, rtol=0, atol=1e-4)
        assert not torch.allclose(engine.store.get(keys[2]), engine.store.get(steps[2].row_key))


def test_stop_strings_end_a_search(model: Model) -> None:
    prompt = ids(model, "The dragon was not")
    for search in (BeamSearch(3), ContrastiveSearch(3), Greedy()):
        with Engine(model) as engine:
            whole = engine.complete("The dragon was not", search=search, max_tokens=12)
            stop = whole.split()[1]
            steps, done = run(engine, Request(prompt, max_tokens=12, search=search, stop=(stop,)))
            assert stop not in "".join(step.text for step in steps)
            assert done.reason in ("stop", "eos")


def test_what_cannot_be_searched_is_refused(model: Model, backend: Wrapper) -> None:
    backend.num_layers = 0  # a model that shows no states
    prompt = ids(model, "The dragon")
    with Engine(model) as engine:
        for wrong in (
            Request(prompt, search=BeamSearch(3), num_samples=2),
            Request(prompt, search="beam"),  # type: ignore[arg-type]
            Request(prompt, search=ContrastiveSearch()),
            Request(prompt, guidance=Guidance((1.0, -1.0)), others=(Branch(prompt, layers="low"),)),
        ):
            with pytest.raises(PlaygroundError):
                engine.submit(wrong)


def test_the_library_takes_a_search_by_name(model: Model) -> None:
    with Engine(model) as engine:
        assert engine.complete("The dragon", search="greedy", max_tokens=5) == engine.complete(
            "The dragon", chain=chain(temperature=0), max_tokens=5
        )
        beams = list(engine.generate("The dragon", search={"search": "beam", "num_beams": 2}, max_tokens=5))
        assert beams and beams[0].index == 0
        with pytest.raises(PlaygroundError, match="no search"):
            engine.complete("The dragon", search="beams")
