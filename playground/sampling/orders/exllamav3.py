"""exllamav3: a stack that the caller builds; this is the one its ComboSampler builds.

Knows nothing about other engines.
"""

from playground.sampling.orders.order import Order, Stage

_VERSION = "1.4.1"
_BEFORE = (
    Stage("logit_bias"),
    Stage("token_ban"),
    Stage("repetition_penalty"),
    Stage("presence_penalty"),
    Stage("frequency_penalty"),
)
_TEMPERATURE = Stage("temperature", default={"temperature": 0.8})
_CUTS = (
    Stage("min_p", default={"min_p": 0.08}),
    Stage("top_k", flavour="llama.cpp"),
    Stage("top_p", flavour="exllamav3"),
)
_AFTER = (Stage("xtc"), Stage("adaptive_p"))
_PENALTIES = ("presence_penalty", "frequency_penalty")

_LAST = Order(
    name="exllamav3 (temp_last)",
    version=_VERSION,
    stages=(*_BEFORE, *_CUTS, _TEMPERATURE, *_AFTER),
    says="With temp_last, and in its DefaultSampler, temperature comes after the truncations.",
    source="exllamav3/generator/sampler, v1.4.1",
    movable=True,
    one_window=_PENALTIES,
)

ORDER = Order(
    name="exllamav3",
    version=_VERSION,
    stages=(*_BEFORE, _TEMPERATURE, *_CUTS, *_AFTER),
    says="Temperature, min-p, top-k, top-p; temp_last moves temperature behind them.",
    source="exllamav3/generator/sampler: ComboSampler, v1.4.1",
    movable=True,
    quirks=(
        "Top-p drops the token that crosses p (the best one always stays); every other engine keeps it.",
        "XTC flips no coin: it is the exact mixture of both outcomes, as drawn here.",
        "Where no sampler is given, min-p 0.08 comes before temperature 0.8 (DefaultSampler).",
    ),
    one_window=_PENALTIES,
    variants=(_LAST,),
)
