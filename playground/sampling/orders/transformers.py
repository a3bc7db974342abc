"""transformers: processors, then the warpers of sampling, in a fixed list.

Knows nothing about other engines.
"""

from playground.sampling.orders.order import Order, Stage

ORDER = Order(
    name="transformers",
    version="5.23.0",
    stages=(
        Stage("logit_bias"),
        Stage("repetition_penalty", whole_text=True),
        Stage("no_repeat_ngram"),
        Stage("token_ban"),
        Stage("temperature"),
        Stage("top_h"),
        Stage("top_k", default={"top_k": 50}),
        Stage("top_p"),
        Stage("min_p"),
        Stage("typical_p"),
        Stage("epsilon_cutoff"),
        Stage("eta_cutoff"),
        Stage("watermark"),
    ),
    guides=True,
    says="Temperature comes before every truncation, and no setting changes that.",
    source="GenerationMixin._get_logits_processor, transformers 5.23",
    quirks=(
        "generate(do_sample=True) keeps only the 50 best tokens unless top_k is set (GenerationConfig 5.23).",
        "Temperature 0 is refused; greedy is do_sample=False, which skips every stage from temperature on.",
        "Top-k keeps all tokens that tie with the last one (TopKLogitsWarper).",
        "A guidance scale turns scores into log-probabilities, so a repetition penalty behind it acts differently.",
    ),
)
