"""llama.cpp: penalties and truncations on the model's own scale, temperature last.

Knows nothing about other engines.
"""

from playground.sampling.orders.order import Order, Stage

ORDER = Order(
    name="llama.cpp",
    version="0c1e57098",
    stages=(
        Stage("logit_bias"),
        Stage("token_ban"),
        Stage("repetition_penalty"),
        Stage("frequency_penalty"),
        Stage("presence_penalty"),
        Stage("dry"),
        Stage("top_n_sigma"),
        Stage("top_k", default={"top_k": 40}, flavour="llama.cpp"),
        Stage("typical_p"),
        Stage("top_p", default={"top_p": 0.95}),
        Stage("min_p", default={"min_p": 0.05}),
        Stage("xtc"),
        Stage("temperature", default={"temperature": 0.8}),
        Stage("dynamic_temperature"),
        Stage("mirostat"),
        Stage("mirostat_v2"),
        Stage("adaptive_p"),
    ),
    says="Temperature comes last, so truncations see the model's own probabilities; the list can be changed.",
    source="common/sampling.cpp and common.h, llama.cpp 0c1e57098",
    movable=True,
    quirks=(
        "The three penalties are one stage with one window, 64 tokens unless set, prompt included.",
        "Top-k keeps exactly k tokens; which of those that tie is left to the sort.",
        "A mirostat replaces the whole list but for bias and temperature (common_sampler_init).",
        "A list of samplers without penalties switches them off, whatever they are set to.",
        "A GGUF file can bring its own values and order (general.sampling.*).",
    ),
    one_window=("repetition_penalty", "frequency_penalty", "presence_penalty"),
    alone={
        "mirostat": ("logit_bias", "token_ban", "temperature"),
        "mirostat_v2": ("logit_bias", "token_ban", "temperature"),
    },
    instead={"dynamic_temperature": "temperature"},
)
