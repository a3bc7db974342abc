"""DRY: passages and breakers against the slow definitions, through bind, in every flavour."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.errors import PlaygroundError
from playground.sampling import Chain, stack
from playground.sampling.breakers import last_tokens, resolve
from playground.sampling.repeats import continuations, since_breaker

from .strategies import Words

HISTORIES = st.lists(st.integers(0, 3), max_size=24)


VOCABULARY = Words("a", "b", "c", ":", "a:", ":b", ".\n", "\n", "ab", "", "bc", ".")


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.integers(0, 30))
def test_passages_equal_the_definition(history, longest):
    expected = {}
    for place in range(len(history) - 1):
        length = 0
        while length <= place and history[place - length] == history[-1 - length]:
            length += 1
        if min(length, longest):
            token = history[place + 1]
            expected[token] = max(expected.get(token, 0), min(length, longest))
    assert continuations(history, longest) == expected


def test_passages_may_overlap_and_take_linear_time():
    assert continuations([5, 5, 5, 5], 9) == {5: 3}
    start = time.thread_time()
    continuations([7] * 200_000, 10**6)  # the slow definition would take 20 thousand million steps
    assert time.thread_time() - start < 5


@settings(max_examples=100, deadline=None)
@given(st.text("abc:\n.", min_size=1, max_size=4))
def test_heads_equal_the_definition(text):
    found = resolve([text], VOCABULARY).tails
    for token_id, piece in enumerate(VOCABULARY.pieces):
        word = piece.decode()
        expected = {()} if text in word else set()
        if not expected:
            for split in range(1, len(text)):
                if word.endswith(text[:split]):
                    expected.add(tuple(VOCABULARY.encode(text[split:])))
        assert set(found.get(token_id, ())) == expected


def test_a_breaker_may_span_tokens_and_the_longest_tail_counts():
    breakers = resolve(["b:b"], VOCABULARY)
    assert breakers.tails == {1: ((5,),), 5: ((5,),), 8: ((5,),)} and breakers.singles() == frozenset()
    assert since_breaker([1, 5, 0, 0], breakers.tails) == 2
    assert since_breaker([1, 3, 1, 0], breakers.tails) == 4  # ":" and "b" apart are not how it is encoded
    assert since_breaker([0, 1], resolve(["b"], VOCABULARY).tails) == 0
    assert since_breaker([7, 0, 0], {7: ((), (0,))}) == 1


def test_bytes_and_special_tokens_are_no_obstacle():
    broken = Words("é", "")
    broken.pieces += [b"\xc3", b"\xa9"]
    broken.size = 4
    assert resolve(["é"], broken).tails == {0: ((),)}
    assert last_tokens([":"], VOCABULARY).tails == {4: ((),)}


def bound(flavour: str, breakers: list[str], **settings) -> Chain:
    stage = {"sampler": "dry", "multiplier": 1.0, "flavour": flavour, "sequence_breakers": breakers, **settings}
    return Chain.from_json([stage]).bind(VOCABULARY)


def penalised(chain: Chain, history: list[int]) -> dict[int, float]:
    scores = chain.apply(torch.zeros(1, VOCABULARY.size), [history])[0]
    return {token: -float(score) for token, score in enumerate(scores) if score}


HISTORY = [0, 1, 2, 7, 0, 1, 2, 3, 0, 1, 2]  # "abc\nabc:abc"


def test_flavours_differ_in_their_breakers():
    assert penalised(bound("ours", []), HISTORY) == {7: 1.75, 3: 1.75}
    assert penalised(bound("ours", [":"]), HISTORY) == {7: 1.75}  # ":" itself is spared, and "abc" is behind it
    assert penalised(bound("koboldcpp", [":"]), HISTORY) == {7: 1.75, 3: 1.75}
    assert penalised(bound("koboldcpp", [":"], allowed_length=3), HISTORY) == {}
    assert penalised(bound("ours", [":"], allowed_length=3), HISTORY) == {7: 1.0}
    assert penalised(bound("textgen", [":"]), HISTORY) == {7: 1.75, 3: 1.75}  # there the breaker is "a:", token 4


def test_texts_must_be_bound_and_binding_is_kept():
    chain = Chain.from_json([{"sampler": "dry", "sequence_breakers": [":", "\n"]}])
    with pytest.raises(PlaygroundError, match=r"chain\.bind"):
        chain.apply(torch.zeros(1, 12), [[0, 1, 0, 1]])
    one = chain.bind(VOCABULARY)
    assert one == chain.bind(VOCABULARY) and hash(one) == hash(chain.bind(VOCABULARY)) and one.bind(VOCABULARY) is one
    assert one.to_json() == chain.to_json() and Chain.from_url(one.to_url()) == chain
    assert one != chain and chain.bind(Words("x", "y")) != one


def test_in_a_batch_each_row_has_its_own_breakers():
    chains = [bound("ours", [":"]), bound("ours", ["\n"]), Chain(), bound("ours", [], multiplier=2.0)]
    assert len(stack(chains).groups) == 1
    together = stack(chains).apply(torch.zeros(4, VOCABULARY.size), [HISTORY] * 4)
    for row, chain in enumerate(chains):
        assert torch.equal(together[row], chain.apply(torch.zeros(1, VOCABULARY.size), [HISTORY])[0])


def test_a_huge_penalty_stays_finite():
    chain = bound("ours", [], multiplier=100.0, base=100.0)
    scores = chain.apply(torch.zeros(1, 12), [[1] * 500])
    assert scores[0, 1] < -1e29 and scores.isfinite().all()
