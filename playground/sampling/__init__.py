"""Sampling: what happens between a model's logits and the next token, as pure functions over tensors.

Knows nothing about models, threads, files or pages; imports torch and playground.errors only.
"""

from playground.sampling import draw, metrics, orders
from playground.sampling.batch import BatchPlan, stack
from playground.sampling.chain import Chain
from playground.sampling.context import Context
from playground.sampling.cut import Cut
from playground.sampling.guidance import Gate, Guidance, Schedule, cfg
from playground.sampling.mixing import Moment, guide, mix, moment
from playground.sampling.param import Param
from playground.sampling.presets import PRESETS, recipe_from_json
from playground.sampling.recipe import Context as GuidanceContext
from playground.sampling.recipe import Recipe
from playground.sampling.registry import SAMPLERS
from playground.sampling.sampler import Demo, Example, Sampler
from playground.sampling.softmax import usable_rows
from playground.sampling.trace import ABSENT, ALIVE, StageTrace, Trace

__all__ = [
    "ABSENT",
    "ALIVE",
    "PRESETS",
    "SAMPLERS",
    "BatchPlan",
    "Chain",
    "Context",
    "Cut",
    "Demo",
    "Example",
    "Gate",
    "Guidance",
    "GuidanceContext",
    "Moment",
    "Param",
    "Recipe",
    "Sampler",
    "Schedule",
    "StageTrace",
    "Trace",
    "cfg",
    "draw",
    "guide",
    "metrics",
    "mix",
    "moment",
    "orders",
    "recipe_from_json",
    "stack",
    "usable_rows",
]
