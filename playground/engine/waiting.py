"""The bounded queue: interactive work before bulk, each in order of arrival, with everyone's place in it.

Knows nothing about lanes or models. Not thread-safe by itself: the engine's lock guards it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from playground.engine.job import Job
from playground.errors import PlaygroundError


class Waiting:
    """Jobs that have not started; a job whose stream has ended leaves without being served."""

    def __init__(self, max_queue: int) -> None:
        self._max_queue = max_queue
        self._lines: dict[str, deque[Job]] = {"interactive": deque(), "bulk": deque()}

    def __iter__(self) -> Iterator[Job]:
        for line in self._lines.values():
            yield from line

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def add(self, job: Job) -> None:
        """Queue the job, or raise with status 503 where the queue is full; half of it is for interactive work alone."""
        if self._is_full(job):
            self.forget_ended()
        if self._is_full(job):
            raise PlaygroundError(
                f"The queue is full ({len(self)} requests are waiting). Try again in a moment.", status=503
            )
        self._lines[job.priority].append(job)
        self.number()

    def _is_full(self, job: Job) -> bool:
        num_bulk = len(self._lines["bulk"]) if job.priority == "bulk" else 0
        return len(self) >= self._max_queue or num_bulk >= max(1, self._max_queue // 2)

    def head(self) -> Job | None:
        """Who is next; bulk work is never next while interactive work waits."""
        return next(iter(self), None)

    def pop(self) -> Job:
        """Take the head."""
        line = next(line for line in self._lines.values() if line)
        return line.popleft()

    def num_waiting(self, priority: str) -> int:
        return len(self._lines[priority])

    def forget_ended(self) -> None:
        """Drop the jobs whose stream has ended while they waited."""
        for priority, line in self._lines.items():
            if any(job.stream.done for job in line):
                self._lines[priority] = deque(job for job in line if not job.stream.done)

    def number(self) -> None:
        """Tell every stream its place."""
        for place, job in enumerate(self, 1):
            job.stream.position = place
