"""Answers computed by llama.cpp and transformers: every case whose samplers exist here agrees."""

import json
from pathlib import Path

import pytest
import torch

from playground.sampling import SAMPLERS, Chain

HERE = Path(__file__).resolve().parent
OWN = HERE / "data" / "oracle_cases.json"
SHARED = HERE.parents[2] / "shared" / "oracles" / "samplers.json"  # the whole file, beside the repository


def load(path: Path) -> tuple[float, list[dict]]:
    oracle = json.loads(path.read_text(encoding="utf-8"))
    known = [case for case in oracle["cases"] if all(stage["sampler"] in SAMPLERS for stage in case["chain"])]
    return oracle["tolerance"]["probs_abs"], known


def check(case: dict, tolerance: float) -> None:
    trace = Chain.from_json(case["chain"]).trace(torch.tensor(case["logits"]), case["token_ids"])
    expected = dict(zip(case["ids"], case["probs"], strict=True))
    survivors = (trace.scores > -torch.inf).nonzero()[:, 0].tolist()
    assert survivors == sorted(expected), case["id"]
    assert trace.probs[survivors].tolist() == pytest.approx(
        [expected[each] for each in survivors], abs=tolerance, rel=0
    )


@pytest.mark.parametrize("case", load(OWN)[1], ids=lambda case: case["id"])
def test_own_copy(case):
    check(case, load(OWN)[0])


def test_own_copy_is_not_empty():
    assert len(load(OWN)[1]) >= 89


def test_the_whole_file():
    if not SHARED.exists():
        pytest.skip(f"no oracle file beside the repository ({SHARED.name})")
    tolerance, cases = load(SHARED)
    assert len(cases) >= 222
    for case in cases:
        check(case, tolerance)
