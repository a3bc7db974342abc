"""Parity with transformers' own processors on random batches without ties."""

import copy

import pytest
import torch

from playground.sampling import Chain

processors = pytest.importorskip("transformers").generation.logits_process
HISTORY = torch.randint(0, 300, (6, 40), generator=torch.Generator().manual_seed(5))
HISTORY[:, -2:] = HISTORY[:, 7:9]  # the last two tokens stood there before, so that n-grams repeat

CASES = [
    ("temperature:0.7", processors.TemperatureLogitsWarper(0.7)),
    ("temperature:1.9", processors.TemperatureLogitsWarper(1.9)),
    ("top_k:7", processors.TopKLogitsWarper(7)),
    ("top_p:0.9", processors.TopPLogitsWarper(0.9)),
    ("top_p:0.3", processors.TopPLogitsWarper(0.3)),
    ("min_p:0.05", processors.MinPLogitsWarper(0.05)),
    ("min_p:0.6", processors.MinPLogitsWarper(0.6)),
    ("typical_p:0.9", processors.TypicalLogitsWarper(0.9)),
    ("typical_p:0.2", processors.TypicalLogitsWarper(0.2)),
    ("top_h:0.4", processors.TopHLogitsWarper(0.4)),
    ("top_h:0.95", processors.TopHLogitsWarper(0.95)),
    ("epsilon_cutoff:0.0003", processors.EpsilonLogitsWarper(0.0003)),
    ("epsilon_cutoff:0.9", processors.EpsilonLogitsWarper(0.9)),
    ("eta_cutoff:0.0003", processors.EtaLogitsWarper(0.0003)),
    ("eta_cutoff:0.02", processors.EtaLogitsWarper(0.02)),
    ("no_repeat_ngram:1", processors.NoRepeatNGramLogitsProcessor(1)),
    ("no_repeat_ngram:2", processors.NoRepeatNGramLogitsProcessor(2)),
    ("no_repeat_ngram:3", processors.NoRepeatNGramLogitsProcessor(3)),
    ("token_ban:3_9", processors.SuppressTokensLogitsProcessor([3, 9])),
    ("repetition_penalty:1.3", processors.RepetitionPenaltyLogitsProcessor(1.3)),
    ("logit_bias:3_2.5_9_-4", processors.SequenceBiasLogitsProcessor({(3,): 2.5, (9,): -4.0})),
]


@pytest.mark.parametrize("num_tokens", [300, 5000])
@pytest.mark.parametrize(("url", "processor"), CASES, ids=[url for url, _ in CASES])
def test_same_survivors_and_scores(url, processor, num_tokens):
    processor = copy.copy(processor)  # one of them keeps tensors of the first vocabulary it sees
    scores = 4 * torch.randn(6, num_tokens, generator=torch.Generator().manual_seed(num_tokens))
    ours = Chain.from_url(url).apply(scores, HISTORY)
    theirs = processor(HISTORY, scores.clone())
    assert torch.equal(ours == -torch.inf, theirs == -torch.inf)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert not torch.equal(ours, scores)


def test_a_whole_chain_in_their_order():
    scores = 4 * torch.randn(6, 5000, generator=torch.Generator().manual_seed(1))
    ours = Chain.from_url("repetition_penalty:1.2,temperature:1.4,top_k:200,top_p:0.95,min_p:0.02").apply(
        scores, HISTORY
    )
    theirs = scores.clone()
    for processor in (
        processors.RepetitionPenaltyLogitsProcessor(1.2),
        processors.TemperatureLogitsWarper(1.4),
        processors.TopKLogitsWarper(200),
        processors.TopPLogitsWarper(0.95),
        processors.MinPLogitsWarper(0.02),
    ):
        theirs = processor(HISTORY, theirs)
    assert torch.equal(ours == -torch.inf, theirs == -torch.inf)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6)
