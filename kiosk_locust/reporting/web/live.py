"""A run that is on, as the page shows it: an observer of its jobs with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kiosk_locust.clock import Clock
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import TicketsOfCycle
from kiosk_locust.measurement.live_metrics import MEASURES, Metrics
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import JobObserver
from kiosk_locust.model.record import Outcome, Record, Ticket
from kiosk_locust.reporting.web import files
from kiosk_locust.reporting.web.timeline import Timeline, parts
from kiosk_locust.reporting.web.view_model import (
    MOST_FAILURES,
    Failure,
    Picture,
    State,
    excerpt,
    histogram,
    problems,
    shown_settings,
)


class Moments:
    """The first and the last of many moments, and how many they are."""

    def __init__(self) -> None:
        self.count = 0
        self._first = self._last = 0.0

    def add(self, moment: float) -> None:
        """Take in one."""
        self._first = min(self._first, moment) if self.count else moment
        self._last = max(self._last, moment) if self.count else moment
        self.count += 1

    @property
    def rate_per_s(self) -> float | None:
        """There are n - 1 gaps between n moments; None where there is no telling."""
        span_s = self._last - self._first
        return (self.count - 1) / span_s if self.count > 1 and span_s > 0 else None


class LiveRun(JobObserver):
    """Observes the jobs of a run; ``picture`` tells what came of them.

    ``planned`` gives the tickets of a cycle that began at a moment (epoch seconds), in order.
    ``final`` is set once the run is over and its ledger was read: it is exact, and stands in for
    what was gathered here.
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        state: RunState,
        planned: TicketsOfCycle,
        *,
        name: str,
        host: str,
        simulated: bool,
        options: Mapping[str, Any],
        ledger: Path,
    ) -> None:
        self.name = name
        self.ledger = ledger
        self.simulated = simulated
        self.final: Picture | None = None
        self.doubts: Sequence[str] = ()  # what the run warned of; it may grow
        self.alerts: Callable[[], Sequence[str]] = lambda: ()  # which calls fail now
        self.checkpoint: Callable[[], str] = lambda: ""  # how old the last one is
        self._clock = clock
        self._metrics = metrics
        self._run, self._planned = state, planned
        self._host = host
        self._options = options
        self._begun_at = clock.now()
        self._timeline = Timeline(self._begun_at)
        self._has_begun = False
        self._is_over = False
        self._failures: deque[Failure] = deque(maxlen=MOST_FAILURES)
        self._due, self._sent = Moments(), Moments()
        self._coming: Iterator[Ticket] = iter(())
        self._next: Ticket | None = None
        self._cycle: tuple[int, float] | None = None
        self._waited = self._ambiguous = self._observed = 0

    # -- events

    def begin(self, zero_at: float) -> None:
        """The moment (epoch seconds) from which the timeline counts."""
        self._timeline = Timeline(zero_at)
        self._begun_at = zero_at
        self._has_begun = True

    def end(self) -> None:
        """Every ticket is closed; files are being written."""
        self._is_over = True

    def on_adopted(self, _record: Record) -> None:
        """A job of an earlier session is polled on."""
        self._timeline.in_flight_before += 1

    def on_submitted(self, record: Record) -> None:
        """A job has an id."""
        at = self._clock.now() if record.submitted_at is None else record.submitted_at
        self._timeline.at(at).submitted += 1
        self._sent.add(at)
        self._catch_up()

    def on_closed(self, record: Record, measures: Measures) -> None:
        """A ticket is closed."""
        at = self._clock.now() if record.closed_at is None else record.closed_at
        self._timeline.close(
            at,
            was_submitted=bool(record.job_id),
            is_done=record.outcome is Outcome.DONE,
            duration_s=measures.duration_s,
            queue_wait_s=measures.queue_wait_s,
            by_part=parts(measures.stages),
        )
        due_at = record.ticket.due_at
        self._waited += due_at is not None and record.taken_at > due_at
        self._ambiguous += record.ambiguous
        self._observed += measures.duration_from == "observed"
        if record.outcome is Outcome.UNFINISHED:  # nothing failed: it gives way to what did
            if len(self._failures) < MOST_FAILURES:
                self._failures.append(_failure(record, at))
        elif record.outcome is not Outcome.DONE:
            self._failures.appendleft(_failure(record, at))

    def _catch_up(self) -> None:
        """Count what has become due by now."""
        run, now = self._run, self._clock.now()
        if run.ended_by:
            return
        if run.cycle_begun and run.cycle_begun != self._cycle:
            self._count_due(now)  # of the cycle before
            self._cycle = run.cycle_begun
            self._coming = self._planned(*run.cycle_begun)
            self._next = next(self._coming, None)
        self._count_due(now)

    def _count_due(self, now: float) -> None:
        while self._next is not None and self._next.due_at is not None and self._next.due_at <= now:
            self._timeline.at(self._next.due_at).due += 1
            self._due.add(self._next.due_at)
            self._next = next(self._coming, None)

    def _kept(self) -> dict[str, str]:
        told = self.checkpoint()
        return {"checkpoint": told} if told else {}

    # -- the picture

    @property
    def state(self) -> State:
        """How far the run is."""
        if self.final:
            return self.final.state
        if self._is_over or self._run.ended_by:
            return "ending"
        return "running" if self._has_begun else "starting"

    def rates(self) -> tuple[float | None, float | None]:
        """Jobs a second that the schedule wanted so far, and that were submitted."""
        self._catch_up()
        return self._due.rate_per_s, self._sent.rate_per_s

    def picture(self) -> Picture:
        """The run at this moment; its size does not grow with the jobs."""
        if self.final is not None:
            return self.final
        now = self._clock.now()
        self._catch_up()
        view = self._metrics.view()
        self._timeline.at(max(now, self._begun_at))  # time passes where nothing happens, too
        return Picture(
            run_name=self.name,
            host=self._host,
            simulated=self.simulated,
            workload=str(self._options.get("workload", "open")),
            state=self.state,
            ended_by=self._run.ended_by,
            begun_at=self._begun_at,
            read_at=now,
            total=view.total,
            closed=view.closed,
            never_begun=view.never_begun,
            submitted=view.submitted,
            in_flight=view.in_flight,
            images_done=view.images_done,
            images_failed=view.images_failed,
            elapsed_s=max(0.0, now - self._begun_at),
            left_s=view.left_s,
            rate_per_s=view.rate_per_s,
            rate_wanted_per_s=self._due.rate_per_s,
            rate_achieved_per_s=self._sent.rate_per_s if self._due.count else None,
            outcomes={outcome.value: number for outcome, number in view.outcomes.items()},
            statuses=dict(view.statuses),
            course=self._timeline.course(),
            durations=histogram(self._timeline.durations),
            percentiles_s={name: self._metrics.percentiles(name) for name in MEASURES},
            exact=False,
            failures=tuple(self._failures),
            problems=(
                *self.alerts(),
                *self.doubts,
                *problems(
                    waited_for_user=self._waited,
                    ambiguous=self._ambiguous,
                    expire_errors=0,  # they come after the job is closed; the ledger tells them
                    observed=self._observed,
                    trouble=self._run.trouble,
                ),
            ),
            verdict="",
            pauses=(),
            cuts=(),
            files=files.of_run(self.ledger, ""),
            cost=None,
            configuration=shown_settings(self._options) | self._kept(),
        )


def _failure(record: Record, at: float) -> Failure:
    snapshot = record.snapshot
    return Failure(
        at=at,
        number=record.ticket.number,
        cycle=record.ticket.cycle,
        job_id=record.job_id,
        outcome=(record.outcome or Outcome.ERROR).value,
        reason=excerpt(record.reason),
        output_url=snapshot.fields.get("output_url", "") if snapshot else "",
    )
