"""Thresholds while a run goes on: whether one of them is missed by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gevent

from kiosk_locust.clock import Clock
from kiosk_locust.measures import measure, stages
from kiosk_locust.quality.figures import Figure
from kiosk_locust.quality.grammar import Threshold
from kiosk_locust.quality.quantities import OUTCOMES
from kiosk_locust.quality.thresholds import Result, evaluate
from kiosk_locust.record import Outcome, Record
from kiosk_locust.watch import Waits

LOOK_S = 0.5


class Gate:
    """Looks at the jobs that have ended, from ``after_s`` after the start on.

    ``on_miss`` is called once, with the threshold that is missed and what was measured.
    Percentiles of jobs and stages, shares and numbers of outcomes, failed images and the makespan
    are looked at; rates, costs and the rest are known in the end only.
    """

    def __init__(
        self,
        thresholds: Sequence[Threshold],
        after_s: float,
        clock: Clock,
        on_miss: Callable[[str], None],
    ) -> None:
        self._thresholds = tuple(thresholds)
        self._after_s = after_s
        self._clock = clock
        self._on_miss = on_miss
        self._outcomes: Counter[Outcome] = Counter()
        self._images_done = self._images_failed = 0
        wanted = {each.distribution for each in thresholds if each.distribution}
        self._waits = {name: Waits() for name in wanted}
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

    def on_closed(self, record: Record, **_: Any) -> None:
        """A ticket is closed."""
        found = measure(record)
        self._outcomes[record.outcome or Outcome.ERROR] += 1
        self._images_done += found.images_done
        self._images_failed += found.images_failed
        self._add("job", found.duration_s)
        if record.observed_at is not None:
            due_at = record.ticket.due_at
            began_at = record.taken_at if due_at is None else due_at
            self._add("job_since_due", record.observed_at - began_at)
        for stage, times in stages(record, found).items():
            for time_s in times:
                self._add(stage, time_s)

    def missed(self) -> str:
        """The first threshold that is missed by now, with what was measured; empty: none is."""
        now = self._clock.now()
        if now - self._started_at < self._after_s:
            return ""
        for row in evaluate(self._thresholds, self._figures(now)):
            if row.result is Result.MISS:
                return f"{row.threshold.text} is missed: measured {row.measured}"
        return ""

    def _figures(self, now: float) -> dict[str, Figure]:
        tickets = sum(self._outcomes.values())
        images = self._images_done + self._images_failed
        figures = {"makespan": Figure(now - self._started_at)}
        for name in OUTCOMES if tickets else ():
            count = self._outcomes[Outcome(name)]
            figures[name] = Figure(count / tickets)
            figures[f"{name}.jobs"] = Figure(float(count))
        if images:
            figures["images_failed"] = Figure(self._images_failed / images)
        for each in self._thresholds:
            waits = self._waits.get(each.distribution)
            if waits and waits.count and each.percent is not None:
                figures[each.measure] = Figure(waits.percentile_s(each.percent))
        # What grows with the jobs to come may be missed now and met in the end.
        return {
            each.measure: figures[each.measure]
            for each in self._thresholds
            if each.measure in figures and each.operator in ("<", "<=")
        }

    def _add(self, name: str, time_s: float | None) -> None:
        if time_s is not None and name in self._waits:
            self._waits[name].add(time_s)

    def _run(self) -> None:
        while True:
            self._clock.sleep(LOOK_S)
            if missed := self.missed():
                self._on_miss(missed)
                return
