"""What guidance does at one step: every branch with its weight, the gate and the schedule, and which tokens it moved.

Knows nothing about the stages behind guidance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from playground.sampling import PRESETS, Guidance, Moment
from playground.sampling.recipe import weights_at
from playground.studies.views import BranchView, GuidanceMark, GuidanceView

if TYPE_CHECKING:
    from playground.studies.scene import Scene

NUM_MARKS = 7
PLAUSIBLE = 1e-3
"""A token is plausible from this share of the largest prompt probability on. The paper ranks the full vocabulary
(arXiv 2306.17806, table of re-ranked tokens), but on a small model those lists are junk."""
MAX_RENDERED_CHARS = 2000
"""Of a branch's text in a view, which every drag sends again; its beginning and its end stay."""


def guidance_view(scene: Scene, now: Moment) -> GuidanceView:
    """The guidance card, its branches and its dumbbells."""
    rows, recipe, guidance = scene.rows, scene.knobs.recipe, scene.knobs.recipe.guidance
    others = [_probabilities(one.logits, heat) for one, heat in zip(rows.others, guidance.temperatures, strict=True)]
    pull = _pull(scene.p_raw, others, weights_at(recipe.weights, 2.0))
    least = max(PLAUSIBLE, 0.0 if now.is_off else guidance.mask)
    plausible = np.flatnonzero(scene.p_raw >= least * scene.p_raw.max())
    up, down = _extremes(pull, plausible)
    all_up, all_down = _extremes(pull, np.flatnonzero(np.isfinite(pull)))

    def marks(tokens: NDArray[np.int64]) -> list[GuidanceMark]:
        return [_mark(scene, others, int(token)) for token in tokens]

    def curve(probabilities: NDArray[np.float64]) -> list[float | None]:
        return scene.curve(probabilities, probabilities > 0)

    return GuidanceView(
        preset=recipe.name,
        title=PRESETS[recipe.name].title if recipe.name in PRESETS else "Own mix",
        formula=PRESETS[recipe.name].formula if recipe.name in PRESETS else "Σ wᵢ·log pᵢ",
        scale=recipe.scale,
        scale_is=PRESETS[recipe.name].scale_is if recipe.name in PRESETS else "2 gives the weights as written",
        off=recipe.is_off,
        strength=now.strength,
        weight_sum=float(sum(now.weights)),
        branches=_branches(scene, now, [scene.p_raw, *others], [curve(p) for p in (scene.p_raw, *others)]),
        gate=_gate(guidance, now, rows.step),
        schedule=_schedule(guidance, now, rows.step),
        mask=_mask(scene, guidance, now),
        promoted=marks(up),
        suppressed=marks(down),
        promoted_anywhere=marks(all_up),
        suppressed_anywhere=marks(all_down),
        curve_guided=curve(scene.p_guided),
        cost_ms=rows.guidance_cost_ms,
    )


def _branches(
    scene: Scene, now: Moment, probabilities: list[NDArray[np.float64]], curves: list[list[float | None]]
) -> list[BranchView]:
    """The prompt first."""
    guidance = scene.knobs.recipe.guidance
    views = [
        BranchView(
            name="prompt",
            words="the prompt",
            text="",
            rendered="",
            is_text=True,
            model="",
            temperature=1.0,
            weight=now.weights[0],
            weight_at_full=guidance.weights[0],
            entropy_bits=scene.base.view["entropy_bits"],
            curve=curves[0],
        )
    ]
    for number, row in enumerate(scene.rows.others, 1):
        p = probabilities[number]
        views.append(
            BranchView(
                name=_name(scene, number),
                words=row.told.words,
                text=_shortened(row.told.label, 200),
                rendered=_shortened(row.told.rendered, MAX_RENDERED_CHARS),
                is_text=row.told.is_text,
                model=row.told.model,
                temperature=guidance.temperatures[number - 1],
                weight=now.weights[number],
                weight_at_full=guidance.weights[number],
                entropy_bits=float(-(p[p > 0] * np.log2(p[p > 0])).sum()),
                curve=curves[number],
            )
        )
    return views


