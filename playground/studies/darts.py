"""The dart and the coins of one step: where the dart lands, which side each random stage took, what stages say of it.

Knows nothing about where rows come from or how rulers are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from playground.sampling import ALIVE, SAMPLERS, StageTrace, draw
from playground.sampling.search import Greedy
from playground.studies.largest import largest
from playground.studies.views import CoinView, DartView, RulerSegment, SideView

if TYPE_CHECKING:
    from playground.studies.scene import Scene

NUM_SEGMENTS = 60


def dart_view(scene: Scene) -> DartView:
    """Where the step's uniform lands on the ruler of what it flies at: the final distribution, and where a stage is
    random the side that its coin takes."""
    rows, taken = scene.rows, scene.taken
    p_taken = scene.p_final if taken is scene.trace else np.asarray(taken.probs)
    alive = scene.alive if taken is scene.trace else np.asarray(taken.removed_by) == ALIVE
    u = rows.uniform
    shown = largest(p_taken, alive, NUM_SEGMENTS)
    starts = np.concatenate([[0.0], np.cumsum(p_taken[shown])])
    segments = [
        RulerSegment(token_id=token, text=scene.vocabulary.label(token), start=float(start), p=float(p_taken[token]))
        for token, start in zip(shown, starts, strict=False)
    ]
    hit = int(np.searchsorted(starts, u, side="right")) - 1
    token = (
        shown[hit]
        if hit < len(shown)
        else int(draw.draw(taken.scores[None], torch.tensor([u], dtype=torch.float64))[0])
    )
    return DartView(
        u=u,
        seed=rows.seed,
        step=rows.step,
        token_id=token,
        text=scene.vocabulary.label(token),
        p=float(p_taken[token]),
        segments=segments,
        coins=coin_views(scene),
        found_by=rows.found_by if token == rows.chosen or rows.found_by == Greedy.title else "",
    )


def coin_views(scene: Scene) -> list[CoinView]:
    """One a stage that is random here, in the order of the strip."""
    views = []
    for number, outcome in scene.outcomes.items():
        stage = scene.on[number]
        sampler = SAMPLERS[stage.sampler]
        views.append(
            CoinView(
                id=stage.id,
                title=sampler.title,
                u=float(scene.coins[number] or 0.0),
                says=sampler.branch_names[outcome],
                acts=outcome == 0,
            )
        )
    return views


def side_views(scene: Scene, number: int) -> list[SideView]:
    """Each side of the stage's own coin as it leaves that stage, where the coins before it fell as they did."""
    if number not in scene.outcomes:
        return []
    names = SAMPLERS[scene.on[number].sampler].branch_names
    shares = [share for share, _ in scene.knobs.strip.chain.samplers[number].branches()]
    views: dict[int, SideView] = {}
    for branch in scene.trace.branches:
        fell = dict(branch.outcomes)
        if fell[number] in views or any(fell[one] != scene.outcomes[one] for one in fell if one < number):
            continue
        traced = branch.trace.stages[number]
        survivors = np.asarray(branch.trace.removed_by)
        curve = scene.curve(np.asarray(traced.probs), (survivors == ALIVE) | (survivors > number))
        views[fell[number]] = SideView(
            label=names[fell[number]],
            probability=shares[fell[number]],
            taken=fell[number] == scene.outcomes[number],
            after=curve,
            support=traced.support,
            choices=traced.effective_choices,
        )
    return [views[outcome] for outcome in sorted(views)]


def note(scene: Scene, number: int, traced: StageTrace) -> str:
    """What a stage says about itself at this step: its coin, its memory, what it found."""
    sampler = SAMPLERS[traced.name]
    if number in scene.outcomes:
        coin = float(scene.coins[number] or 0.0)
        fell = "so it acts" if scene.outcomes[number] == 0 else "so it does not act"
        return f"The coin fell at {coin:.2f}, {fell} here. When it acts, {traced.note}."
    if not sampler.stateful:
        return _sentence(traced.note)
    recall = scene.rows.recall
    known = recall is not None and recall.knows(traced.name)
    source = "As remembered at this step" if known else "As at the start of a text"
    return f"{source}: {traced.note}." if traced.note else f"{source}."


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""
