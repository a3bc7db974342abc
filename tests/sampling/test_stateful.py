"""Mirostat and adaptive-p against the plain formulas, over several tokens; the watermark against transformers."""

import math

import pytest
import torch

from playground.sampling import Chain, stack
from playground.sampling.softmax import softmax

ROWS = 3 * torch.randn(5, 300, generator=torch.Generator().manual_seed(8))


def run(chain: Chain, tokens: int = 5) -> list[tuple[float, torch.Tensor]]:
    """Memory and final distribution at each step; always the likeliest survivor but one is drawn."""
    found, state = [], chain.start()
    for row in ROWS[:tokens]:
        final = chain.apply(row[None], state=[state])[0]
        token = int(final.topk(min(2, int((final > -torch.inf).sum()))).indices[-1])
        found.append((state[-1], final, token))
        state = chain.observe(state, row, token)
    return found


@pytest.mark.parametrize("warm", ["", "temperature:1.5,", "top_k:80,"])
def test_mirostat_v2_follows_its_formula(warm):
    mu, tau, eta = 6.0, 3.0, 0.4
    for row, (memory, final, token) in zip(ROWS, run(Chain.from_url(f"{warm}mirostat_v2:{tau}:{eta}")), strict=True):
        assert memory == pytest.approx(mu)
        arriving = softmax(Chain.from_url(warm.rstrip(",")).apply(row[None]))[0]
        kept = (-arriving.log2() <= mu) | (arriving == arriving.max())
        assert torch.equal(final > -torch.inf, kept)
        mu -= eta * (-math.log2(float(arriving[token] / arriving[kept].sum())) - tau)


def test_mirostat_v1_follows_its_formula():
    mu, tau, eta, m = 8.0, 4.0, 0.5, 50
    for row, (memory, final, token) in zip(ROWS, run(Chain.from_url(f"mirostat:{tau}:{eta}:{m}")), strict=True):
        assert memory == pytest.approx(mu)
        probs = row.double().softmax(0)
        ordered = probs.sort(descending=True).values.tolist()
        t = [math.log((i + 2) / (i + 1)) for i in range(m - 1)]
        b = [math.log(ordered[i] / ordered[i + 1]) for i in range(m - 1)]
        s = sum(x * y for x, y in zip(t, b, strict=True)) / sum(x * x for x in t)
        k = int(((s - 1) * 2**mu / (1 - len(ordered) ** (1 - s))) ** (1 / s))
        assert int((final > -torch.inf).sum()) == max(1, min(k, len(ordered)))
        kept = probs[final > -torch.inf]
        assert kept.min() == ordered[len(kept) - 1]
        mu -= eta * (-math.log2(float(probs[token] / kept.sum())) - tau)


@pytest.mark.parametrize("row", [[0.0] * 8, [5.0, -torch.inf, -torch.inf], [3.0], [1.0, 1.0 - math.log(2)]])
@pytest.mark.parametrize("tau", [0.0, 1.0, 100.0])
def test_mirostat_v1_where_its_formula_divides_by_zero(row, tau):
    final = Chain.from_url(f"mirostat:{tau}").apply(torch.tensor([row]))
    assert (final > -torch.inf).any() and not final.isnan().any()


def test_adaptive_p_follows_its_formula():
    target, decay = 0.2, 0.8
    total, weight = target / (1 - decay), 1 / (1 - decay)
    for row, (memory, final, token) in zip(ROWS, run(Chain.from_url(f"adaptive_p:{target}:{decay}")), strict=True):
        assert tuple(memory) == pytest.approx((total, weight))
        probs = row.double().softmax(0)
        aim = min(1, max(0, 2 * target - total / weight))
        distance = (probs - aim).abs() / 0.3
        assert torch.allclose(final.double(), 5 - 10 * distance**2 / (1 + distance), atol=1e-5)
        total, weight = float(probs[token]) + decay * total, 1 + decay * weight


