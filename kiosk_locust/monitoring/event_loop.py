"""Measurement of this process: event loop delay, CPU time and memory."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.clock import Clock
from kiosk_locust.measurement.histogram import DurationHistogram

#: Stalls of this length (s) are always seen, shorter ones with a chance of their length.
INTERVAL_S = 0.05
_LONGEST_S = 3600.0
#: Stalls of at least this length (s) are recorded; the latest of them.
LEAST_STALL_S = 1.0
_MOST_STALLS = 100
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """Figures of one process since its watch started.

    Delays are from a greenlet's due time to its run; None before the first. They are weighted by
    time, not by greenlets: a stall of 2 s weighs as much as 2 s without.
    """

    watched_s: float
    delay_p50_s: float | None
    delay_p99_s: float | None
    delay_max_s: float | None
    cpu_share: float | None  # of one processor
    memory_bytes: int | None  # resident; None where the system does not tell


class LoopWatch:
    """Event loop measurement while ``run`` is active in a greenlet; ``figures`` works at any time.

    Memory is bounded. ``cpu_s`` returns the process's CPU time in seconds, ``memory`` its resident
    bytes.
    """

    def __init__(
        self,
        clock: Clock,
        interval_s: float = INTERVAL_S,
        cpu_s: Callable[[], float] = time.process_time,
        memory: Callable[[], int | None] | None = None,
    ) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._cpu_s = cpu_s
        self._memory = memory or resident_bytes
        self._started_at = clock.now()
        self._cpu_at_start_s = cpu_s()
        self._histogram = DurationHistogram(_LONGEST_S)
        #: Times (epoch seconds) in which this process stood still, and so did everything in it.
        self.stalls: deque[tuple[float, float]] = deque(maxlen=_MOST_STALLS)

    def run(self) -> None:
        """Measure until the greenlet is killed."""
        while True:
            self.tick()

    def tick(self) -> None:
        """Sleep once, and record the delay."""
        start_at = self._clock.now()
        self._clock.sleep(self._interval_s)
        end_at = self._clock.now()
        late_s = end_at - start_at - self._interval_s
        if late_s >= LEAST_STALL_S:
            self.stalls.append((start_at, end_at))
        # Also count the ticks missed during a stall, each with the rest of it.
        self._histogram.add(late_s, self._interval_s)

    def figures(self) -> LoopFigures:
        """Figures since the watch was created."""
        watched_s = self._clock.now() - self._started_at
        used_s = self._cpu_s() - self._cpu_at_start_s
        return LoopFigures(
            watched_s=watched_s,
            delay_p50_s=self._histogram.percentile_s(50),
            delay_p99_s=self._histogram.percentile_s(99),
            delay_max_s=self._histogram.percentile_s(100),
            cpu_share=used_s / watched_s if watched_s > 0 else None,
            memory_bytes=self._memory(),
        )

    def delay_over_s(self, least_s: float) -> float | None:
        """The delay's p99 over at least ``least_s``, the missing time being without delay."""
        count = self._histogram.total
        if not count:
            return None
        late_ticks = 0.01 * max(count, least_s / self._interval_s)  # ticks above the percentile
        return (
            self._histogram.percentile_s(100 * (1 - late_ticks / count))
            if late_ticks < count
            else 0.0
        )

    def cpu_over(self, least_s: float) -> float:
        """CPU share of one processor over at least ``least_s``."""
        watched_s = self._clock.now() - self._started_at
        return (self._cpu_s() - self._cpu_at_start_s) / max(watched_s, least_s)


def resident_bytes(statm: Path = _STATM) -> int | None:
    """Resident memory of this process from Linux's /proc; None elsewhere."""
    try:
        pages = int(statm.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
