"""Fair shares: how many slots each request of several samples may hold, given who else is there.

Knows nothing about lanes or streams; it reads what requests hold and want, and sets the slots they may grow to.
"""

from __future__ import annotations

from collections.abc import Sequence

from playground.engine.budget import Budget
from playground.engine.job import Job
from playground.engine.records import Priority

ROUNDING = 1e-9


def share_out(jobs: Sequence[Job], budget: Budget, priority: Priority) -> None:
    """Set ``fair_slots`` of requests of one priority, those that wait among them: the room is divided evenly between
    the sessions, what one of them has no use for between the others, and a session's share between its requests.

    Room is counted in parts of what is scarcer for the request, lanes or memory (dominant resource fairness,
    Ghodsi et al. 2011): the shares then fit into both.
    """
    if not any(job.is_elastic for job in jobs):
        return
    part = {job: budget.part(job.cost, priority) for job in jobs}
    wanted = {job: job.num_wanted * part[job] for job in jobs}
    owners: dict[str, list[Job]] = {}
    for job in jobs:
        owners.setdefault(job.owner, []).append(job)
    shares = fill([sum(wanted[job] for job in own) for own in owners.values()], 1.0)
    for own, share in zip(owners.values(), shares, strict=True):
        for job, given in zip(own, fill([wanted[job] for job in own], share), strict=True):
            job.fair_slots = max(job.num_first_slots, int(given / part[job] + ROUNDING))


def fill(wanted: Sequence[float], room: float) -> list[float]:
    """Divide the room: everybody gets the same, but nobody more than is wanted (max-min fairness)."""
    given = [0.0] * len(wanted)
    for num_done, place in enumerate(sorted(range(len(wanted)), key=lambda place: wanted[place])):
        given[place] = min(wanted[place], room / (len(wanted) - num_done))
        room -= given[place]
    return given


def held(running: Sequence[Job], budget: Budget, priority: Priority) -> dict[str, float]:
    """The part of that priority's room that each session holds."""
    parts: dict[str, float] = {}
    for job in running:
        if job.priority == priority:
            parts[job.owner] = parts.get(job.owner, 0.0) + job.num_slots * budget.part(job.cost, priority)
    return parts
