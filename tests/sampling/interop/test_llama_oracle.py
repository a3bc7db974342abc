"""The exported llama.cpp settings, read back, give the answers that llama.cpp computed; they are stored here."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from playground.sampling import SAMPLERS, Chain
from playground.sampling.interop import Setup, export, parse

CASES = json.loads((Path(__file__).parents[1] / "data" / "oracle_cases.json").read_text(encoding="utf-8"))
OF_LLAMA = [
    case
    for case in CASES["cases"]
    if case["source"] == "llama.cpp" and all(stage["sampler"] in SAMPLERS for stage in case["chain"])
]


def unequal_windows(chain: Chain) -> bool:
    """llama.cpp's three penalties are one stage: cases with a window each were computed with three of them."""
    penalties = [place for place, one in enumerate(chain.samplers) if one.name.endswith("_penalty")]
    apart = [later - earlier for earlier, later in pairwise(penalties)]
    return len({chain.samplers[place].last_n for place in penalties}) > 1 or any(step > 1 for step in apart)


@pytest.mark.parametrize("target", ["llama_server", "llama_cli"])
@pytest.mark.parametrize("case", OF_LLAMA, ids=lambda case: case["id"])
def test_the_request_gives_the_stored_answer(case, target):
    chain = Chain.from_json(case["chain"])
    written = export(target, Setup(chain))
    if unequal_windows(chain):
        assert written.losses, "what one stage cannot say must be said in words"
        return
    assert not [loss for loss in written.losses if "computes no entropy" not in loss], written.losses
    assert '"samplers"' in written.text or "--samplers" in written.text
    taken = parse(written.text).setup.chain
    trace = taken.trace(torch.tensor(case["logits"]), case["token_ids"])
    survivors = (trace.scores > -torch.inf).nonzero()[:, 0].tolist()
    assert survivors == sorted(case["ids"])
    expected = dict(zip(case["ids"], case["probs"], strict=True))
    assert trace.probs[survivors].tolist() == pytest.approx(
        [expected[one] for one in survivors], abs=CASES["tolerance"]["probs_abs"], rel=0
    )


def test_there_are_cases():
    whole = [case for case in OF_LLAMA if not unequal_windows(Chain.from_json(case["chain"]))]
    assert len(whole) >= 30 and any(len(case["chain"]) > 3 for case in whole)
