"""What text-generation-webui's presets and SillyTavern's share: the stages, their order, their units.

Knows nothing about how either spells the keys beyond what its arguments say.
"""

from __future__ import annotations

from playground.sampling.interop.ordering import Listed, Slot
from playground.sampling.interop.stages import Number, Stage

PER_10000 = 1e4
"""Both write epsilon and eta in ten-thousandths."""
NEWLINES = "XTC: text-generation-webui lets it pass where it would remove a line break or the end of the text."

PRIORITY = Listed(
    "sampler_priority",
    (
        Slot("repetition_penalty", ("repetition_penalty",)),
        Slot("presence_penalty", ("presence_penalty",)),
        Slot("frequency_penalty", ("frequency_penalty",)),
        Slot("dry", ("dry",)),
        Slot("top_n_sigma", ("top_n_sigma",)),
        Slot("temperature", ("temperature",)),
        Slot("dynamic_temperature", ("dynamic_temperature",)),
        Slot("quadratic_sampling", ("quadratic",)),
        Slot("top_k", ("top_k",)),
        Slot("top_p", ("top_p",)),
        Slot("typical_p", ("typical_p",)),
        Slot("epsilon_cutoff", ("epsilon_cutoff",)),
        Slot("eta_cutoff", ("eta_cutoff",)),
        Slot("tfs", ("tail_free",)),
        Slot("top_a", ("top_a",)),
        Slot("min_p", ("min_p",)),
        Slot("adaptive_p", ("adaptive_p",)),
        Slot("mirostat", ("mirostat_v2",)),
        Slot("xtc", ("xtc",)),
        Slot("encoder_repetition_penalty", ()),
        Slot("no_repeat_ngram", ("no_repeat_ngram",)),
    ),
    before=("logit_bias", "token_ban"),
    full=True,
)

PLAIN: tuple[Stage, ...] = (
    Stage("top_k", (Number("top_k", "top_k"),), neutral=0, off_under=0),
    Stage("top_p", (Number("top_p", "top_p"),), neutral=1.0),
    Stage("min_p", (Number("min_p", "min_p"),), neutral=0.0),
    Stage("typical_p", (Number("typical_p", "typical_p"),), neutral=1.0),
    Stage("epsilon_cutoff", (Number("epsilon_cutoff", "epsilon", times=PER_10000),), neutral=0.0),
    Stage("eta_cutoff", (Number("eta_cutoff", "epsilon", times=PER_10000),), neutral=0.0),
    Stage("tail_free", (Number("tfs", "z"),), neutral=1.0),
    Stage("top_a", (Number("top_a", "top_a"),), neutral=0.0),
    Stage(
        "quadratic",
        (Number("smoothing_factor", "factor"), Number("smoothing_curve", "curve", missing=1.0)),
        neutral=0.0,
    ),
    Stage(
        "xtc",
        (Number("xtc_probability", "probability"), Number("xtc_threshold", "threshold", missing=0.1)),
        neutral=0.0,
        warns=NEWLINES,
    ),
    Stage("no_repeat_ngram", (Number("no_repeat_ngram_size", "size"),), neutral=0),
)
"""Stages with the same keys in both."""
