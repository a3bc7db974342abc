"""Compaction: after a truncation stages work on the survivors only, with exactly the results of the plain way."""

import pytest
import torch

from playground.sampling import SAMPLERS, Chain, Context
from playground.sampling.candidates import Candidates, compacted

WIDE = 3 * torch.randn(3, 4000, generator=torch.Generator().manual_seed(3))
HISTORY = [torch.randint(0, 4000, (60 + row,), generator=torch.Generator().manual_seed(row)) for row in range(3)]


@pytest.mark.parametrize("first", ["top_k:40", "min_p:0.05", "top_p:0.6", "typical_p:0.3"])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_stage_after_a_truncation_equals_the_plain_way(first, name):
    survivor = int(Chain.from_url(first).apply(WIDE)[0].argmax())
    settings = {"bias": {str(survivor): -2.0, "3": 4.0}} if name == "logit_bias" else {}
    chain = Chain((*Chain.from_url(first).samplers, SAMPLERS[name](**settings)))
    best = WIDE.topk(9).indices  # and the first three of them again, so that the fourth would repeat a passage
    history = [torch.cat([row, best[number], best[number, :3]]) for number, row in enumerate(HISTORY)]
    fast = chain.candidates(WIDE, history)
    plain = chain.candidates(WIDE, history, compact=False)
    assert fast.scores.shape[1] < 1000 and plain.scores.shape[1] == 4000  # the fast path is the one taken
    assert torch.equal(fast.full(), plain.full())
    if SAMPLERS[name].kind == "penalty":  # and it found its tokens among the candidates
        assert not torch.equal(fast.full(), Chain.from_url(first).apply(WIDE))


def test_a_row_without_truncation_stays_whole():
    assert Chain.from_url("temperature:0.5").candidates(WIDE).scores.shape == WIDE.shape
    assert Chain.from_url("top_k:3000").candidates(WIDE).scores.shape == WIDE.shape


def test_columns_keep_the_order_of_token_ids_and_pad_at_the_end():
    scores = torch.full((2, 300), -torch.inf)
    scores[0, [7, 250]] = torch.tensor([1.0, 2.0])
    scores[1, [5, 6, 299]] = torch.tensor([3.0, 1.0, 2.0])
    small = compacted(Candidates(scores, Context.of(scores)))
    assert small.context.candidate_ids.tolist() == [[7, 250, 300], [5, 6, 299]]
    assert small.scores.tolist() == [[1.0, 2.0, -torch.inf], [3.0, 1.0, 2.0]]
    assert torch.equal(small.full(), scores)


def test_cells_are_found_among_candidates_of_their_own_row_only():
    context = Context(300, 2, candidate_ids=torch.tensor([[7, 250, 300], [5, 6, 299]]))
    rows, token_ids = torch.tensor([0, 0, 1, 1, 1, 0, 0]), torch.tensor([250, 5, 5, 7, 299, 300, -1])
    found_rows, columns, kept = context.locate(rows, token_ids, torch.device("cpu"))
    assert kept.tolist() == [True, False, True, False, True, False, False]
    assert found_rows.tolist() == [0, 1, 1] and columns.tolist() == [1, 0, 2]


def test_history_tokens_outside_the_vocabulary_are_ignored():
    chain = Chain.from_url("presence_penalty:1")
    scores = torch.zeros(1, 4)
    assert chain.apply(scores, [[9, -1, 2]]).tolist() == [[0.0, 0.0, -1.0, 0.0]]