def test_a_forced_token_that_was_removed_teaches_nothing():
    chain = Chain.from_url("top_k:3,mirostat_v2:2")
    state = chain.start()
    assert chain.observe(state, ROWS[0], int(ROWS[0].argmin())) == state
    assert chain.observe(state, ROWS[0], int(ROWS[0].argmax())) != state


def test_memories_in_a_batch_and_in_branches_are_those_of_each_alone():
    urls = [
        "mirostat_v2:3",
        "temperature:2,mirostat_v2:1:0.9",
        "xtc:0.4:0.01,mirostat_v2:2",
        "mirostat:4",
        "adaptive_p:0.3",
    ]
    chains = [Chain.from_url(url) for url in urls]
    states = [(*chain.start()[:-1], chain.observe(chain.start(), ROWS[1], 7)[-1]) for chain in chains]
    together = stack(chains).apply(ROWS, state=states)
    for row, (chain, state) in enumerate(zip(chains, states, strict=True)):
        alone = chain.apply(ROWS[row : row + 1], state=[state])[0]
        assert torch.equal(together[row], alone)
        assert torch.equal(chain.trace(ROWS[row], state=state).scores, alone)


def test_the_memory_follows_the_branch_that_was_drawn():
    chain = Chain.from_url("xtc:0.5:0.001,mirostat_v2:3:1")
    token = int(ROWS[0].argmin())
    acted, not_acted = (chain.observe(chain.start(), ROWS[0], token, coins=(u, None)) for u in (0.1, 0.9))
    plain = Chain.from_url("mirostat_v2:3:1")
    assert not_acted[1:] == plain.observe(plain.start(), ROWS[0], token)
    assert acted != not_acted or acted == chain.start()


def test_notes_and_geometry_speak_of_the_memory():
    trace = Chain.from_url("mirostat_v2:3").trace(ROWS[0], state=(2.5,))
    assert "μ = 2.50 bits" in trace.stages[0].note
    assert (trace.stages[0].cut.axis, trace.stages[0].cut.value) == ("probability", 2**-2.5)
    trace = Chain.from_url("adaptive_p:0.3").trace(ROWS[0])
    assert trace.stages[0].cut.axis == "target" and "aims at 30.0%" in trace.stages[0].note


@pytest.mark.parametrize(
    ("ratio", "bias", "key", "width"), [(0.25, 2.0, 15485863, 1), (0.5, -1.5, 12345, 3), (0.9, 4, 7, 1)]
)
def test_the_watermark_is_that_of_transformers(ratio, bias, key, width):
    transformers = pytest.importorskip("transformers")
    history = torch.randint(0, 300, (5, 6), generator=torch.Generator().manual_seed(2))
    theirs = transformers.WatermarkLogitsProcessor(300, "cpu", ratio, bias, key, "lefthash", width)
    stage = {"sampler": "watermark", "ratio": ratio, "bias": bias, "key": key, "context": width}
    assert torch.equal(Chain.from_json([stage]).apply(ROWS, history), theirs(history, ROWS))
    short = Chain.from_json([{**stage, "context": 7}])
    assert torch.equal(short.apply(ROWS, history), ROWS)


def test_the_watermark_finds_its_tokens_among_survivors_and_tells_their_mass():
    chain = Chain.from_url("top_k:5,watermark:0.5:3")
    assert torch.equal(chain.apply(ROWS, [[3]] * 5), chain.candidates(ROWS, [[3]] * 5, compact=False).full())
    trace = chain.trace(ROWS[0], [3])
    green = Chain.from_url("watermark:0.5:3").apply(torch.zeros(1, 300), [[3]])[0] > 0
    arriving, leaving = (float(trace.stages[at].probs[green].sum()) for at in (0, 1))
    assert trace.stages[1].note == f"green tokens hold {arriving:.1%} of the mass arriving, {leaving:.1%} leaving"
