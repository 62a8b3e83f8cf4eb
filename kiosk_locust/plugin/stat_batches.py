"""Entries of Locust's statistics that are added to in groups, several times a second.

An entry's own ``log`` costs more than 3 µs, a request is logged twice and a job to a dozen entries.
Here a group is summed up first; what then stands in Locust's entries is what as many calls of
``log`` would have left, to the second. Locust's bucketing of times stays, replaced ones too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from locust import stats as locust_stats
from locust.stats import RequestStats, StatsEntry

#: How long a request or job may wait to be seen in Locust's statistics.
EVERY_S = 0.25


class _Sum:
    """Several calls of ``log``, summed up; times in ms."""

    __slots__ = ("count", "least", "length", "most", "nones", "times", "total")

    def __init__(self) -> None:
        self.count = self.nones = self.length = 0
        self.total = self.most = 0.0
        self.least: float | None = None
        self.times: dict[int, int] = {}

    def add(self, time_ms: float | None, length: int) -> None:
        self.count += 1
        self.length += length
        if time_ms is None:
            self.nones += 1
            return
        self.total += time_ms
        if self.least is None or time_ms < self.least:
            self.least = time_ms
        self.most = max(self.most, time_ms)
        bucket = locust_stats.bucket_response_time(time_ms)
        self.times[bucket] = self.times.get(bucket, 0) + 1

    def fold_into(self, entry: StatsEntry, at: float) -> None:
        """What StatsEntry.log does, for all of them; ``at`` in epoch seconds."""
        second, last = int(at), entry.last_request_timestamp
        if entry.use_response_times_cache and last and second > int(last):
            entry._cache_response_times(second - 1)  # as its own log does
        entry.num_requests += self.count
        entry.num_none_requests += self.nones
        entry.num_reqs_per_sec[second] += self.count
        entry.last_request_timestamp = at
        entry.total_content_length += self.length
        if self.least is None:
            return
        entry.total_response_time += self.total  # type: ignore[assignment]  # Locust adds floats, too
        known = entry.min_response_time
        entry.min_response_time = self.least if known is None else min(known, self.least)  # type: ignore[assignment]
        entry.max_response_time = max(entry.max_response_time, self.most)  # type: ignore[assignment]
        for bucket, count in self.times.items():
            entry.response_times[bucket] += count


class Tallies:
    """Adds to ``stats``: at once, or in groups from ``start`` to ``stop``.

    ``now`` gives epoch seconds, as Locust's entries count them.
    """

    def __init__(self, stats: RequestStats, now: Callable[[], float] = time.time) -> None:
        self._stats = stats
        self._now = now
        self._waiting: dict[tuple[str, str], _Sum] = {}  # by name and method, as entries are
        self._total = _Sum()
        self._at = 0.0  # of the last one that waits
        self._second = 0
        self._folder: gevent.Greenlet | None = None

    def start(self) -> None:
        """Add in groups from now on."""
        self._folder = gevent.spawn(self._run)

    def stop(self) -> None:
        """Add at once from now on, with nothing left waiting; may be called twice."""
        if self._folder is not None:
            self._folder.kill()
            self._folder = None
        self.fold()

    def add(
        self,
        name: str,
        method: str,
        time_ms: float | None,
        length: int = 0,
        *,
        is_request: bool = False,
    ) -> None:
        """One more for an entry; one that ``is_request`` counts in the Aggregated row, too."""
        at = self._now()
        if int(at) != self._second:
            self.fold()
            self._second = int(at)
        self._at = at
        waiting = self._waiting.get((name, method))
        if waiting is None:
            waiting = self._waiting[name, method] = _Sum()
        waiting.add(time_ms, length)
        if is_request:
            self._total.add(time_ms, length)
        if self._folder is None:
            self.fold()

    def fold(self) -> None:
        """Let Locust's entries have all that waits."""
        waiting, total = self._waiting, self._total
        self._waiting, self._total = {}, _Sum()
        if total.count:
            total.fold_into(self._stats.total, self._at)
        for key, each in waiting.items():
            each.fold_into(self._stats.entries[key], self._at)

    def _run(self) -> None:
        while True:
            gevent.sleep(EVERY_S)
            self.fold()
