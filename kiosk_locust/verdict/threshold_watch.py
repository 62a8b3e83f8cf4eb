"""Thresholds while a run goes on: whether one of them is missed by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import takewhile

import gevent

from kiosk_locust.clock import Clock
from kiosk_locust.measurement.estimates import MeasuredFigure
from kiosk_locust.measurement.histogram import DurationHistogram
from kiosk_locust.measurement.intervals import needed
from kiosk_locust.model.job_metrics import Measures, is_never_begun, submission_lag_s
from kiosk_locust.model.job_moments import starts_at
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.model.record import OUTCOMES, AttemptResult, Outcome, Record
from kiosk_locust.verdict.threshold_parser import Threshold
from kiosk_locust.verdict.thresholds import Miss, Result, evaluate

LOOK_S = 0.5
#: Durations that jobs in flight have a part of already.
_LIVES = ("job", "job_since_due")


class Gate(RunObserver):
    """Looks at the jobs that have ended, from ``after_s`` after the start on.

    ``on_miss`` is called once, with the threshold that is missed and what was measured.
    Percentiles, shares and numbers of outcomes, failed images and the makespan are looked at; rates
    and costs are known in the end only. A percentile is looked at once there are as many jobs
    as it needs. Jobs that have not ended count for ``job`` and ``job_since_due`` with their age,
    so a Kiosk that ends none of them is seen, too.
    """

    is_essential = True

    def __init__(
        self,
        thresholds: Sequence[Threshold],
        after_s: float,
        clock: Clock,
        on_miss: Callable[[Miss], None],
    ) -> None:
        self._thresholds = tuple(thresholds)
        self._after_s = after_s
        self._clock = clock
        self._on_miss = on_miss
        self._outcomes: Counter[Outcome] = Counter()
        self._images_done = self._images_failed = 0
        wanted = {each.distribution for each in thresholds if each.distribution}
        self._waits = {name: DurationHistogram() for name in wanted}
        # When each job in flight began, by its ticket; in the order of their submission.
        self._open: dict[str, dict[int, float]] = {name: {} for name in wanted & set(_LIVES)}
        self._started_at = clock.now()
        self._greenlet: gevent.Greenlet | None = None

    def start(self, zero_at: float) -> None:
        """The first job is due at ``zero_at`` (epoch seconds)."""
        self._started_at = zero_at
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Look no more."""
        if self._greenlet is not None and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill()

    def on_adopted(self, record: Record) -> None:
        """A job of an earlier session is polled on."""
        self.on_submitted(record)

    def on_submitted(self, record: Record) -> None:
        """A job has an id."""
        at = record.submitted_at
        began = {
            "job": self._clock.now() if at is None else at,
            "job_since_due": starts_at(record.ticket.due_at, record.taken_at),
        }
        for name, starts in self._open.items():
            starts[record.ticket.id] = began[name]

    def on_closed(self, record: Record, measures: Measures) -> None:
        """A ticket is closed."""
        for starts in self._open.values():
            starts.pop(record.ticket.id, None)
        if is_never_begun(record):
            return
        self._outcomes[record.outcome or Outcome.ERROR] += 1
        self._images_done += measures.images_done
        self._images_failed += measures.images_failed
        self._add("job", measures.duration_s)
        self._add("job_since_due", measures.since_due_s)
        if record.observed_at is not None and record.observed_after is not None:
            self._add("detection_bound", record.observed_at - record.observed_after)
        self._add_submission(record)
        for stage, times in measures.stages.items():
            for time_s in times:
                self._add(stage, time_s)

    def missed(self) -> Miss | None:
        """The first threshold that is missed by now, with what was measured."""
        now = self._clock.now()
        if now - self._started_at < self._after_s:
            return None
        for row in evaluate(self._thresholds, self._figures(now)):
            if row.result is Result.MISS:
                return Miss(row.threshold, row.measured)
        return None

    def _figures(self, now: float) -> dict[str, MeasuredFigure]:
        tickets = sum(self._outcomes.values())
        images = self._images_done + self._images_failed
        figures = {"makespan": MeasuredFigure(now - self._started_at)}
        for name in OUTCOMES if tickets else ():
            count = self._outcomes[Outcome(name)]
            figures[name] = MeasuredFigure(count / tickets)
            figures[f"{name}.jobs"] = MeasuredFigure(float(count))
        if images:
            figures["images_failed"] = MeasuredFigure(self._images_failed / images)
        for each in self._thresholds:
            if each.percent is not None and (worst := self._worst_s(each, now)) is not None:
                figures[each.measure] = MeasuredFigure(worst)
        # What grows with the jobs to come may be missed now and met in the end.
        return {
            each.measure: figures[each.measure]
            for each in self._thresholds
            if each.measure in figures and each.operator in ("<", "<=")
        }

    def _worst_s(self, threshold: Threshold, now: float) -> float | None:
        """The percentile of jobs that ended, or with the ages of those that did not, if higher."""
        name, percent = threshold.distribution, threshold.percent or 0.0
        least = 1 if percent >= 100 else needed(percent)
        waits, starts = self._waits[name], self._open.get(name, {})
        found = [waits.percentile_s(percent)] if waits.count >= least else []
        ages = (now - began for began in starts.values())  # the oldest first
        old = list(takewhile(lambda age: age > threshold.limit, ages))
        if old and waits.count + len(starts) >= least:
            found.append(waits.also(old, len(starts) - len(old)).percentile_s(percent))
        return max((value for value in found if value is not None), default=None)

    def _add_submission(self, record: Record) -> None:
        """How late it was asked for, and how long its accepted request took."""
        accepted = next((a for a in record.attempts if a.result is AttemptResult.ACCEPTED), None)
        if accepted is None or accepted.sent_at is None:
            return
        self._add("submission_lag", submission_lag_s(record))
        self._add("socket_wait", accepted.sent_at - accepted.asked_at)
        if accepted.received_at is not None:
            self._add("submission_http", accepted.received_at - accepted.sent_at)

    def _add(self, name: str, time_s: float | None) -> None:
        if time_s is not None and name in self._waits:
            self._waits[name].add(time_s)

    def _run(self) -> None:
        while True:
            self._clock.sleep(LOOK_S)
            if missed := self.missed():
                self._on_miss(missed)
                return
