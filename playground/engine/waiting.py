"""The bounded queue: interactive work before bulk, in each of them the sessions by turns, with everyone's place in it.

Knows nothing about lanes or models. Not thread-safe by itself: the engine's lock guards it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from playground.engine.job import Job
from playground.errors import PlaygroundError


class Line:
    """Jobs of one priority. Whose turn it is starts one and goes behind the others, so that a session with sixteen
    requests delays another one's first by one. Requests without a session are each a session of their own."""

    def __init__(self) -> None:
        self._owners: dict[str, deque[Job]] = {}
        """In the order of their turns; nobody without a job."""

    def __iter__(self) -> Iterator[Job]:
        """In the order in which they would start if nobody came."""
        lines = list(self._owners.values())
        for number in range(max(map(len, lines), default=0)):
            for line in lines:
                if number < len(line):
                    yield line[number]

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def add(self, job: Job) -> None:
        self._owners.setdefault(job.owner, deque()).append(job)

    def pop(self) -> Job:
        """Take the first one."""
        owner, line = next(iter(self._owners.items()))
        job = line.popleft()
        del self._owners[owner]
        if line:
            self._owners[owner] = line
        return job

    def forget_ended(self) -> None:
        for owner, line in list(self._owners.items()):
            if any(job.stream.done for job in line):
                left = deque(job for job in line if not job.stream.done)
                if left:
                    self._owners[owner] = left
                else:
                    del self._owners[owner]


class Waiting:
    """Jobs that do not run; a job whose stream has ended leaves without being served."""

    def __init__(self, max_queue: int) -> None:
        self._max_queue = max_queue
        self._lines = {"interactive": Line(), "bulk": Line()}

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
        self._lines[job.priority].add(job)
        self.number()

    def put_back(self, job: Job) -> None:
        """Queue a job that has had its turn and goes on later. It was let in before: it is never refused."""
        self._lines[job.priority].add(job)

    def _is_full(self, job: Job) -> bool:
        num_bulk = len(self._lines["bulk"]) if job.priority == "bulk" else 0
        return len(self) >= self._max_queue or num_bulk >= max(1, self._max_queue // 2)

    def head(self) -> Job | None:
        """Who is next; bulk work is never next while interactive work waits."""
        return next(iter(self), None)

    def pop(self) -> Job:
        """Take the head."""
        return next(line for line in self._lines.values() if len(line)).pop()

    def num_waiting(self, priority: str) -> int:
        return len(self._lines[priority])

    def forget_ended(self) -> None:
        """Drop the jobs whose stream has ended while they waited."""
        for line in self._lines.values():
            line.forget_ended()

    def number(self) -> None:
        """Tell every stream its place."""
        for place, job in enumerate(self, 1):
            job.stream.position = place
