"""A run that is on, as the page shows it: an observer of its jobs with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.clock import Clock
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.ticket_queue import TicketsOfCycle
from kiosk_locust.measurement.live_metrics import MEASURES, Metrics
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.model.record import Outcome, Record
from kiosk_locust.reporting.web import files
from kiosk_locust.reporting.web.due_counter import DueCounter, Moments
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


@dataclass(frozen=True, slots=True)
class RunNotes:
    """A run's facts as its page shows them, and what is asked for while it is on.

    ``checkpoint`` says how old the last one is, ``alerts`` which calls fail now, and ``doubts``
    what the run has warned of; each may be empty.
    """

    name: str
    host: str
    simulated: bool
    options: Mapping[str, Any]
    ledger: Path
    checkpoint: Callable[[], str] = str
    alerts: Callable[[], Sequence[str]] = tuple
    doubts: Callable[[], Sequence[str]] = tuple


class _Remarks:
    """Counts of jobs whose times are worth a remark."""

    def __init__(self) -> None:
        self.waited = 0  # for a free user, past their due time
        self.ambiguous = 0
        self.observed = 0  # their duration is that of polls

    def add(self, record: Record, duration_from: str | None) -> None:
        """Take in a closed ticket."""
        due_at = record.ticket.due_at
        self.waited += due_at is not None and record.taken_at > due_at
        self.ambiguous += record.ambiguous
        self.observed += duration_from == "observed"

    def problems(self, trouble: str) -> Sequence[str]:
        """Lines for the page; errors of expiries come later, of the ledger."""
        return problems(
            waited_for_user=self.waited,
            ambiguous=self.ambiguous,
            expire_errors=0,
            observed=self.observed,
            trouble=trouble,
        )


class LiveRun(RunObserver):
    """Observes a run; ``picture`` tells what came of it so far.

    ``planned`` gives the tickets of a cycle that began at a moment (epoch seconds), in order.
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        state: RunState,
        planned: TicketsOfCycle,
        notes: RunNotes,
    ) -> None:
        self._notes = notes
        self._clock = clock
        self._metrics = metrics
        self._run = state
        self._final: Picture | None = None
        self._begun_at = clock.now()
        self._timeline = Timeline(self._begun_at)
        self._has_begun = False
        self._is_over = False
        self._failures: deque[Failure] = deque(maxlen=MOST_FAILURES)
        self._due = DueCounter(state, planned)
        self._sent = Moments()
        self._remarks = _Remarks()

    @property
    def name(self) -> str:
        """The run's."""
        return self._notes.name

    @property
    def ledger(self) -> Path:
        """The run's."""
        return self._notes.ledger

    @property
    def simulated(self) -> bool:
        """True if no figure of it is of a real Kiosk."""
        return self._notes.simulated

    # -- events

    def start(self, zero_at: float) -> None:
        """Count the timeline from that moment (epoch seconds) on."""
        self._timeline = Timeline(zero_at)
        self._begun_at = zero_at
        self._has_begun = True

    def stop(self) -> None:
        """Every ticket is closed; files are being written."""
        self._is_over = True

    def conclude(self, picture: Picture | None) -> None:
        """Show from now on what the run's ledger says, which is exact; None: it was not read."""
        self._final = picture

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
        self._remarks.add(record, measures.duration_from)
        if record.outcome is Outcome.UNFINISHED:  # nothing failed: it gives way to what did
            if len(self._failures) < MOST_FAILURES:
                self._failures.append(_failure(record, at))
        elif record.outcome is not Outcome.DONE:
            self._failures.appendleft(_failure(record, at))

    def _catch_up(self) -> None:
        """Count what has become due by now."""
        for due_at in self._due.until(self._clock.now()):
            self._timeline.at(due_at).due += 1

    def _configuration(self) -> dict[str, str]:
        checkpoint = self._notes.checkpoint()
        return shown_settings(self._notes.options) | (
            {"checkpoint": checkpoint} if checkpoint else {}
        )

    # -- the picture

    @property
    def state(self) -> State:
        """How far the run is."""
        if self._final:
            return self._final.state
        if self._is_over or self._run.ended_by:
            return "ending"
        return "running" if self._has_begun else "starting"

    def rates(self) -> tuple[float | None, float | None]:
        """Jobs a second that the schedule wanted so far, and that were submitted."""
        self._catch_up()
        return self._due.moments.rate_per_s, self._sent.rate_per_s

    def picture(self) -> Picture:
        """The run at this moment; its size does not grow with the jobs."""
        if self._final is not None:
            return self._final
        now = self._clock.now()
        self._catch_up()
        view = self._metrics.view()
        self._timeline.at(max(now, self._begun_at))  # time passes where nothing happens, too
        return Picture(
            run_name=self._notes.name,
            host=self._notes.host,
            simulated=self._notes.simulated,
            workload=str(self._notes.options.get("workload", "open")),
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
            rate_wanted_per_s=self._due.moments.rate_per_s,
            rate_achieved_per_s=self._sent.rate_per_s if self._due.moments.count else None,
            outcomes={outcome.value: number for outcome, number in view.outcomes.items()},
            statuses=dict(view.statuses),
            course=self._timeline.course(),
            durations=histogram(self._timeline.durations),
            percentiles_s={name: self._metrics.percentiles(name) for name in MEASURES},
            exact=False,
            failures=tuple(self._failures),
            problems=(
                *self._notes.alerts(),
                *self._notes.doubts(),
                *self._remarks.problems(self._run.trouble),
            ),
            verdict="",
            pauses=(),
            cuts=(),
            files=files.of_run(self._notes.ledger, ""),
            cost=None,
            configuration=self._configuration(),
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
