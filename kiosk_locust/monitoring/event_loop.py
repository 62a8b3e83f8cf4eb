"""A process watches itself: how late its event loop is, its CPU time and its memory."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.clock import Clock
from kiosk_locust.measurement.histogram import DurationHistogram

#: Stalls of this length are seen for certain, shorter ones by chance, as often as they are long.
INTERVAL_S = 0.05
_LONGEST_S = 3600.0
#: Stalls of this length are kept with their moments; the last so many of them.
LEAST_STALL_S = 1.0
_STALLS_KEPT = 100
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class LoopFigures:
    """What one process saw of itself since it began to watch.

    Delays are from when a greenlet was to run until it did; None before the first. Each
    moment of a stall counts, not each greenlet: a stall of 2 s weighs as much as 2 s without.
    """

    watched_s: float
    delay_p50_s: float | None
    delay_p99_s: float | None
    delay_max_s: float | None
    cpu_share: float | None  # of one processor
    memory_bytes: int | None  # resident; None where the system does not say


class LoopWatch:
    """Measures while ``run`` goes on in a greenlet; ``figures`` may be asked at any time.

    Memory does not grow. ``cpu_s`` is the process's own CPU time and ``memory`` its resident
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
        #: When this process stood still (epoch seconds): whatever waited then, waited for it.
        self.stalls: deque[tuple[float, float]] = deque(maxlen=_STALLS_KEPT)

    def run(self) -> None:
        """Measure until the greenlet is killed."""
        while True:
            self.tick()

    def tick(self) -> None:
        """One sleep, and how much longer it took than it was to."""
        began_at = self._clock.now()
        self._clock.sleep(self._interval_s)
        ended_at = self._clock.now()
        late_s = ended_at - began_at - self._interval_s
        if late_s >= LEAST_STALL_S:
            self.stalls.append((began_at, ended_at))
        # Counts the ticks that a stall swallowed, each with what was left of it then.
        self._histogram.add(late_s, self._interval_s)

    def figures(self) -> LoopFigures:
        """Since the watch was made."""
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
        """The delay's p99 as if there had been ``least_s`` of watching, the rest of it in time."""
        count = self._histogram.total
        if not count:
            return None
        late = 0.01 * max(count, least_s / self._interval_s)  # so many may be later
        return self._histogram.percentile_s(100 * (1 - late / count)) if late < count else 0.0

    def cpu_over(self, least_s: float) -> float:
        """The share of a processor that was used, over no less than ``least_s``."""
        watched_s = self._clock.now() - self._started_at
        return (self._cpu_s() - self._cpu_at_start_s) / max(watched_s, least_s)


def resident_bytes(statm: Path = _STATM) -> int | None:
    """The memory that this process holds, from Linux's /proc; None elsewhere."""
    try:
        pages = int(statm.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
