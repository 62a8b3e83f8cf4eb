"""The generator of a run's load watches itself, and warns while there is still time to mend it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gevent

from kiosk_locust.clock import Clock
from kiosk_locust.measurement.facts import Causes, ValidityFacts
from kiosk_locust.measurement.histogram import DurationHistogram
from kiosk_locust.measurement.process_figures import Generator, ProcessFigures
from kiosk_locust.model.job_metrics import submission_lag_s, tries_of_session
from kiosk_locust.model.options import Options
from kiosk_locust.model.ports import JobObserver, JobPublisher, RunObserver
from kiosk_locust.model.record import Attempt, AttemptResult, Record
from kiosk_locust.monitoring.process import CPU_LEAST_S, Watch
from kiosk_locust.verdict.rules import judge

logger = logging.getLogger(__name__)

#: How often it looks whether to warn, and how often it says the same again.
LOOK_S = 2.0
AGAIN_S = 600.0
#: Answers of a Kiosk that is busy: nothing was processed.
BUSY_STATUSES = frozenset({408, 429, 503})


@dataclass(frozen=True, slots=True)
class Others:
    """What is asked of the other processes, where there are any."""

    workers: Callable[[], Mapping[str, ProcessFigures]] | None = None
    workers_lost: Callable[[], int] | None = None
    unread_messages: Callable[[], int] | None = None
    simulator_cpu_s: Callable[[], float | None] | None = None


class Lateness(JobObserver):
    """How late jobs are submitted, by their records."""

    def __init__(self) -> None:
        self.lags = DurationHistogram()
        self.waited = 0  # tickets that were taken after they were due
        self.submitted = 0
        self.refused = 0  # attempts that the Kiosk refused or did not take
        self.refused_s = 0.0  # the longest from a job's first attempt to its last, of those

    def on_submitted(self, record: Record) -> None:
        """A job has an id; what an earlier session tried for it is none of this one's."""
        self.submitted += 1
        tries = tries_of_session(record)
        if not tries:
            return
        if refused := sum(map(is_refused, tries)):
            self.refused += refused
            self.refused_s = max(self.refused_s, tries[-1].asked_at - tries[0].asked_at)
        due_at, lag_s = record.ticket.due_at, submission_lag_s(record)
        if due_at is not None and lag_s is not None:
            self.lags.add(lag_s)
            self.waited += record.taken_at > due_at


def is_refused(attempt: Attempt) -> bool:
    """Whether the Kiosk was away or busy; a final no (400) is about the job."""
    if attempt.result is AttemptResult.NOT_SENT:
        return True
    return attempt.result is AttemptResult.REFUSED and attempt.http_status in BUSY_STATUSES


class GeneratorWatch(RunObserver):
    """Watches this process, hears of the others, and warns once of each thing that goes wrong.

    ``name`` is this process's: ``run``, or ``master`` where there are workers. ``watch`` is this
    process's, and ``others`` are asked of theirs. ``keep`` is given what all processes saw by
    then, every LOOK_S seconds.
    """

    def __init__(
        self,
        options: Options,
        clock: Clock,
        name: str,
        watch: Watch,
        *,
        others: Others | None = None,
        keep: Callable[[Generator], None] = lambda _seen: None,
    ) -> None:
        self.lateness = Lateness()
        self._options = options
        self._clock = clock
        self._name = name
        self._watch = watch
        self._others = others or Others()
        self._keep = keep
        self.told: list[str] = []  # what was warned of, as it was said last
        self._reasons: dict[str, str] = {}
        self._warned: dict[str, float] = {}
        self._started_at = clock.now()
        self._simulators_cpu_s: float | None = None
        self._greenlet: gevent.Greenlet | None = None
        self._final: Generator | None = None

    def attach(self, bus: JobPublisher) -> None:
        """Hear how late jobs are submitted."""
        bus.add(self.lateness, is_essential=True)

    def start(self, zero_at: float) -> None:
        """Begin to watch when the first job is due (epoch seconds), and to warn."""
        self._greenlet = gevent.spawn(self._run, zero_at)
        self._watch.start(zero_at)

    def stop(self) -> None:
        """Watch and warn no more: what the end of a run does is no part of it."""
        self._watch.stop()
        if self._greenlet is not None:
            self._greenlet.kill()
        if self._final is None:
            self._final = self.figures()

    def figures(self) -> Generator:
        """What all processes saw by now, or until ``stop``."""
        if self._final is not None:
            return self._final
        processes = {self._name: self._watch.figures()}
        if self._others.workers:
            processes |= self._others.workers()
        lost = self._others.workers_lost() if self._others.workers_lost else None
        unread = self._others.unread_messages() if self._others.unread_messages else None
        return Generator(processes, lost, self._simulator_share(), unread)

    def facts(self) -> ValidityFacts:
        """What the verdict would go by, were the run over now."""
        facts = ValidityFacts(
            is_open=self._options.workload == "open",
            tickets=self._options.count * self._options.num_cycles or self.lateness.submitted,
            submission_lag_p99_s=self.lateness.lags.least_p99_s(),
            waited_for_user=self.lateness.waited,
            causes=Causes(refused=self.lateness.refused, refused_s=self.lateness.refused_s),
        )
        return self.figures().in_facts(facts)

    def verdict(self) -> str:
        """VALID or INVALID, were the run over now; empty before the first submission."""
        if not self.lateness.submitted:
            return ""
        return judge(self.facts(), self._options.trust.limits).verdict

    def warn(self) -> None:
        """Say what makes the run invalid by now, with its cure; each once, or seldom again."""
        now = self._clock.now()
        for reason in judge(self.facts(), self._options.trust.limits).reasons:
            if now - self._warned.get(reason.rule, -AGAIN_S) < AGAIN_S:
                continue
            self._warned[reason.rule] = now
            logger.warning("these numbers cannot be trusted (%s): %s", reason.rule, reason.why)
            self._reasons[reason.rule] = reason.why
            self.told[:] = self._reasons.values()

    def _run(self, zero_at: float) -> None:
        self._clock.sleep(max(0.0, zero_at - self._clock.now()))
        self._started_at = self._clock.now()
        cpu_s = self._others.simulator_cpu_s
        self._simulators_cpu_s = cpu_s() if cpu_s else None
        while True:
            self._clock.sleep(LOOK_S)
            self.warn()
            self._keep(self.figures())

    def _simulator_share(self) -> float | None:
        used_s = self._others.simulator_cpu_s() if self._others.simulator_cpu_s else None
        if used_s is None or self._simulators_cpu_s is None:
            return None
        watched_s = self._clock.now() - self._started_at
        return (used_s - self._simulators_cpu_s) / max(watched_s, CPU_LEAST_S)
