"""Live counters and histograms of a run, fed by the plugin's events.

Memory is bounded by the jobs in flight: nothing here grows with those that are closed.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from kiosk_locust.clock import Clock
from kiosk_locust.measurement.histogram import DurationHistogram
from kiosk_locust.measurement.percentiles import SHARES, Percentiles, fewest, rank
from kiosk_locust.model.job_metrics import STAGES, Measures, is_never_begun
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.model.record import Outcome, Record, StatusChange

#: What has a histogram: the whole job, and each stage of it.
MEASURES = ("duration", "since_due", *STAGES)
#: So few jobs are named one by one.
FEW = 25

_RATE_WINDOW_S = 10
_ESTIMATE_WINDOW_S = 60
_LONGEST_S = 60 * 24 * 3600  # 60 days; what takes longer counts as that long


@dataclass(frozen=True, slots=True)
class View:
    """The state of a run at one moment."""

    total: int | None  # tickets; None while a run is open-ended
    closed: int  # tickets that were begun
    submitted: int
    statuses: Mapping[str, int]  # jobs in flight by the last status seen
    outcomes: Mapping[Outcome, int]  # those closed; outcomes of none are left out
    images_done: int
    images_failed: int
    elapsed_s: float
    rate_per_s: float  # tickets closed a second, over the last 10 s
    left_s: float | None  # estimate of the time until the last one; None if there is no telling
    waited_for: tuple[str, ...]  # job ids in flight, once no more than FEW tickets remain
    never_begun: int = 0  # tickets that the run's end closed before anything was sent

    @property
    def is_over(self) -> bool:
        """Whether no ticket is left."""
        return self.total is not None and self.closed + self.never_begun >= self.total

    @property
    def in_flight(self) -> int:
        """Jobs that were submitted and are not closed."""
        return sum(self.statuses.values())


class Metrics(RunObserver):
    """Counts the jobs of a run; ``view`` tells what came of it.

    ``total`` is the number of tickets over all cycles, None for an open-ended run.
    """

    is_essential = True

    def __init__(self, clock: Clock, total: int | None) -> None:
        self.total = total
        self._clock = clock
        self._started_at = clock.now()
        self._earlier = 0  # tickets closed before this session
        self._submitted = 0
        self._closed = 0
        self._never_begun = 0
        self._images_done = 0
        self._images_failed = 0
        self._in_flight: dict[int, Record] = {}
        self._statuses: dict[int, str] = {}
        self._outcomes: Counter[Outcome] = Counter()
        self._closings: deque[tuple[int, int]] = deque()  # (second, tickets closed in it)
        self._histograms = {name: DurationHistogram(_LONGEST_S) for name in MEASURES}

    def take_up(
        self, outcomes: Mapping[Outcome, int], submitted: int, images_done: int, images_failed: int
    ) -> None:
        """Begin with the jobs and images of earlier sessions; paces stay those of this one."""
        self._earlier = sum(outcomes.values())
        self._closed += self._earlier
        self._outcomes.update(outcomes)
        self._submitted += submitted
        self._images_done += images_done
        self._images_failed += images_failed

    def on_adopted(self, record: Record) -> None:
        """A job of an earlier session is polled on."""
        self._in_flight[record.ticket.id] = record
        self._statuses[record.ticket.id] = record.status or "submitted"

    def on_submitted(self, record: Record) -> None:
        """A job has an id."""
        self._submitted += 1
        self._in_flight[record.ticket.id] = record
        self._statuses[record.ticket.id] = "submitted"

    def on_status(self, record: Record, change: StatusChange) -> None:
        """A poll saw a new status."""
        self._in_flight[record.ticket.id] = record
        self._statuses[record.ticket.id] = change.status

    def on_closed(self, record: Record, measures: Measures) -> None:
        """A ticket is closed."""
        self._in_flight.pop(record.ticket.id, None)
        self._statuses.pop(record.ticket.id, None)
        self._images_done += measures.images_done
        self._images_failed += measures.images_failed
        if is_never_begun(record):
            self._never_begun += 1
            return
        self._count_closed(record.outcome or Outcome.ERROR, 1)
        if measures.duration_s is not None:
            self._histograms["duration"].add(measures.duration_s)
        if measures.since_due_s is not None:
            self._histograms["since_due"].add(measures.since_due_s)
        for stage, times in measures.stages.items():
            for time_s in times:
                self._histograms[stage].add(time_s)

    def on_never_leased(self, outcome: Outcome, count: int) -> None:
        """``count`` tickets were closed that nobody leased; they fire no event each."""
        if outcome is Outcome.UNFINISHED:
            self._never_begun += count
            return
        self._closed += count  # none of the rate: nothing was done for them
        self._outcomes[outcome] += count

    def view(self) -> View:
        """The state at this moment; cheap enough for several times a second."""
        self._forget()
        now = self._clock.now()
        remaining = (
            None if self.total is None else max(0, self.total - self._closed - self._never_begun)
        )
        few = remaining is not None and remaining <= FEW
        return View(
            total=self.total,
            closed=self._closed,
            submitted=self._submitted,
            statuses=Counter(self._statuses.values()),
            outcomes=dict(self._outcomes),
            images_done=self._images_done,
            images_failed=self._images_failed,
            elapsed_s=now - self._started_at,
            rate_per_s=self._rate(now, _RATE_WINDOW_S),
            left_s=None if remaining is None else self._left_s(now, remaining),
            waited_for=tuple(r.job_id for r in self._in_flight.values() if r.job_id) if few else (),
            never_begun=self._never_begun,
        )

    def percentiles(self, name: str) -> Percentiles:
        """Of one of MEASURES, in seconds; within 0.1 % of the exact ones, by the same rank.

        Those of too few values are None, as in `percentiles`.
        """
        histogram = self._histograms[name]
        count = histogram.count
        if not count:
            return Percentiles(0)
        times_s = histogram.at_ranks(rank(count, percent) for percent in SHARES)
        p50, p90, p95, p99 = (
            time_s if count >= fewest(percent) else None
            for time_s, percent in zip(times_s, SHARES, strict=True)
        )
        return Percentiles(count, p50, p90, p95, p99, histogram.highest_s)

    def _count_closed(self, outcome: Outcome, count: int) -> None:
        self._closed += count
        self._outcomes[outcome] += count
        second = math.floor(self._clock.now())
        if self._closings and self._closings[-1][0] == second:
            count += self._closings.pop()[1]
        self._closings.append((second, count))
        self._forget()

    def _forget(self) -> None:
        oldest = self._clock.now() - _ESTIMATE_WINDOW_S - 1
        while self._closings and self._closings[0][0] < oldest:
            self._closings.popleft()

    def _rate(self, now: float, window_s: float) -> float:
        """Tickets closed a second over the last ``window_s``, or since the start if shorter."""
        span_s = min(window_s, now - self._started_at)
        if span_s <= 0:
            return 0.0
        return sum(count for second, count in self._closings if second > now - window_s) / span_s

    def _left_s(self, now: float, remaining: int) -> float | None:
        """By the pace of the last minute, or where nothing was closed in it, of the whole run."""
        if not remaining:
            return 0.0
        elapsed_s = now - self._started_at
        pace = self._rate(now, _ESTIMATE_WINDOW_S)
        if not pace and elapsed_s > 0:
            pace = (self._closed - self._earlier) / elapsed_s
        return remaining / pace if pace else None
