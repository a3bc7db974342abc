"""KoboldCpp: seven slots between a prefilter and XTC.

Knows nothing about other engines.
"""

from playground.sampling.orders.order import Order, Stage

_TEMPERED = ("temperature", "dynamic_temperature", "quadratic")
_BEFORE_MIROSTAT = ("logit_bias", "token_ban", "dry", "repetition_penalty", "presence_penalty", *_TEMPERED)

ORDER = Order(
    name="KoboldCpp",
    version="1.76 and later",
    stages=(
        Stage("logit_bias", limits={"bias": (-100, 100)}),
        Stage("token_ban"),
        Stage("dry", flavour="koboldcpp"),
        Stage("top_k", always={"top_k": 3000, "flavour": "llama.cpp"}, says="lets in only the 3,000 best tokens"),
        Stage("repetition_penalty"),
        Stage("presence_penalty"),
        Stage("top_k", default={"top_k": 100}, flavour="llama.cpp"),
        Stage("top_a"),
        Stage("tail_free"),
        Stage("typical_p"),
        Stage("top_p", default={"top_p": 0.92}),
        Stage("min_p"),
        Stage("temperature", default={"temperature": 0.75}),
        Stage("dynamic_temperature"),
        Stage("quadratic"),
        Stage("top_n_sigma", flavour="koboldcpp"),
        Stage("xtc"),
        Stage("mirostat"),
        Stage("mirostat_v2"),
        Stage("adaptive_p"),
    ),
    says="Truncates first, then temperature, then top-nσ; XTC always comes last.",
    source="gpttype_adapter.cpp: SampleLogits and sampler_order [6, 0, 1, 3, 4, 2, 5]",
    movable=True,
    quirks=(
        "Only the 3,000 best tokens enter at all (SampleLogits).",
        "Min-p shares the slot of top-p and cannot be moved alone; smoothing and top-nσ share that of temperature.",
        "It has no frequency penalty; its OpenAI route takes that number for the presence penalty.",
        "XTC's threshold is 0.2 unless set, twice that of the others.",
        "The older half of the repetition window can be penalised less (rep_pen_slope), which nothing here can say.",
    ),
    guides=True,
    one_window=("repetition_penalty", "presence_penalty"),
    alone={"mirostat": _BEFORE_MIROSTAT, "mirostat_v2": _BEFORE_MIROSTAT},
    instead={"dynamic_temperature": "temperature"},
)
