"""The published members of the guidance family, as data: what the other branches read, weights, mask, gate, schedule.

Knows nothing about tokens, models or logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from playground.errors import PlaygroundError
from playground.sampling.guidance import BRANCH_TEMPERATURE, MASK, SCALE, WEIGHT, Gate, Schedule
from playground.sampling.param import shortened
from playground.sampling.recipe import NUM_LAST, Context, Recipe, branches_from_json, mask_from_json
from playground.sampling.search.dola import PLAUSIBLE as DOLA_MASK


@dataclass(frozen=True)
class Preset:
    """One method. ``recipe`` stands at its published strength; what may be turned besides the scale is ``knobs``."""

    title: str
    summary: str
    formula: str
    source: str
    scale_is: str
    """What the paper calls scale − 1 (or the scale)."""
    recipe: Recipe
    knobs: tuple[str, ...] = ()
    """Of k, context, heat (the branch temperature), mask, bits, tokens, start, end, over, floor, rate, limit."""
    text: str = ""
    """What the second text box means here; empty: it is not read."""
    default_text: str = ""
    """What stands there while the box is empty."""


def _recipe(name: str, *contexts: Context, weights: tuple[float, ...] = (2.0, -1.0), **more: Any) -> Recipe:
    return Recipe(name, contexts, weights, **more)


PRESETS: dict[str, Preset] = {
    "cfg": Preset(
        "CFG",
        "Stresses what the whole prompt says over what its last token alone (or a negative prompt) would say.",
        "γ·log p(prompt) + (1 − γ)·log p(other)",
        "Sanchez et al. 2023, arXiv 2306.17806",
        "the scale is γ",
        _recipe("cfg", Context("other"), scale=1.5),
        ("context", "k"),
        "Negative prompt",
    ),
    "negative": Preset(
        "Negative prompt",
        "Steers away from what another prompt would say; in a chat the other text replaces the system text.",
        "γ·log p(prompt) + (1 − γ)·log p(negative prompt)",
        "Sanchez et al. 2023, arXiv 2306.17806, eq. 5",
        "the scale is γ",
        _recipe("negative", Context("other"), scale=3.0),
        (),
        "Negative prompt",
    ),
    "cad": Preset(
        "Context-aware (CAD)",
        "Trusts the passage in the prompt over what the model would answer to the question alone.",
        "(1 + α)·log p(passage + question) − α·log p(question)",
        "Shi et al. 2023, arXiv 2305.14739",
        "α is scale − 1",
        _recipe("cad", Context("other", k=8), scale=1.5),
        ("k",),
        "The question alone, without its passage",
    ),
    "adacad": Preset(
        "AdaCAD",
        "Context-aware decoding as strong as passage and memory disagree: at each step α is their divergence.",
        "α = JSD(p(passage + question), p(question)) in bits, at least the floor",
        "Wang et al. 2024, arXiv 2409.07394",
        "α is (scale − 1)·JSD",
        _recipe("adacad", Context("other", k=8), schedule=Schedule("divergence"), scale=2.0),
        ("k", "floor"),
        "The question alone, without its passage",
    ),
    "coherence": Preset(
        "Coherence boosting",
        "Takes away what the last few tokens alone would say, so that the distant context counts more.",
        "log p(prompt) + α·log p(last k tokens), α < 0",
        "Malkin et al. 2022, arXiv 2110.08294",
        "α is 1 − scale",
        _recipe("coherence", Context("last", k=10), weights=(1.0, -1.0), scale=1.5),
        ("k",),
    ),
    "preadd": Preset(
        "PREADD",
        "Adds or takes away what a text before the prompt would change: scale 2 obeys it, scale 0 shuns it.",
        "(1 − s)·log p(prompt) + s·log p(text + prompt)",
        "Pei et al. 2023, arXiv 2307.03214",
        "s is scale − 1",
        _recipe("preadd", Context("before"), weights=(0.0, 1.0), scale=0.0),
        (),
        "Text put before the prompt",
    ),
    "entropy": Preset(
        "Entropy-gated (MTI)",
        "Guides only the steps at which the model wavers. The paper puts its short text after what is written at every "
        "such step; here it stands after the prompt, before what is written.",
        "γ·log p(prompt) + (1 − γ)·log p(prompt + text) where the entropy exceeds τ",
        "Minimal test-time intervention 2025, arXiv 2510.13940",
        "the scale is γ",
        _recipe("entropy", Context("after"), gate=Gate("entropy", bits=2.0), scale=1.5),
        ("bits", "context", "k"),
        "Text put after the prompt",
        "OUTPUT ERROR",
    ),
    "contrastive": Preset(
        "Contrastive decoding",
        "Takes away what a weaker model of the same family would say as well; only plausible tokens may win.",
        "log p(expert) − β·log p(amateur at T), keep p(expert) ≥ m·max",
        "Li et al. 2022, arXiv 2210.15097",
        "β is scale − 1",
        _recipe(
            "contrastive", Context("prompt", model=1), weights=(1.0, -1.0), temperatures=(0.5,), mask=0.1, scale=1.5
        ),
        ("mask", "heat"),
    ),
    "dola": Preset(
        "DoLa, low layers",
        "Takes away what one of the first layers would say already; what the later ones add is the model's knowledge.",
        "log p(last layer) − log p(earlier layer), keep p(last) ≥ m·max",
        "Chuang et al. 2023, arXiv 2309.03883",
        "the earlier layer is taken away scale − 1 times",
        _recipe("dola", Context("prompt", layers="low"), weights=(1.0, -1.0), mask=DOLA_MASK, scale=2.0),
        ("mask",),
    ),
    "dola_high": Preset(
        "DoLa, high layers",
        "The same with one of the upper half's layers, which know nearly as much: for short factual answers.",
        "log p(last layer) − log p(earlier layer), keep p(last) ≥ m·max",
        "Chuang et al. 2023, arXiv 2309.03883",
        "the earlier layer is taken away scale − 1 times",
        _recipe("dola_high", Context("prompt", layers="high"), weights=(1.0, -1.0), mask=DOLA_MASK, scale=2.0),
        ("mask",),
    ),
    "proxy": Preset(
        "Proxy tuning",
        "Adds to a large model what tuning changed in a small one: expert and anti-expert are the two other models.",
        "log p(base) + α·(log p(small, tuned) − log p(small, untuned))",
        "Liu et al. 2024, arXiv 2401.08565; DExperts, arXiv 2105.03023",
        "α is scale − 1",
        _recipe("proxy", Context("prompt", model=1), Context("prompt", model=2), weights=(1.0, 1.0, -1.0), scale=2.0),
        ("mask",),
    ),
}


def recipe_from_json(value: object, scale: float | None = None) -> Recipe:
    """What the page, the API and the library may say of guidance.

    ``{"scale": 1.5}`` is CFG; ``{"preset": "cad", "scale": 1.5}`` another member, with ``k``, ``context``, ``text``,
    ``temperature``, ``mask``, ``gate`` and ``schedule`` in place of its own; ``{"branches": [...], "weight": 1}`` a mix
    of one's own, whose weights are those at scale 2 (the default there). A preset's name alone will do.
    ``scale``: what stands outside, used where the value has none.
    """
    if isinstance(value, str):
        value = {"preset": value}
    if not isinstance(value, Mapping):
        raise PlaygroundError('guidance must be an object like {"preset": "cad", "scale": 1.5}.')
    own = "branches" in value
    known = ["preset", "scale", "mask", "gate", "schedule"]
    known += ["branches", "weight"] if own else ["context", "k", "text", "temperature"]
    unknown = [str(name) for name in value if name not in known]
    if unknown:
        raise PlaygroundError(f"guidance has no {shortened(unknown[0])}; here it has {', '.join(known)}.")
    recipe = _own(value) if own else _preset(value)
    recipe = replace(recipe, **_shared(value))
    given = value.get("scale", scale)
    return recipe if given is None else recipe.at(SCALE.check("guidance.scale", given))


def _shared(value: Mapping[Any, Any]) -> dict[str, Any]:
    """Mask, gate and schedule, where they are given."""
    readers = {"mask": mask_from_json, "gate": Gate.from_json, "schedule": Schedule.from_json}
    return {name: read(value[name]) for name, read in readers.items() if value.get(name) is not None}


def _own(value: Mapping[Any, Any]) -> Recipe:
    if value.get("preset") not in (None, "own"):
        raise PlaygroundError("Give guidance.preset or guidance.branches, not both.")
    contexts, weights, temperatures = branches_from_json(value["branches"])
    first = WEIGHT.check("guidance.weight", value.get("weight", 1.0))
    return Recipe("own", contexts, (first, *weights), temperatures, scale=2.0)


def _preset(value: Mapping[Any, Any]) -> Recipe:
    name = value.get("preset") or "cfg"
    if not isinstance(name, str) or name not in PRESETS:
        raise PlaygroundError(f"guidance.preset is one of {', '.join(PRESETS)}; got {shortened(name)}.")
    recipe = PRESETS[name].recipe
    if "preset" not in value and "scale" not in value:
        recipe = recipe.at(1.0)
    first, *rest = recipe.contexts
    changes = {name: value[name] for name in ("k", "text") if value.get(name) is not None}
    if value.get("context") is not None:
        changes["kind"] = value["context"] if isinstance(value["context"], str) else shortened(value["context"])
    temperatures = recipe.temperatures
    if value.get("temperature") is not None:
        heat = BRANCH_TEMPERATURE.check("guidance.temperature", value["temperature"])
        temperatures = (heat,) * len(recipe.contexts)
    return replace(recipe, contexts=(replace(first, **changes), *rest), temperatures=temperatures)


def presets_json(num_models: int) -> dict[str, Any]:
    """What the page must know of each preset. ``num_models``: so many are loaded."""
    return {
        name: {
            "title": preset.title,
            "summary": preset.summary,
            "formula": preset.formula,
            "source": preset.source,
            "scale_is": preset.scale_is,
            "scale": preset.recipe.scale,
            "knobs": list(preset.knobs),
            "text": preset.text,
            "default_text": preset.default_text,
            "context": preset.recipe.contexts[0].kind,
            "k": preset.recipe.contexts[0].k,
            "mask": preset.recipe.mask,
            "temperature": (preset.recipe.temperatures or (1.0,))[0],
            "gate": preset.recipe.gate.to_json(),
            "schedule": preset.recipe.schedule.to_json(),
            "missing_models": max(0, preset.recipe.num_models - num_models),
        }
        for name, preset in PRESETS.items()
    }


def knob_params() -> dict[str, Any]:
    """The sliders that presets may show, by name: their Params."""
    return {
        "k": NUM_LAST,
        "heat": BRANCH_TEMPERATURE,
        "mask": MASK,
        "bits": Gate.params()["bits"],
        "tokens": Gate.params()["tokens"],
        "start": Schedule.params()["start"],
        "end": Schedule.params()["end"],
        "over": Schedule.params()["tokens"],
        "floor": Schedule.params()["floor"],
        "rate": Schedule.params()["rate"],
        "limit": Schedule.params()["limit"],
    }
