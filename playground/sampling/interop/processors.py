"""Processors: our stages as the source of small transformers LogitsProcessor classes, for code that is taken away.

Knows nothing about transformers itself, which is not imported here; the sources below are run by whoever takes them
(and by the tests).
"""

from __future__ import annotations

from playground.sampling.interop.processor import Processor, own, theirs
from playground.sampling.interop.remembering import ADAPTIVE, DRY, MIROSTAT, MIROSTAT_V2
from playground.sampling.interop.watermarking import WATERMARK

GREEDY = own(
    "Greedy",
    (),
    '''
class Greedy(LogitsProcessor):
    """Temperature 0: only the first of the largest scores stays."""

    def __call__(self, input_ids, scores):
        best = torch.zeros_like(scores, dtype=torch.bool).scatter(1, scores.argmax(-1, keepdim=True), True)
        return scores.masked_fill(~best, -torch.inf)
''',
)

WINDOWED = own(
    "RepetitionWindow",
    ("penalty", "last_n"),
    '''
class RepetitionWindow(LogitsProcessor):
    """The repetition penalty over the last n tokens (0: all)."""

    def __init__(self, penalty, last_n):
        self.penalty, self.last_n = penalty, last_n

    def __call__(self, input_ids, scores):
        seen = torch.zeros_like(scores, dtype=torch.bool).scatter(1, input_ids[:, -self.last_n :], True)
        return torch.where(seen, torch.where(scores > 0, scores / self.penalty, scores * self.penalty), scores)
''',
)

BIAS = Processor(
    "SequenceBiasLogitsProcessor", lambda one: ({(token_id,): bias for token_id, bias in one.bias},), ("bias",)
)
BANS = Processor(
    "BanTokens",
    lambda one: (list(one.tokens),),
    ("tokens",),
    '''
class BanTokens(LogitsProcessor):
    """Tokens that may not come; where that is all of them, the likeliest may."""

    def __init__(self, tokens):
        self.tokens = tokens

    def __call__(self, input_ids, scores):
        banned = scores.clone()
        banned[:, self.tokens] = -torch.inf
        best = torch.zeros_like(scores, dtype=torch.bool).scatter(1, scores.argmax(-1, keepdim=True), True)
        nothing = banned.isneginf().all(-1, keepdim=True)
        return torch.where(nothing, scores.masked_fill(~best, -torch.inf), banned)
'''.strip("\n"),
)

