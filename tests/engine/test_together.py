"""Batch-mates never change your text: 32 different requests together write what each writes alone."""

from __future__ import annotations

import pytest
import torch

from playground.engine import Branch, Engine, Request, Step
from playground.models import Model
from playground.sampling import Chain, cfg, draw, guide
from tests.engine.wrappers import chain, finished, ids, run

CHAINS = [
    Chain(),
    chain(temperature=0),
    chain(temperature=1.4, min_p=0.05),
    chain(min_p=0.1, temperature=0.8),
    chain(top_p=0.9),
    chain(repetition_penalty=1.2, top_k=40, temperature=1.1),
    chain(frequency_penalty=0.5, presence_penalty=0.3, typical_p=0.9),
]
PROMPTS = [
    "The capital of France is",
    "Once upon a time there was a small dragon who",
    "1 + 1 =",
    "They decided to name their daughter",
    "Они решили назвать свою дочь",
    "def fibonacci(n):\n    ",
    "A long passage that goes on and on, " * 6 + "and then",
]
SCALES = [1.0, 1.5, 1.0, 3.0, -0.5]


def requests(model: Model, max_tokens: int) -> list[Request]:
    """32 requests of which no two are alike."""
    return [
        Request(
            prompt_ids=ids(model, PROMPTS[n % len(PROMPTS)]),
            chain=CHAINS[(3 * n + 1) % len(CHAINS)],
            max_tokens=max_tokens - n % 4,
            seed=n,
            others=(Branch(ids(model, PROMPTS[(n + 2) % len(PROMPTS)])),) if n % 3 == 0 else (),
            guidance=cfg(SCALES[n % len(SCALES)]),
            ignore_eos=True,
        )
        for n in range(32)
    ]


def differences(model: Model, together: list[list[Step]], alone: list[list[Step]]) -> list[int]:
    """Which texts differ anywhere."""
    pairs = enumerate(zip(together, alone, strict=True))
    return [n for n, (a, b) in pairs if [step.token_id for step in a] != [step.token_id for step in b]]


def test_together_as_alone_on_the_toy(model: Model) -> None:
    with Engine(model, prefill_chunk=24) as engine:
        asked = requests(model, 24)
        streams = [engine.submit(request) for request in asked]
        together = [finished(stream)[0] for stream in streams]
        alone = [run(engine, request)[0] for request in asked]
    assert differences(model, together, alone) == []
    assert len({tuple(step.token_id for step in text) for text in together}) > 20, "else this shows nothing"


@pytest.mark.model
def test_together_as_alone_on_the_real_model(placed_model: Model, request: pytest.FixtureRequest) -> None:
    if "bfloat16" in request.node.name:
        pytest.skip("in bf16 sums differ with the batch and texts part; how often was not measured: no GPU yet")
    with Engine(placed_model) as engine:
        asked = requests(placed_model, 12)
        streams = [engine.submit(one) for one in asked]
        together = [finished(stream)[0] for stream in streams]
        alone = [run(engine, one)[0] for one in asked]
        parted = differences(placed_model, together, alone)
        print(f"{len(parted)} of {len(asked)} texts part")
        for n in parted:
            assert_a_hair_apart(engine, asked[n], together[n], alone[n])
    assert len(parted) <= 1


def assert_a_hair_apart(engine: Engine, asked: Request, together: list[Step], alone: list[Step]) -> None:
    """Where the texts part, the rows of the two runs agree to 1e-4 and the dart lies within 1e-5 of a boundary."""
    place = next(n for n, (a, b) in enumerate(zip(together, alone, strict=True)) if a.token_id != b.token_id)
    a, b = together[place], alone[place]
    rows = [rows_of(engine, step) for step in (a, b)]
    for one, other in zip(*rows, strict=True):
        assert (one - other).abs().max() <= 1e-4
    prompt, *negative = rows[0]
    base = guide(prompt, negative[0], asked.guidance.weights[0]) if negative else prompt
    history = torch.tensor([*asked.prompt_ids, *(step.token_id for step in together[:place])])
    final = asked.chain.apply(base, history[None], len(asked.prompt_ids))
    start, width = draw.place(final, torch.tensor([a.token_id]))
    assert min(abs(a.uniform - float(start)), abs(a.uniform - float(start + width))) <= 1e-5


def rows_of(engine: Engine, step: Step) -> list[torch.Tensor]:
    """float32[1,V] of each branch of a step, from the store."""
    keys = [step.row_key, *step.other_keys]
    return [torch.frombuffer(bytearray(engine.row(key)), dtype=torch.float32)[None] for key in keys]


def test_the_rule_for_near_ties_refuses_what_is_not_near(model: Model) -> None:
    """The rule itself must be able to fail: two texts of different seeds part far from any boundary."""
    with Engine(model) as engine:
        asked = [Request(ids(model, "The"), chain(temperature=1.5), 12, seed=n, ignore_eos=True) for n in (1, 2)]
        one, other = (run(engine, request)[0] for request in asked)
        with pytest.raises(AssertionError):
            assert_a_hair_apart(engine, asked[0], one, other)
