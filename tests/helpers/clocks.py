"""A clock for tests, on which no time is lost."""

from __future__ import annotations

from gevent.event import Event


class ManualClock:
    """A clock that goes only where it is told; sleeping takes it there at once."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def wait(self, event: Event, seconds: float) -> bool:
        if not event.is_set():
            self.sleep(seconds)
        return bool(event.is_set())
