"""Timeline of a run: counts and times in a bounded number of equal intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kiosk_locust.measurement.percentiles import fewest
from kiosk_locust.reporting.web.log_histogram import Spread, place_of

#: Intervals at most; when they are full, they are merged two by two.
MOST_BINS = 300
#: Shortest interval, in seconds.
LEAST_WIDTH_S = 1.0
PERCENTS = (50, 95)
#: The parts of a job's time in stacking order. ``other`` is the time without the queue that is in
#: none of the parts between.
STACKED = ("queue_wait", "download", "predict", "postprocess", "upload", "other")

_TIMED, _IN_TOTAL = STACKED[:-1], STACKED[1:-1]


def parts(stages: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """A job's times (s) by part, from its times by stage; a ZIP has one per child.

    ``other`` is computed only for jobs of one image: a ZIP's lists are in any order.
    """
    by_part = {name: stages.get(name, ()) for name in _TIMED}
    totals = stages.get("total", ())
    if len(totals) == 1:
        measured_s = sum(sum(by_part[name]) for name in _IN_TOTAL)
        by_part["other"] = (max(0.0, totals[0] - measured_s),)
    return by_part


@dataclass(slots=True)
class Bin:
    """One interval: jobs, and the times (s) of jobs closed in it."""

    due: int = 0
    submitted: int = 0
    left: int = 0  # closed, after a submission
    closed: int = 0
    failed: int = 0  # closed, but not done
    durations: Spread = field(default_factory=Spread)
    waits: Spread = field(default_factory=Spread)
    parts: dict[str, list[float]] = field(default_factory=dict)  # [sum in s, number of times]

    def add_parts(self, by_part: Mapping[str, Sequence[float]]) -> None:
        """Add the times of one job."""
        sums = self.parts
        for name, times in by_part.items():
            if not times:
                continue
            if name in sums:
                sums[name][0] += sum(times)
                sums[name][1] += len(times)
            else:
                sums[name] = [sum(times), len(times)]

    def add_part(self, name: str, time_s: float) -> None:
        """Add one time (s) of one part."""
        sums = self.parts.get(name)
        if sums is None:
            self.parts[name] = [time_s, 1]
        else:
            sums[0] += time_s
            sums[1] += 1

    def merge(self, other: Bin) -> None:
        """Add the interval that follows."""
        self.due += other.due
        self.submitted += other.submitted
        self.left += other.left
        self.closed += other.closed
        self.failed += other.failed
        self.durations.merge(other.durations)
        self.waits.merge(other.waits)
        for name, (total_s, number) in other.parts.items():
            sums = self.parts.setdefault(name, [0.0, 0])
            sums[0] += total_s
            sums[1] += number


@dataclass(frozen=True, slots=True)
class TimelineValues:
    """Timeline for charts: one value per interval, None where there is none."""

    width_s: float
    due: tuple[int, ...]
    submitted: tuple[int, ...]
    closed: tuple[int, ...]
    failed: tuple[int, ...]
    in_flight: tuple[int, ...]  # at the end of each interval
    duration_p50_s: tuple[float | None, ...]
    duration_p95_s: tuple[float | None, ...]
    queue_wait_p50_s: tuple[float | None, ...]
    queue_wait_p95_s: tuple[float | None, ...]
    parts_s: Mapping[str, tuple[float | None, ...]]  # means


class Timeline:
    """Intervals from ``begun_at`` (epoch seconds) on; earlier moments count in the first."""

    def __init__(self, begun_at: float, *, width_s: float = LEAST_WIDTH_S) -> None:
        self.begun_at = begun_at
        self.width_s = width_s
        self.durations = Spread()  # of the whole run
        self.in_flight_before = 0  # jobs in flight at the start
        self._bins: list[Bin] = []

    def at(self, moment: float) -> Bin:
        """Interval of a moment (epoch seconds); merges or appends intervals as needed."""
        place = max(0, math.floor((moment - self.begun_at) / self.width_s))
        while place >= MOST_BINS:
            self._merge()
            place = math.floor((moment - self.begun_at) / self.width_s)
        while place >= len(self._bins):
            self._bins.append(Bin())
        return self._bins[place]

    def close(
        self,
        moment: float,
        *,
        was_submitted: bool,
        is_done: bool,
        duration_s: float | None,
        queue_wait_s: float | None,
        by_part: Mapping[str, Sequence[float]],
    ) -> Bin:
        """Add a ticket that was closed at ``moment``; returns its interval."""
        interval = self.at(moment)
        interval.closed += 1
        interval.left += was_submitted
        interval.failed += not is_done
        if duration_s is not None:
            place = place_of(duration_s)
            interval.durations.add_in(place, duration_s)
            self.durations.add_in(place, duration_s)
        if queue_wait_s is not None:
            interval.waits.add(queue_wait_s)
        if by_part:
            interval.add_parts(by_part)
        return interval

    def _merge(self) -> None:
        merged = self._bins[::2]
        for first, second in zip(merged, self._bins[1::2], strict=False):
            first.merge(second)
        self._bins = merged
        self.width_s *= 2

    def course(self) -> TimelineValues:
        """Values of all intervals so far."""
        bins = self._bins
        durations = [_quantiles(b.durations) for b in bins]
        waits = [_quantiles(b.waits) for b in bins]
        in_flight, now = [], self.in_flight_before
        for b in bins:
            now += b.submitted - b.left
            in_flight.append(now)
        return TimelineValues(
            width_s=self.width_s,
            due=tuple(b.due for b in bins),
            submitted=tuple(b.submitted for b in bins),
            closed=tuple(b.closed for b in bins),
            failed=tuple(b.failed for b in bins),
            in_flight=tuple(in_flight),
            duration_p50_s=tuple(_short(percentiles[0]) for percentiles in durations),
            duration_p95_s=tuple(_short(percentiles[1]) for percentiles in durations),
            queue_wait_p50_s=tuple(_short(percentiles[0]) for percentiles in waits),
            queue_wait_p95_s=tuple(_short(percentiles[1]) for percentiles in waits),
            parts_s={
                name: tuple(_mean(b.parts.get(name)) for b in bins)
                for name in STACKED
                if any(name in b.parts for b in bins)
            },
        )


def width_for(span_s: float) -> float:
    """Interval width (s) for a span of ``span_s``, equal to the result of merging."""
    width_s = LEAST_WIDTH_S
    while span_s >= MOST_BINS * width_s:
        width_s *= 2
    return width_s


def _quantiles(spread: Spread) -> list[float | None]:
    """`PERCENTS` of an interval; the median alone if a higher rank would be the maximum."""
    return [
        value if percent == PERCENTS[0] or spread.count >= fewest(percent) else None
        for percent, value in zip(PERCENTS, spread.quantiles_s(PERCENTS), strict=True)
    ]


def _mean(sums: list[float] | None) -> float | None:
    return _short(sums[0] / sums[1]) if sums else None


def _short(value: float | None) -> float | None:
    """``value`` rounded to four digits, more than a chart shows."""
    return None if value is None else float(f"{value:.4g}")
