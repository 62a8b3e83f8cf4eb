"""What happened when: counts and times of a run, in a bounded number of equal intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kiosk_locust.measurement.percentiles import fewest
from kiosk_locust.reporting.web.log_histogram import Spread, place_of

#: So many intervals at most; when they are full, they are merged two by two.
MOST_BINS = 300
#: The shortest interval.
LEAST_WIDTH_S = 1.0
PERCENTS = (50, 95)
#: The parts of a job's time that are stacked, in their order. ``other`` is what of the time
#: without the queue is none of those between.
STACKED = ("queue_wait", "download", "predict", "postprocess", "upload", "other")

_TIMED, _IN_TOTAL = STACKED[:-1], STACKED[1:-1]


def parts(stages: Mapping[str, Sequence[float]]) -> dict[str, Sequence[float]]:
    """A job's times by STACKED, from its times by stage; a ZIP has one a child.

    What is left of ``total`` is only told of jobs of one image: a ZIP's lists are in any order.
    """
    found = {name: stages.get(name, ()) for name in _TIMED}
    totals = stages.get("total", ())
    if len(totals) == 1:
        known = sum(sum(found[name]) for name in _IN_TOTAL)
        found["other"] = (max(0.0, totals[0] - known),)
    return found


@dataclass(slots=True)
class Bin:
    """One interval: jobs, and the times (s) of jobs that were closed in it."""

    due: int = 0
    submitted: int = 0
    left: int = 0  # closed, and submitted before
    closed: int = 0
    failed: int = 0  # closed, and not done
    durations: Spread = field(default_factory=Spread)
    waits: Spread = field(default_factory=Spread)
    parts: dict[str, list[float]] = field(default_factory=dict)  # [sum, number of times]

    def add_parts(self, found: Mapping[str, Sequence[float]]) -> None:
        """Take in the times of one job."""
        kept = self.parts
        for name, times in found.items():
            if not times:
                continue
            if name in kept:
                kept[name][0] += sum(times)
                kept[name][1] += len(times)
            else:
                kept[name] = [sum(times), len(times)]

    def add_part(self, name: str, time_s: float) -> None:
        """Take in one time of one part."""
        kept = self.parts.get(name)
        if kept is None:
            self.parts[name] = [time_s, 1]
        else:
            kept[0] += time_s
            kept[1] += 1

    def merge(self, other: Bin) -> None:
        """Take in the interval that follows."""
        self.due += other.due
        self.submitted += other.submitted
        self.left += other.left
        self.closed += other.closed
        self.failed += other.failed
        self.durations.merge(other.durations)
        self.waits.merge(other.waits)
        for name, (total_s, number) in other.parts.items():
            kept = self.parts.setdefault(name, [0.0, 0])
            kept[0] += total_s
            kept[1] += number


@dataclass(frozen=True, slots=True)
class TimelineValues:
    """A timeline as charts need it: a value an interval; None where there is none."""

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
    """Intervals from ``begun_at`` (epoch seconds) on; what was before counts in the first."""

    def __init__(self, begun_at: float, *, width_s: float = LEAST_WIDTH_S) -> None:
        self.begun_at = begun_at
        self.width_s = width_s
        self.durations = Spread()  # of the whole run
        self.in_flight_before = 0  # jobs that are there already
        self._bins: list[Bin] = []

    def at(self, moment: float) -> Bin:
        """The interval that holds a moment; makes room for it if need be."""
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
        """Take in a ticket that was closed at ``moment``; returns its interval."""
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
        for kept, other in zip(merged, self._bins[1::2], strict=False):
            kept.merge(other)
        self._bins = merged
        self.width_s *= 2

    def course(self) -> TimelineValues:
        """All intervals so far."""
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
            duration_p50_s=tuple(_short(found[0]) for found in durations),
            duration_p95_s=tuple(_short(found[1]) for found in durations),
            queue_wait_p50_s=tuple(_short(found[0]) for found in waits),
            queue_wait_p95_s=tuple(_short(found[1]) for found in waits),
            parts_s={
                name: tuple(_mean(b.parts.get(name)) for b in bins)
                for name in STACKED
                if any(name in b.parts for b in bins)
            },
        )


def width_for(span_s: float) -> float:
    """The width with which ``span_s`` fits, as merging would come to it."""
    width_s = LEAST_WIDTH_S
    while span_s >= MOST_BINS * width_s:
        width_s *= 2
    return width_s


def _quantiles(spread: Spread) -> list[float | None]:
    """PERCENTS of an interval; of so few times that one would be the greatest, the median alone."""
    return [
        value if percent == PERCENTS[0] or spread.count >= fewest(percent) else None
        for percent, value in zip(PERCENTS, spread.quantiles_s(PERCENTS), strict=True)
    ]


def _mean(kept: list[float] | None) -> float | None:
    return _short(kept[0] / kept[1]) if kept else None


def _short(value: float | None) -> float | None:
    """Four digits are more than a chart shows."""
    return None if value is None else float(f"{value:.4g}")