def _name(scene: Scene, number: int) -> str:
    """The only other branch is the negative where its weight says so; several are numbered."""
    if len(scene.rows.others) > 1:
        return f"branch {number}"
    return "negative" if scene.knobs.recipe.weights[1] < 0 else "other"


def _probabilities(logits: torch.Tensor, heat: float) -> NDArray[np.float64]:
    return torch.softmax(logits.double() / heat, -1).numpy()


def _pull(
    p_prompt: NDArray[np.float64], others: list[NDArray[np.float64]], weights: tuple[float, ...]
) -> NDArray[np.float64]:
    """float64[V], nats: what one unit of strength adds to each token's score. For CFG that is the paper's
    log p(prompt) − log p(negative)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = (weights[0] - 1.0) * np.log(p_prompt) if weights[0] != 1.0 else np.zeros_like(p_prompt)
        for weight, p in zip(weights[1:], others, strict=True):
            pull = pull + weight * np.log(p)
    return pull


def _extremes(pull: NDArray[np.float64], among: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tokens pulled up most and down most, of those given; no token in both lists, no full sort."""
    half = min(NUM_MARKS, len(among) // 2)
    values = torch.from_numpy(np.nan_to_num(pull[among], nan=0.0, posinf=1e30, neginf=-1e30))
    ends = []
    for largest in (True, False):
        found = np.sort(values.topk(half, largest=largest).indices.numpy())  # by token id, so that ties keep it
        kept = values.numpy()[found]
        ends.append(among[found[np.argsort(-kept if largest else kept, kind="stable")]])
    return ends[0], ends[1]


def _mark(scene: Scene, others: list[NDArray[np.float64]], token: int) -> GuidanceMark:
    p_prompt, p_guided = float(scene.p_raw[token]), float(scene.p_guided[token])
    return GuidanceMark(
        token_id=token,
        text=scene.vocabulary.label(token),
        p_prompt=p_prompt,
        p_others=[float(p[token]) for p in others],
        p_guided=p_guided,
        ratio=p_guided / p_prompt if p_prompt > 0 else 0.0,
    )


def _gate(guidance: Guidance, now: Moment, step: int) -> str:
    """What the gate says at this step; empty where there is none."""
    gate, state = guidance.gate, "open" if now.is_open else "closed"
    if gate.kind == "entropy":
        assert now.entropy_bits is not None
        sign = ">" if now.is_open else "≤"
        return f"gate {state} here: entropy {now.entropy_bits:.2f} bits {sign} τ {gate.bits:g}"
    if gate.kind == "first":
        return f"gate {state} here: token {step + 1} of the text, guided are the first {gate.tokens}"
    return ""


def _schedule(guidance: Guidance, now: Moment, step: int) -> str:
    """What the schedule says at this step; empty where the strength is constant."""
    schedule = guidance.schedule
    if schedule.kind == "constant" or not now.is_open:
        return ""
    strength = f"strength s = {now.strength:.2f} at token {step + 1}"
    if schedule.kind == "linear":
        return f"{strength}: from {schedule.start:g} to {schedule.end:g} over {schedule.tokens} tokens"
    if schedule.kind == "divergence":
        return f"strength s = {now.strength:.2f}: the branches' divergence here, bits; floor {schedule.floor:g}"
    if schedule.kind == "decay":
        return f"{strength}: exp(−{schedule.rate:g}·t), t = {step}"
    return f"{strength}: exp({schedule.rate:g}·t) − 1, t = {step}, at most {schedule.limit:g}"


def _mask(scene: Scene, guidance: Guidance, now: Moment) -> str:
    """What the plausibility mask leaves; empty where it does nothing here."""
    if not guidance.mask or now.is_off:
        return ""
    kept = int((scene.p_guided > 0).sum())
    return f"mask: {kept:,} tokens with p(prompt) ≥ {guidance.mask:g} of the largest"


def _shortened(text: str, length: int) -> str:
    """Its beginning and end."""
    return text if len(text) <= length else f"{text[: length // 2]} … {text[-length // 2 :]}"