PROCESSORS: dict[str, Processor] = {
    "dry": DRY,
    "mirostat": MIROSTAT,
    "mirostat_v2": MIROSTAT_V2,
    "adaptive_p": ADAPTIVE,
    "watermark": WATERMARK,
    "logit_bias": BIAS,
    "token_ban": BANS,
    "repetition_penalty": theirs("RepetitionPenaltyLogitsProcessor", "penalty"),
    "no_repeat_ngram": theirs("NoRepeatNGramLogitsProcessor", "size", 1),
    "temperature": theirs("TemperatureLogitsWarper", "temperature", 1e-30),
    "top_h": theirs("TopHLogitsWarper", "top_h", 1e-9),
    "top_k": theirs("TopKLogitsWarper", "top_k", 1),
    "top_p": theirs("TopPLogitsWarper", "top_p"),
    "min_p": theirs("MinPLogitsWarper", "min_p"),
    "typical_p": theirs("TypicalLogitsWarper", "typical_p", 1e-9),
    "epsilon_cutoff": theirs("EpsilonLogitsWarper", "epsilon", 1e-30, 1 - 1e-12),
    "eta_cutoff": theirs("EtaLogitsWarper", "epsilon", 1e-30, 1 - 1e-12),
    "frequency_penalty": own(
        "FrequencyPenalty",
        ("penalty", "last_n"),
        '''
class FrequencyPenalty(LogitsProcessor):
    """Take the penalty off once for every time a token stands in the last n tokens (0: all)."""

    def __init__(self, penalty, last_n):
        self.penalty, self.last_n = penalty, last_n

    def __call__(self, input_ids, scores):
        window = input_ids[:, -self.last_n :]
        counts = torch.zeros_like(scores).scatter_add(1, window, torch.ones_like(window, dtype=scores.dtype))
        return scores - self.penalty * counts
''',
    ),
    "presence_penalty": own(
        "PresencePenalty",
        ("penalty", "last_n"),
        '''
class PresencePenalty(LogitsProcessor):
    """Take the penalty off once for every token that stands in the last n tokens (0: all)."""

    def __init__(self, penalty, last_n):
        self.penalty, self.last_n = penalty, last_n

    def __call__(self, input_ids, scores):
        return scores - self.penalty * torch.zeros_like(scores).scatter(1, input_ids[:, -self.last_n :], 1.0)
''',
    ),
    "top_n_sigma": own(
        "TopNSigma",
        ("n",),
        '''
class TopNSigma(LogitsProcessor):
    """Keep the scores that lie at most n standard deviations below the best one."""

    def __init__(self, n):
        self.n = n

    def __call__(self, input_ids, scores):
        here = scores > -torch.inf
        count = here.sum(-1, keepdim=True)
        distance = scores.double() - scores.max(-1, keepdim=True).values
        mean = distance.masked_fill(~here, 0).sum(-1, keepdim=True) / count
        sigma = ((distance - mean).masked_fill(~here, 0) ** 2).sum(-1, keepdim=True).div(count).sqrt()
        return scores.masked_fill(distance < -self.n * sigma, -torch.inf)
''',
    ),
    "top_a": own(
        "TopA",
        ("top_a",),
        '''
class TopA(LogitsProcessor):
    """Keep tokens at least a times as likely as the square of the highest probability; the likeliest always."""

    def __init__(self, a):
        self.a = a

    def __call__(self, input_ids, scores):
        probs = scores.double().softmax(-1)
        best = probs.max(-1, keepdim=True).values
        return scores.masked_fill((probs < self.a * best**2) & (probs < best), -torch.inf)
''',
    ),
    "p_less": own(
        "PLess",
        (),
        '''
class PLess(LogitsProcessor):
    """Keep tokens at least as likely as two draws are to be the same token."""

    def __call__(self, input_ids, scores):
        probs = scores.double().softmax(-1)
        same = (probs**2).sum(-1, keepdim=True)
        return scores.masked_fill((probs < same) & (probs < probs.max(-1, keepdim=True).values), -torch.inf)
''',
    ),
    "quadratic": own(
        "Quadratic",
        ("factor", "curve"),
        '''
class Quadratic(LogitsProcessor):
    """Bend the distances to the best score into a parabola (curve 1) or towards a cubic (curve 3)."""

    def __init__(self, factor, curve):
        self.factor, self.curve = factor, curve

    def __call__(self, input_ids, scores):
        best = scores.max(-1, keepdim=True).values.double()
        distance = scores.double() - best
        bent = -self.factor * distance**2 * ((3 - self.curve) / 2 - (self.curve - 1) / 2 * distance)
        return torch.where(scores > -torch.inf, (best + bent).to(scores.dtype), scores)
''',
    ),
    "dynamic_temperature": own(
        "DynamicTemperature",
        ("low", "high", "exponent"),
        '''
class DynamicTemperature(LogitsProcessor):
    """A temperature between low (sure) and high (unsure), by the entropy's share of the highest possible one."""

    def __init__(self, low, high, exponent):
        self.low, self.high, self.exponent = low, high, exponent

    def __call__(self, input_ids, scores):
        probs = scores.double().softmax(-1)
        left = (scores > -torch.inf).sum(-1, keepdim=True)
        share = (torch.special.entr(probs).sum(-1, keepdim=True) / left.double().log()).nan_to_num(0).clamp(0, 1)
        temperature = self.low + (self.high - self.low) * share**self.exponent
        return torch.where(left > 1, scores / temperature.clamp(min=1e-6).to(scores.dtype), scores)
''',
    ),
    "tail_free": own(
        "TailFree",
        ("z",),
        '''
class TailFree(LogitsProcessor):
    """Cut where the bends of the sorted probabilities have added up to z of all bends."""

    def __init__(self, z):
        self.z = z

    def __call__(self, input_ids, scores):
        cut = scores.clone()
        for row in range(scores.shape[0]):
            order = scores[row].argsort(descending=True, stable=True)[: int((scores[row] > -torch.inf).sum())]
            bends = scores[row].double().softmax(-1)[order].diff().diff().abs()
            if bends.numel() == 0:
                continue
            if bends.sum() <= 1e-6:
                bends = torch.ones_like(bends)
            past = (bends.cumsum(0) / bends.sum() > self.z + 1e-6)[1:].nonzero()
            if past.numel():
                cut[row, order[1 + int(past[0]) :]] = -torch.inf
        return cut
''',
    ),
    "xtc": own(
        "Xtc",
        ("probability", "threshold"),
        '''
class Xtc(LogitsProcessor):
    """With a probability, remove all tokens above the threshold but the least likely of them."""

    def __init__(self, probability, threshold):
        self.probability, self.threshold = probability, threshold

    def __call__(self, input_ids, scores):
        probs = scores.double().softmax(-1)
        top = probs >= self.threshold
        least = torch.where(top, probs, torch.inf).min(-1, keepdim=True).values
        coin = torch.rand(scores.shape[0], 1, device=scores.device) < self.probability
        return scores.masked_fill(coin & top & (probs > least), -torch.inf)
''',
        lambda one, notes: notes.hint(
            "XTC throws its coin at each token; its long-run mixture is the distribution drawn here."
        ),
    ),
}
"""By stage. A stage that is not here cannot be taken to transformers."""
