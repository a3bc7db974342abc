"""Beam search by hand, against transformers token for token, and against trying every text."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor

from playground.sampling import SAMPLERS, Chain
from playground.sampling.search.beam import Beams, BeamSearch, Candidate, advance, best_so_far, step_scores

Model = Callable[[tuple[int, ...]], Tensor]
"""Written tokens -> float[V] logits."""


def decode(
    search: BeamSearch, model: Model, room: int, stops: tuple[int, ...] = (), chain: Chain | None = None,
    prompt: tuple[int, ...] = (),
) -> tuple[Beams, list[tuple[Candidate, ...]]]:  # fmt: skip
    """The whole search, recomputing every row from scratch."""
    beams, steps = Beams(), []
    while not beams.is_over:
        base = torch.stack([model(one.token_ids) for one in beams.running])
        histories = [torch.tensor(prompt + one.token_ids, dtype=torch.int64) for one in beams.running]
        scores = step_scores(search, base, partial((chain or Chain()).apply, token_ids=histories))
        ends = lambda token_ids: token_ids[-1] in stops or len(token_ids) == room  # noqa: E731
        beams, candidates = advance(search, beams, scores, len(stops), room, ends)
        steps.append(candidates)
    return beams, steps


def _paper_model(token_ids: tuple[int, ...]) -> Tensor:
    """Three tokens A B C. The best first token leads nowhere: A 0.5 B 0.4 C 0.1; after A all alike; after B: C 0.9."""
    table = {(): (0.5, 0.4, 0.1), (0,): (0.34, 0.33, 0.33), (1,): (0.05, 0.05, 0.9), (2,): (0.2, 0.2, 0.6)}
    return torch.tensor(table[token_ids[-1:] if token_ids else ()]).log()


def test_the_example_on_paper() -> None:
    """Two beams find B C (0.4 * 0.9 = 0.36), where greedy takes A A (0.5 * 0.34 = 0.17)."""
    beams, (first, second) = decode(BeamSearch(num_beams=2), _paper_model, room=2)
    assert [(one.token_id, one.fate) for one in first] == [(0, "kept"), (1, "kept"), (2, "dropped")]
    assert beams.finished[0].token_ids == (1, 2)
    assert beams.finished[0].log_prob == pytest.approx(torch.tensor(0.36).log().item())
    assert beams.finished[0].score == pytest.approx(torch.tensor(0.36).log().item() / 2)
    assert second[0].parent == 1 and second[0].fate == "ended"
    greedy, _ = decode(BeamSearch(num_beams=1), _paper_model, room=2)
    assert greedy.finished[0].token_ids == (0, 0)


def test_the_length_penalty_decides_between_short_and_long() -> None:
    """Token 2 ends. Ending at once: ln 0.4; one token more: ln(0.6 * 0.6) = ln 0.36, over two tokens."""

    def model(token_ids: tuple[int, ...]) -> Tensor:
        return torch.tensor((0.6, 1e-9, 0.4) if not token_ids else (0.4, 1e-9, 0.6)).log()

    short, _ = decode(BeamSearch(num_beams=2, length_penalty=0.0), model, room=4, stops=(2,))
    assert short.finished[0].token_ids == (2,)
    long, _ = decode(BeamSearch(num_beams=2, length_penalty=1.0), model, room=4, stops=(2,))
    assert long.finished[0].token_ids == (0, 2)
    assert long.finished[0].score == pytest.approx(torch.tensor(0.36).log().item() / 2)


def test_ties_go_to_the_better_parent_and_the_smaller_token() -> None:
    beams, steps = decode(BeamSearch(num_beams=3), lambda _: torch.zeros(50), room=2)
    assert [(one.parent, one.token_id) for one in steps[0][:3]] == [(0, 0), (0, 1), (0, 2)]
    assert [one.token_ids for one in beams.finished] == [(0, 0), (0, 1), (0, 2)]


def test_beams_as_wide_as_the_tree_find_the_best_text_there_is() -> None:
    rows = torch.randn(200, 5, generator=torch.Generator().manual_seed(3)).log_softmax(-1).double()

    def model(token_ids: tuple[int, ...]) -> Tensor:
        return rows[sum((token_id + 1) * 6**place for place, token_id in enumerate(token_ids)) % 200]

    beams, _ = decode(BeamSearch(num_beams=25), model, room=3)
    texts = itertools.product(range(5), repeat=3)
    best = max(texts, key=lambda text: sum(float(model(text[:place])[text[place]]) for place in range(3)))
    assert beams.finished[0].token_ids == best


def test_what_the_chain_removes_is_on_no_beam() -> None:
    model = lambda _: torch.tensor([3.0, 2.0, 1.0, 0.0])  # noqa: E731
    chain = Chain((SAMPLERS["top_k"](top_k=2),))
    for flavour in ("ours", "transformers"):
        _, steps = decode(BeamSearch(num_beams=4, flavour=flavour), model, room=3, chain=chain)
        assert {one.token_id for candidates in steps for one in candidates} == {0, 1}
    # Ours shares the mass among the survivors, transformers' leaves the log-probabilities as they were.
    ours = step_scores(BeamSearch(), model(())[None], chain.apply).exp()
    theirs = step_scores(BeamSearch(flavour="transformers"), model(())[None], chain.apply).exp()
    assert ours.sum().item() == pytest.approx(1.0)
    assert theirs.sum().item() == pytest.approx(model(()).softmax(-1)[:2].sum().item())


def test_the_best_so_far_is_running_or_finished() -> None:
    beams = Beams()
    assert best_so_far(BeamSearch(), beams).token_ids == ()
    beams, _ = decode(BeamSearch(num_beams=2), _paper_model, room=2)
    assert best_so_far(BeamSearch(num_beams=2), beams).token_ids == (1, 2)


@cache
def _tiny(seed: int) -> Any:
    import transformers

    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.2)
    return model.requires_grad_(False)


@pytest.mark.parametrize("early_stopping", ["estimate", "first", "never"])
@pytest.mark.parametrize("length_penalty", [-1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("num_beams", [2, 5])
def test_token_for_token_as_transformers(num_beams: int, length_penalty: float, early_stopping: str) -> None:
    prompt, room = (5, 9, 14), 9
    search = BeamSearch(num_beams, length_penalty, early_stopping, "transformers")
    for seed, penalty, stops in ((0, 1.0, (2,)), (1, 1.0, (2, 7, 11, 30, 31)), (2, 1.3, (2,)), (3, 1.3, (2, 9))):
        model = _tiny(seed)
        settings: dict[str, Any] = {"early_stopping": {"estimate": False, "first": True}.get(early_stopping, "never")}
        theirs = model.generate(
            torch.tensor([prompt]), num_beams=num_beams, max_new_tokens=room, do_sample=False, eos_token_id=list(stops),
            length_penalty=length_penalty, repetition_penalty=penalty, return_dict_in_generate=True, output_scores=True,
            **settings,
        )  # fmt: skip
        chain = Chain((SAMPLERS["repetition_penalty"](penalty=penalty),)) if penalty != 1.0 else None
        ours, _ = decode(search, _rows(model, prompt), room, stops, chain, prompt)
        written = theirs.sequences[0, len(prompt) :].tolist()
        assert written[: len(ours.finished[0].token_ids)] == list(ours.finished[0].token_ids)
        assert set(written[len(ours.finished[0].token_ids) :]) <= {0}  # padding
        assert ours.finished[0].score == pytest.approx(theirs.sequences_scores.item(), abs=1e-4)


def _rows(model: Any, prompt: tuple[int, ...]) -> Model:
    @cache
    def rows(token_ids: tuple[int, ...]) -> Tensor:
        with torch.no_grad():
            return model(input_ids=torch.tensor([prompt + token_ids]), use_cache=False).logits[0, -1]

    return rows
