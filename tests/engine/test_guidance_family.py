"""The guidance family through the engine: any number of branches, over one model or two, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from playground.engine import Branch, Engine, Request, Step, around, request_for
from playground.engine.fleet import Fleet, check_same_vocabulary
from playground.errors import PlaygroundError
from playground.models import Model
from playground.models.backend import Chunk
from playground.models.toy import ToyBackend, load_toy
from playground.sampling import Gate, Guidance, Schedule, cfg, metrics, mix
from tests.engine.wrappers import Wrapper, chain, finished, ids, run, toy
from tests.models.tiny import VOCABULARY_SIZE, tiny_model

HOT = chain(temperature=1.3)
PROMPT = "The old sailor told the children a"
MIXES: dict[str, tuple[Guidance, int]] = {
    "three branches": (Guidance((2.0, -0.6, -0.4)), 2),
    "adacad": (Guidance((2.0, -1.0), schedule=Schedule("divergence", floor=0.05)), 1),
    "gated": (Guidance((2.5, -1.5), gate=Gate("entropy", bits=4.0)), 1),
    "first tokens, masked": (Guidance((1.0, -1.0), (0.5,), mask=0.1, gate=Gate("first", tokens=4)), 1),
    "preadd, linear": (Guidance((2.0, -1.0), schedule=Schedule("linear", start=0, end=1, tokens=6)), 1),
    "proxy": (Guidance((1.0, 0.7, -0.7)), 2),
}


def row_of(engine: Engine, key: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(engine.row(key), dtype=np.float32).copy())


def base_by_hand(engine: Engine, guidance: Guidance, step: Step) -> Tensor:
    """float64[V]: gate, schedule, weighted log-probabilities and mask, written out again from the stored rows."""
    prompt, *others = (row_of(engine, key).double() for key in (step.row_key, *step.other_keys))
    logs = [
        torch.log_softmax(row / heat, -1)
        for row, heat in zip([prompt, *others], (1, *guidance.temperatures), strict=True)
    ]
    gate, schedule, strength = guidance.gate, guidance.schedule, 1.0
    if gate.kind == "entropy" and float(metrics.entropy_bits(logs[0].exp())) <= gate.bits:
        return logs[0].exp()
    if gate.kind == "first" and step.index >= gate.tokens:
        return logs[0].exp()
    if schedule.kind == "divergence":
        p, q = logs[0].exp(), logs[1].exp()
        middle = (p + q) / 2
        strength = float((p * (p / middle).log2()).sum() + (q * (q / middle).log2()).sum()) / 2
        strength = max(schedule.floor, strength)
    if schedule.kind == "linear":
        strength = schedule.start + (schedule.end - schedule.start) * min(1.0, step.index / schedule.tokens)
    scores = (1 + strength * (guidance.weights[0] - 1)) * logs[0]
    for weight, log in zip(guidance.weights[1:], logs[1:], strict=True):
        scores = scores + strength * weight * log
    if guidance.mask and strength:
        scores[logs[0].exp() < guidance.mask * logs[0].exp().max() * (1 - 1e-9)] = -torch.inf
    return torch.softmax(scores, -1)


def others(model: Model, count: int) -> tuple[Branch, ...]:
    return tuple(Branch(ids(model, text)) for text in ("The house", "A big dog ran")[:count])


@pytest.mark.parametrize("name", MIXES)
def test_what_is_drawn_from_is_the_published_form(model: Model, backend: Wrapper, name: str) -> None:
    guidance, count = MIXES[name]
    request = Request(ids(model, PROMPT), HOT, 10, 3, guidance, others(model, count), ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        assert all(len(call) == 1 + count for call in backend.calls), "one forward for every branch"
        guided = 0
        for step in steps:
            assert len({step.row_key, *step.other_keys}) == 1 + count
            p = base_by_hand(engine, guidance, step)
            assert step.logprob_base == pytest.approx(float(p[step.token_id].log()), abs=1e-5)
            assert step.base_entropy_bits == pytest.approx(float(metrics.entropy_bits(p)), abs=1e-4)
            model_p = torch.softmax(row_of(engine, step.row_key).double(), -1)
            guided += bool((p - model_p).abs().max() > 1e-6)
        assert 0 < guided <= len(steps) and (guided < len(steps)) == (
            name in ("gated", "first tokens, masked", "preadd, linear")
        )


def test_everybody_together_as_each_alone(model: Model) -> None:
    asked = [
        Request(ids(model, PROMPT), HOT, 12, n, guidance, others(model, count), ignore_eos=True)
        for n, (guidance, count) in enumerate([*MIXES.values(), (cfg(1.5), 1), (Guidance(), 0)])
    ]
    with Engine(model) as engine:
        streams = [engine.submit(request) for request in asked]
        together = [[step.token_id for step in finished(stream)[0]] for stream in streams]
        assert together == [[step.token_id for step in run(engine, request)[0]] for request in asked]
    assert len(set(map(tuple, together))) == len(together)


def test_samples_share_the_prefill_of_three_branches(model: Model, backend: Wrapper) -> None:
    guidance, count = MIXES["three branches"]
    request = Request(ids(model, PROMPT), HOT, 5, 3, guidance, others(model, count), num_samples=4, ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        assert backend.num_forks == 3 * 3 and not backend.lanes
        single, _ = run(engine, replace(request, num_samples=1, first_sample=2))
    assert [step.token_id for step in steps if step.sample == 2] == [step.token_id for step in single]


def test_rows_of_every_branch_are_read_again(model: Model) -> None:
    guidance, count = MIXES["proxy"]
    request = Request(ids(model, PROMPT), HOT, 40, 3, guidance, others(model, count), ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        with pytest.raises(PlaygroundError, match="refill"):
            engine.row(steps[5].other_keys[1])
        engine.submit(around(request, steps, 5)).result()
        assert engine.store.is_recomputed(steps[5].other_keys[1])
        p = base_by_hand(engine, guidance, steps[5])
        assert steps[5].logprob_base == pytest.approx(float(p[steps[5].token_id].log()), abs=1e-5)


def test_weights_of_the_prompt_alone_run_no_other_lane(model: Model, backend: Wrapper) -> None:
    request = Request(ids(model, PROMPT), HOT, 5, 3, Guidance((1.0, 0.0, 0.0)), others(model, 2), ignore_eos=True)
    with Engine(model) as engine:
        steps, _ = run(engine, request)
        plain, _ = run(engine, replace(request, guidance=Guidance(), others=()))
    assert all(len(call) == 1 for call in backend.calls)
    assert [step.token_id for step in steps] == [step.token_id for step in plain]


# Presets by name and by JSON, as the library takes them


def branch_texts(model: Model, **options: Any) -> list[str]:
    request = request_for(model, PROMPT, **options)
    return [model.backend.vocabulary.decode(branch.token_ids) for branch in request.other_branches]


def test_presets_read_what_they_say(model: Model) -> None:
    assert branch_texts(model, guidance="coherence") == [model.backend.vocabulary.decode(ids(model, PROMPT)[-10:])]
    assert branch_texts(model, guidance={"preset": "coherence", "k": 2, "scale": 1.5}) == [
        model.backend.vocabulary.decode(ids(model, PROMPT)[-2:])
    ]
    assert branch_texts(model, guidance="cad", negative_prompt="a") == ["a"]
    assert branch_texts(model, guidance={"preset": "preadd", "text": "Be rude."}) == [f"Be rude. {PROMPT}"]
    assert branch_texts(model, guidance="entropy") == [f"{PROMPT} OUTPUT ERROR"]
    assert branch_texts(model, guidance={"scale": 1.5}) == [" a"]
    chat = branch_texts(model, guidance={"scale": 2, "context": "no_system"}, chat=True, system="Be kind.")
    assert "Be kind" not in chat[0] and PROMPT in chat[0]
    assert PROMPT not in branch_texts(model, guidance={"scale": 2, "context": "none"}, chat=True, system="Be kind.")[0]
    end = request_for(model, PROMPT, guidance={"scale": 2, "context": "bos"}).others[0].token_ids
    assert end == (min(model.backend.vocabulary.eos_ids),), "the toy has no token that begins a text"
    two = request_for(model, PROMPT, guidance={"branches": [{"context": "last", "k": 3}, {"weight": 0.5}]})
    assert two.guidance.weights == (1.0, -1.0, 0.5) and len(two.others) == 2


def test_generate_takes_a_preset(model: Model) -> None:
    with Engine(model) as engine:
        options = {"chain": HOT, "max_tokens": 8, "seed": 5, "ignore_eos": True}
        named = [step.token_id for step in engine.generate(PROMPT, guidance="adacad", **options)]
        request = request_for(model, PROMPT, guidance={"preset": "adacad", "scale": 2.0}, **options)
        assert named == [step.token_id for step in run(engine, request)[0]]
        with pytest.raises(PlaygroundError, match="not both"):
            engine.complete(PROMPT, guidance="cad", guidance_scale=2.0)
        with pytest.raises(PlaygroundError, match="completion mode"):
            engine.complete(PROMPT, guidance={"scale": 2, "context": "no_system"})
        with pytest.raises(PlaygroundError, match="2 models of one vocabulary and 1 is loaded"):
            engine.complete(PROMPT, guidance="contrastive")


# Two models


def test_a_gang_spans_two_models() -> None:
    main, small = Wrapper(), Wrapper()
    small.inner = ToyBackend(is_small=True)
    with Engine(toy(main), others=[toy(small)]) as engine:
        steps = list(engine.generate(PROMPT, guidance="contrastive", chain=HOT, max_tokens=9, ignore_eos=True))
        assert [len(call) for call in main.calls] == [len(call) for call in small.calls] == [1] * 9
        text = ids(engine.model, PROMPT)
        for place, step in enumerate(steps):
            history = text + tuple(earlier.token_id for earlier in steps[:place])
            rows = [
                torch.from_numpy(np.frombuffer(engine.row(key), np.float32).copy())
                for key in (step.row_key, *step.other_keys)
            ]
            for row, backend in zip(rows, (ToyBackend(), ToyBackend(is_small=True)), strict=True):
                assert torch.equal(row, backend.forward([Chunk(0, history)])[0])
            base = mix([Guidance((1.0, -0.5), (0.5,), mask=0.1)], [place], rows[0][None], [rows[1][None]])
            log_p = torch.log_softmax(base[0].double(), -1)
            assert step.logprob_base == pytest.approx(float(log_p[step.token_id]), abs=1e-5)
        assert not main.lanes and not small.lanes
        engine.submit(
            around(request_for(engine.model, PROMPT, guidance="contrastive", other_models=[load_toy(True)]), steps, 1)
        ).result()
        assert engine.store.is_recomputed(steps[1].other_keys[0])


def test_three_models_of_random_weights_sample_and_fork() -> None:
    """Real causal models behind the slot backend: proxy tuning equals the sum of their own plain forwards."""
    from playground.models.choosing import choose_backend

    names = ("llama", "gpt2", "qwen2")
    vocabulary = tiny_vocabulary()
    models = [
        Model(name, choose_backend(tiny_model(name), vocabulary, 64)[0], "", kv_bytes_per_token=64) for name in names
    ]
    for model in models:
        model.backend.release(0)  # those of the check
        model.backend.release(1)
    guidance = Guidance((1.0, 0.8, -0.8))
    prompt = (5, 9, 11, 4)
    request = Request(prompt, HOT, 6, 1, guidance, (Branch(prompt, 1), Branch(prompt, 2)), num_samples=2)
    with Engine(models[0], others=models[1:]) as engine, torch.no_grad():
        steps, _ = run(engine, replace(request, ignore_eos=True))
        for number in range(2):
            history = list(prompt)
            for step in (one for one in steps if one.sample == number):
                logs = [
                    torch.log_softmax(tiny_model(name)(torch.tensor([history])).logits[0, -1].double(), -1)
                    for name in names
                ]
                base = torch.log_softmax(logs[0] + 0.8 * logs[1] - 0.8 * logs[2], -1)
                assert step.logprob_base == pytest.approx(float(base[step.token_id]), abs=1e-4)
                history.append(step.token_id)


def tiny_vocabulary() -> Any:
    class Vocabulary:
        size = VOCABULARY_SIZE
        eos_ids = frozenset({2})

        def encode(self, text: str, special: bool = True) -> list[int]:
            return [ord(char) % VOCABULARY_SIZE for char in text]

        def decode(self, token_ids: Any) -> str:
            return "".join(map(self.label, token_ids))

        def piece(self, token_id: int) -> bytes:
            return f"<{token_id}>".encode()

        def label(self, token_id: int) -> str:
            return f"<{token_id}>"

    return Vocabulary()


def test_other_vocabularies_are_refused() -> None:
    other = load_toy()
    pieces = list(other.backend.vocabulary._pieces)  # type: ignore[attr-defined]
    pieces[300], pieces[301] = pieces[301], pieces[300]
    other.backend.vocabulary._pieces = pieces  # type: ignore[attr-defined]
    with pytest.raises(PlaygroundError, match=r"token 300 is .* in one and .* in the other"):
        Engine(load_toy(), others=[other])
    smaller = load_toy()
    smaller.backend.vocabulary.size -= 1  # type: ignore[misc]
    with pytest.raises(PlaygroundError, match="do not share a vocabulary: their rows hold"):
        check_same_vocabulary(load_toy(), smaller)
    with pytest.raises(PlaygroundError, match="1 to 3 models"):
        Fleet([load_toy()] * 4)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request((1,), guidance=cfg(2.0), others=(Branch((1,), model=1),)), "asks for model 2 and 1 is loaded"),
        (Request((1,), guidance=cfg(2.0), others=(Branch((1,)), Branch((2,)))), "2 were given"),
        (Request((1,), guidance=Guidance((1.0, 1.0, -1.0))), "1 were given"),
    ],
)
def test_branches_that_cannot_be_read_are_refused(model: Model, request_: Request, says: str) -> None:
    with Engine(model) as engine, pytest.raises(PlaygroundError, match=says):
        engine.submit(request_)
