"""Ollama: llama.cpp's order for GGUF files, one of its own in the MLX runner.

Knows nothing about other engines.
"""

from typing import Any

from playground.sampling.orders.order import Order, Stage

_VERSION = "fb307609"
_PENALTIES = ("repetition_penalty", "frequency_penalty", "presence_penalty")
_DEFAULTS: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 0.8},
    "top_k": {"top_k": 40},
    "top_p": {"top_p": 0.9},
}


def _stages(*names: str, top_k: str = "") -> tuple[Stage, ...]:
    rules = {"top_k": top_k}
    return tuple(Stage(name, default=_DEFAULTS.get(name), flavour=rules.get(name, "")) for name in names)


_MLX = Order(
    name="Ollama (MLX runner)",
    version=_VERSION,
    stages=_stages(*_PENALTIES, "top_k", "temperature", "top_p", "min_p"),
    says="In the MLX runner temperature comes between top-k and top-p.",
    source="Ollama's MLX runner, sampler",
    one_window=_PENALTIES,
)

ORDER = Order(
    name="Ollama",
    version=_VERSION,
    stages=_stages(*_PENALTIES, "top_k", "typical_p", "top_p", "min_p", "temperature", top_k="llama.cpp"),
    says="Temperature comes last for GGUF files, and nothing changes the order; the MLX runner has another.",
    source="Ollama's api/types.go and its bundled llama-server",
    quirks=(
        "The same options give other tokens in the MLX runner, which runs top-p and min-p after temperature.",
        "Min-p is sent as 0 unless set, so llama.cpp's own 0.05 never applies.",
        "XTC, DRY, top-nσ and logit bias cannot be set; mirostat was removed.",
    ),
    one_window=_PENALTIES,
    variants=(_MLX,),
)
