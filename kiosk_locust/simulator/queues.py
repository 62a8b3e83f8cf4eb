"""Redis lists of keys that wait for a consumer: one per job type, one for its ZIPs."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Generic, TypeVar

Job = TypeVar("Job")


class SimulatedQueues(Generic[Job]):
    """First-in-first-out queues that are emptied as one."""

    def __init__(self, names: list[str]) -> None:
        self._queues: dict[str, deque[tuple[int, Job]]] = {name: deque() for name in names}
        self._order = count()
        self._waiting = 0

    def push(self, name: str, job: Job) -> None:
        """Append ``job`` to queue ``name``."""
        self._queues[name].append((next(self._order), job))
        self._waiting += 1

    def pop(self) -> Job | None:
        """Take the job that waits longest in any queue."""
        waiting = [queue for queue in self._queues.values() if queue]
        if not waiting:
            return None
        self._waiting -= 1
        if len(waiting) == 1:
            return waiting[0].popleft()[1]
        return min(waiting, key=lambda queue: queue[0][0]).popleft()[1]

    def clear(self) -> None:
        """Remove all jobs."""
        for queue in self._queues.values():
            queue.clear()
        self._waiting = 0

    def lengths(self) -> dict[str, int]:
        """Number of keys in each queue, including keys of vanished hashes."""
        return {name: len(queue) for name, queue in self._queues.items()}

    def __len__(self) -> int:
        return self._waiting
