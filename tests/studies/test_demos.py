"""Every sampler has a "show me", and on the default model it does show: the stage changes what the model would say."""

from __future__ import annotations

import pytest
import torch

from playground.models import Model
from playground.sampling import SAMPLERS, Chain, Sampler, metrics

LEAST_MOVED = 0.05
"""Total variation distance: at least one token in twenty would be another."""

everyone = pytest.mark.parametrize("kind", SAMPLERS.values(), ids=SAMPLERS.keys())


def demo_chain(kind: type[Sampler]) -> Chain:
    return Chain.from_json([*kind.demo.before, {"sampler": kind.name, **kind.demo.params}])


def test_every_sampler_has_one() -> None:
    missing = [name for name, kind in SAMPLERS.items() if not hasattr(kind, "demo")]
    assert not missing, f"without a demo: {', '.join(missing)}"


@everyone
def test_it_can_be_put_on_the_page(kind: type[Sampler]) -> None:
    if not hasattr(kind, "demo"):
        pytest.skip("has none, which the test above says")
    chain, says = demo_chain(kind), kind.demo.says
    assert kind.demo.prompt.strip() and "\n" not in kind.demo.prompt
    assert 40 <= len(says) <= 260 and says.endswith(".") and "\n" not in says
    assert not chain.samplers[-1].is_off and kind.name not in {one["sampler"] for one in kind.demo.before}


@pytest.fixture(scope="module")
def rows(default_model: Model) -> dict[str, tuple[torch.Tensor, list[int]]]:
    """prompt -> its next-token logits, float32[V], and its token ids."""
    found = {}
    for prompt in {kind.demo.prompt for kind in SAMPLERS.values() if hasattr(kind, "demo")}:
        token_ids = default_model.tokenizer(prompt)["input_ids"]
        with torch.no_grad():
            logits = default_model.hf_model(torch.tensor([token_ids])).logits[0, -1]
        found[prompt] = logits.float(), token_ids
    return found


@pytest.mark.model
@everyone
def test_it_shows(kind: type[Sampler], rows: dict[str, tuple[torch.Tensor, list[int]]]) -> None:
    if not hasattr(kind, "demo"):
        pytest.skip("has none, which a test above says")
    row, token_ids = rows[kind.demo.prompt]
    trace = demo_chain(kind).trace(row, token_ids, len(token_ids))
    before = trace.stages[-2].probs if len(trace.stages) > 1 else trace.base_probs
    assert float(metrics.tvd(before, trace.probs)) >= LEAST_MOVED


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "stands_first", "least", "most"),
    [
        ("temperature", " small", 14, 16),
        ("top_p", " dragon", 2000, 4000),
        ("min_p", " dragon", 60, 120),
        ("typical_p", " not", 6, 8),
        ("repetition_penalty", " bed", 400, 700),
        ("frequency_penalty", " and", 40, 60),
        ("token_ban", " the", 55, 70),
        ("no_repeat_ngram", " far", 5, 9),
        ("top_h", " small", 9, 10),
        ("p_less", " dragon", 60, 110),
    ],
)
def test_what_it_says_is_so(name, stands_first, least, most, rows, default_model) -> None:
    """The likeliest token and the effective number of choices after the stage, which the sentences speak of."""
    row, token_ids = rows[SAMPLERS[name].demo.prompt]
    trace = demo_chain(SAMPLERS[name]).trace(row, token_ids, len(token_ids))
    assert default_model.tokenizer.decode([int(trace.probs.argmax())]) == stands_first
    assert least <= trace.stages[-1].effective_choices <= most
