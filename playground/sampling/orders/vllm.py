"""vLLM: temperature, min-p, then top-k and top-p together.

Knows nothing about other engines.
"""

from playground.sampling.orders.order import Order, Stage

ORDER = Order(
    name="vLLM",
    version="0.33.0",
    stages=(
        Stage("logit_bias", limits={"bias": (-100, 100)}),
        Stage("repetition_penalty", whole_text=True),
        Stage("frequency_penalty", flavour="vllm", limits={"penalty": (-2, 2)}, whole_text=True),
        Stage("presence_penalty", flavour="vllm", limits={"penalty": (-2, 2)}, whole_text=True),
        Stage("token_ban"),
        Stage("temperature", limits={"temperature": (0, 2)}),
        Stage("min_p"),
        Stage("top_k"),
        Stage("top_p", limits={"top_p": (1e-6, 1)}),
    ),
    says="Temperature, then min-p, then top-k and top-p; no setting changes that.",
    source="vllm/v1/sample/sampler.py and the MRV2 sampler, 0.33.0",
    quirks=(
        "A temperature above 2 is refused; one between 0 and 0.01 becomes 0.01 (SamplingParams).",
        "Frequency and presence penalties count the output alone, the repetition penalty the prompt as well.",
        "The older V1 engine bans words before the bias, MRV2 after the penalties; the rest is the same order.",
        "There is no guidance (requests #620 and #15839 were closed).",
    ),
)
