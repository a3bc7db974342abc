"""text-generation-webui: its loaders over transformers, sorted by sampler_priority.

Knows nothing about other engines.
"""

from playground.sampling.orders.order import Order, Stage

_VERSION = "1dcde41d"
_SOURCE = "modules/sampler_hijack.py and presets, 1dcde41d"
_WINDOWED = ("repetition_penalty", "presence_penalty", "frequency_penalty", "dry")
_BIASES = ("logit_bias", "token_ban")
_TEMPERED = ("temperature", "dynamic_temperature", "quadratic")
_CUTS = ("top_k", "top_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "tail_free", "top_a", "min_p")
_OWN = ("dry", "top_n_sigma", "tail_free")
_LAST = ("xtc", "no_repeat_ngram", "adaptive_p", "mirostat_v2")


def _stages(*names: str) -> tuple[Stage, ...]:
    return tuple(Stage(name, flavour="textgen" if name in _OWN else "") for name in names)


_TEMPERATURE_LAST = Order(
    name="text-generation-webui (temperature_last)",
    version=_VERSION,
    stages=_stages(*_BIASES, *_WINDOWED, "top_n_sigma", *_CUTS, "xtc", "no_repeat_ngram", *_TEMPERED, *_LAST[2:]),
    says="With temperature_last the temperatures come after every truncation.",
    source=_SOURCE,
    movable=True,
    one_window=_WINDOWED,
    guides=True,
)

ORDER = Order(
    name="text-generation-webui",
    version=_VERSION,
    stages=_stages(*_BIASES, *_WINDOWED, "top_n_sigma", *_TEMPERED, *_CUTS, *_LAST),
    says="Penalties, top-nσ, temperature, then the truncations; temperature_last and the list itself change that.",
    source=_SOURCE,
    movable=True,
    quirks=(
        "Top-nσ counts every removed token as a score of 0 in σ, so it cuts elsewhere than in llama.cpp.",
        "Tail-free keeps one token more than in KoboldCpp, and never the last one of the vocabulary.",
        "XTC does nothing where it would remove a line break or the end of the text.",
        "Epsilon and eta are set in units of 0.0001.",
        "With the llama.cpp loader the list is sent to llama.cpp, which runs it by its own rules.",
    ),
    one_window=_WINDOWED,
    guides=True,
    variants=(_TEMPERATURE_LAST,),
)
