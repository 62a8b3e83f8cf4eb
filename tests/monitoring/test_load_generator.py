"""What the generator warns of while a run goes on, by its records."""

from __future__ import annotations

import gevent
import pytest

from kiosk_locust.clock import SystemClock
from kiosk_locust.model.record import Attempt, AttemptResult, JobRequest, Record, Ticket
from kiosk_locust.monitoring.load_generator import GeneratorWatch, Lateness, Others
from kiosk_locust.monitoring.process import Watch
from kiosk_locust.verdict.rules import judge
from tests.helpers.scenarios import make_options

DUE = 1000.0


def attempt(number: int, at: float, result: AttemptResult, status: int | None = None) -> Attempt:
    return Attempt(number, at, at, at, result, status)


def submitted(*attempts: Attempt, taken_at: float = DUE - 1) -> Record:
    request = JobRequest("segmentation", "a.png", "uploads/a.png")
    return Record(Ticket(0, 1, 0, DUE, "a.png"), "User", request, taken_at, list(attempts))


def test_what_the_kiosk_refused_was_begun_in_time() -> None:
    lateness = Lateness()
    for _ in range(40):
        lateness.on_submitted(
            submitted(
                attempt(1, DUE + 0.01, AttemptResult.NOT_SENT),
                attempt(2, DUE + 1, AttemptResult.REFUSED, 503),
                attempt(3, DUE + 4.01, AttemptResult.ACCEPTED, 200),
            )
        )
    assert lateness.lags.least_p99_s() == pytest.approx(0.01, rel=0.01)
    assert (lateness.refused, lateness.refused_s) == (80, 4.0)


def test_attempts_of_an_earlier_session_are_none_of_this_one_s() -> None:
    lateness = Lateness()
    old = attempt(1, DUE - 900, AttemptResult.NOT_SENT)
    lateness.on_submitted(submitted(old, attempt(2, DUE + 0.5, AttemptResult.ACCEPTED, 200)))
    assert lateness.lags.percentile_s(100) == pytest.approx(0.5, rel=0.01)
    assert lateness.refused == 0


def generator(others: Others | None = None) -> tuple[GeneratorWatch, Watch]:
    clock = SystemClock()
    own = Watch(clock)
    return GeneratorWatch(make_options(count=40), clock, "run", own, others=others), own


def test_nothing_is_watched_before_the_first_job_is_due() -> None:
    used_s = iter((5.0, 5.5, 100.0))
    watched, own = generator(Others(simulator_cpu_s=lambda: next(used_s)))
    zero_at = SystemClock().now() + 0.2
    watched.start(zero_at)
    early = own.figures()
    assert (early.watched_s, early.cpu_share, early.judged_loop_delay_s) == (0.0, None, None)
    gevent.sleep(0.5)
    found = watched.figures()
    watched.stop()
    assert 0.1 < found.processes["run"].watched_s < 0.45
    assert found.simulator_cpu_share == pytest.approx(0.05)  # 0.5 s over no less than 10 s


def test_what_happens_after_the_end_does_not_count() -> None:
    lost = iter((0, 1))
    watched, _ = generator(Others(workers_lost=lambda: next(lost)))
    watched.start(0.0)
    gevent.sleep(0.05)
    watched.stop()
    before = watched.figures()
    gevent.sleep(0.2)
    assert watched.figures() == before
    assert before.workers_lost == 0


def test_a_warning_of_late_jobs_does_not_blame_the_kiosk() -> None:
    watched, _ = generator()
    for _ in range(40):
        watched.lateness.on_submitted(
            submitted(attempt(1, DUE + 9, AttemptResult.ACCEPTED, 200), taken_at=DUE - 1)
        )
    (reason,) = judge(watched.facts()).reasons
    assert reason.rule == "submission-lag"
    assert "Kiosk" not in reason.why
