"""What happens when a round fails: the fewest requests end, everybody else goes on, the engine stays alive.

Knows nothing about why it failed beyond "out of memory" and "something else".
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

import torch

from playground.engine.job import Job
from playground.engine.planning import Payment
from playground.engine.records import Done
from playground.engine.scheduler import Scheduler
from playground.engine.worker import Worker, explain

OUT_OF_MEMORY = (
    "The device ran out of memory, and {reason}. The others go on; try a shorter prompt, "
    "fewer samples, or again when fewer people are here."
)
REASONS = {"interactive": "this was the youngest request", "bulk": "the youngest of the long work ends first"}


class Guard:
    """Runs rounds and contains their failures."""

    def __init__(self, worker: Worker, scheduler: Scheduler) -> None:
        self._worker = worker
        self._scheduler = scheduler

    def round(self) -> None:
        """One round, whatever it raises."""
        if not self._scheduler.running:
            return
        plan = self._scheduler.plan()
        try:
            self._worker.round(plan)
        except Exception as error:
            if is_out_of_memory(error):
                self._end_youngest(plan)
            else:
                self._end_affected(plan, error)
        else:
            return
        gc.collect()  # the failed forward's tensors hang on the exception's frames
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _end_youngest(self, plan: Sequence[Payment]) -> None:
        """One request ends, bulk work before people; the others' lanes may be half advanced, so they read their texts
        again."""
        job = max(self._affected(plan), key=lambda job: (job.priority == "bulk", job.age))
        self._worker.end(job, Done("error", OUT_OF_MEMORY.format(reason=REASONS[job.priority])))
        self._scheduler.restart([payment.gang for payment in plan if payment.job in self._scheduler.running])

    def _end_affected(self, plan: Sequence[Payment], error: Exception) -> None:
        for job in self._affected(plan):
            self._worker.end(job, Done("error", explain(error)))

    def _affected(self, plan: Sequence[Payment]) -> list[Job]:
        """The jobs of this round that still run. An empty plan means that it was nobody's forward."""
        jobs = [payment.job for payment in plan] or self._scheduler.running
        return [job for job in dict.fromkeys(jobs) if job in self._scheduler.running]


def is_out_of_memory(error: Exception) -> bool:
    """CUDA says so by type, a CPU allocator only in words."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
