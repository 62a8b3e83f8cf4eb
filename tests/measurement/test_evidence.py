"""What a ledger tells of the causes, in ledgers that are made by SQL alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.execution.job import Interrupted
from kiosk_locust.ledger.apply_event import lost_attempt
from kiosk_locust.ledger.resume_state import LOST, MAYBE
from kiosk_locust.measurement.evidence import add_evidence
from kiosk_locust.measurement.facts import ValidityFacts
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import TrustOptions
from kiosk_locust.verdict.advice import DOUBLED
from kiosk_locust.verdict.evaluate import judge
from kiosk_locust.verdict.judgement import Judgement
from tests.helpers.ledgers import REQUEST, T0, Row, make, never_leased
from tests.verdict.test_measurements import lasting

REFUSED = "POST http://kiosk.example/api/predict was not sent: connection refused"


def accepted(number: int, at: float) -> tuple[Any, ...]:
    return (number, at, at, at + 0.01, "accepted", 200, None, "an id")


def refused(number: int, at: float) -> tuple[Any, ...]:
    return (number, at, None, None, "not sent", None, REFUSED, None)


def busy(number: int, at: float) -> tuple[Any, ...]:
    return (number, at, at, at + 0.1, "refused", 503, "503 (busy)", None)


def evidence(path: Path, rows: list[Row], **options: Any) -> ValidityFacts:
    told = {"workload": "open", "update_interval_s": 1.0, **options}
    ledger = make(path, rows, options=told, ended_by="SIGINT")
    with closing(Reckoning(ledger)) as reckoning, reckoning:
        assert reckoning.times
        empty = ValidityFacts(is_open=reckoning.run.is_open, tickets=len(rows))
        return add_evidence(reckoning.db, reckoning.run, empty)


def judged(path: Path, rows: list[Row]) -> Judgement:
    ledger = make(path, rows, options={"workload": "open", "update_interval_s": 1.0})
    with closing(Reckoning(ledger)) as reckoning:
        return judge(reckoning, TrustOptions(), Generator({})).judgement


def outage(jobs: int, from_: int, to: int) -> list[Row]:
    """A job a second; those due in an outage are tried at once, and accepted at its end."""
    rows = []
    tries: tuple[tuple[Any, ...], ...]
    for number in range(jobs):
        due_at = T0 + number
        if from_ <= number < to:
            taken_at = T0 + to + 0.2
            tries = (refused(1, due_at), refused(2, due_at + 0.3), accepted(3, taken_at))
        else:
            taken_at = due_at
            tries = (accepted(1, due_at),)
        rows.append(lasting(number, 5.0, submitted_at=taken_at, attempts=tries))
    return rows


def test_a_job_that_the_kiosk_refused_was_begun_in_time(tmp_path: Path) -> None:
    found = evidence(tmp_path / "run.db", outage(100, 60, 100))
    assert found.submission_lag_p99_s == 0.0
    assert found.rate_achieved_per_s == pytest.approx(1.0)
    assert found.causes.refused == 80
    assert found.causes.refused_s == pytest.approx(40.2)


def test_a_run_in_which_the_kiosk_refused_is_valid_and_says_so(tmp_path: Path) -> None:
    found = judged(tmp_path / "run.db", outage(100, 60, 100))
    assert found.verdict == "VALID"
    (warning,) = found.warnings
    assert "80 submissions were refused or not taken by the Kiosk" in warning
    assert "40.2 s" in warning


def test_a_final_no_and_a_job_that_the_end_took_back_are_no_outage(tmp_path: Path) -> None:
    no = (1, T0, T0, T0 + 1, "refused", 400, "HTTP 400", None)
    ended = (1, T0, None, None, "not sent", None, str(Interrupted("the run was ended by x")), None)
    rows = [lasting(0, 5.0, attempts=(no,)), lasting(1, 5.0, attempts=(ended,))]
    assert evidence(tmp_path / "run.db", rows).causes.refused == 0


def test_a_busy_answer_is_a_refusal(tmp_path: Path) -> None:
    busy = (1, T0, T0, T0 + 0.1, "refused", 503, "HTTP 503", None)
    rows = [lasting(0, 5.0, attempts=(busy, accepted(2, T0 + 3)))]
    causes = evidence(tmp_path / "run.db", rows).causes
    assert causes.refused == 1
    assert causes.refused_s == pytest.approx(3.0)


def test_what_an_earlier_session_tried_is_no_part_of_the_lag(tmp_path: Path) -> None:
    rows = []
    for number in range(20):
        due_at = T0 + 1000 + number
        tries = (refused(1, T0 + number), accepted(2, due_at + 0.01))
        rows.append(
            lasting(number, 5.0, due_at=due_at, taken_at=due_at, submitted_at=due_at + 0.01,
                    attempts=tries)
        )  # fmt: skip
    found = evidence(tmp_path / "run.db", rows)
    assert found.submission_lag_p99_s == pytest.approx(0.01)
    assert found.causes.refused == 0


def test_a_generator_that_is_late_by_itself_is_late(tmp_path: Path) -> None:
    rows = [
        lasting(n, 5.0, submitted_at=T0 + n + 2, attempts=(accepted(1, T0 + n + 2),))
        for n in range(40)
    ]
    assert evidence(tmp_path / "run.db", rows).submission_lag_p99_s == pytest.approx(2.0)
    assert {reason.rule for reason in judged(tmp_path / "again.db", rows).reasons} == {
        "submission-lag"
    }


def test_of_a_ledger_without_attempts_the_submission_is_the_first_try(tmp_path: Path) -> None:
    rows = [lasting(n, 5.0, submitted_at=T0 + n + 2) for n in range(40)]
    assert evidence(tmp_path / "run.db", rows).submission_lag_p99_s == pytest.approx(2.0)


MAYBES = [
    ("status", 502, "HTTP 502"),
    ("unreadable", 200, "no job's hash"),
    ("worker", None, lost_attempt("host_1", T0).error),
    ("process", None, MAYBE),
    ("disk", None, LOST),
    ("ended", None, "the run was ended by SIGINT"),
    ("timeout", None, "… but no whole answer came within 30 s (REQUEST_TIMEOUT); look at"),
    ("connection", None, "… but the connection broke (Connection reset by peer) before"),
]


def test_jobs_that_may_be_doubled_are_counted_by_what_made_them_so(tmp_path: Path) -> None:
    rows = [
        lasting(n, 5.0, ambiguous=1, attempts=(
            (1, T0, T0, None, "maybe", status, error, None), accepted(2, T0 + 9)))
        for n, (_, status, error) in enumerate(MAYBES)
    ]  # fmt: skip
    rows.append(lasting(9, 5.0, ambiguous=1))
    found = evidence(tmp_path / "run.db", rows).causes.doubled_by
    assert found == {**{cause: 1 for cause, _, _ in MAYBES}, "unknown": 1}
    assert set(found) == set(DOUBLED)


def test_tickets_without_an_end_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    end = T0 + 10
    open_ = {"outcome": "unfinished", "fields": None, "observed_at": None, "closed_at": end}
    no_job = {**open_, "job_id": None, "submitted_at": None, "request": REQUEST}
    rows = [
        never_leased(0, due_at=T0 + 5, closed_at=end),
        never_leased(1, due_at=T0 + 50, closed_at=end),
        never_leased(2, due_at=None, closed_at=end),
        lasting(3, 1.0, **no_job, attempts=(busy(1, T0 + 3),)),
        lasting(4, 1.0, **open_),
        lasting(5, 1.0, **{**open_, "outcome": "timeout"}),
        *(
            lasting(6 + n, 1.0, **{**open_, "outcome": "error", "reason": reason})
            for n, reason in enumerate(REASONS)
        ),
        lasting(30, 1.0),
    ]
    ends = evidence(tmp_path / "run.db", rows).causes.open_ends
    assert ends is not None
    assert (ends.never_begun, ends.not_yet_due) == (3, 2)
    assert (ends.unsubmitted, ends.in_flight, ends.timed_out) == (1, 1, 1)
    assert ends.errors == dict.fromkeys(REASONS.values(), 1)
    assert ends.ended_by == "SIGINT"


REASONS = {
    "not submitted: no": "not submitted",
    "perhaps submitted: no": "perhaps submitted",
    "not uploaded: no": "not uploaded",
    "its status could not be read: no": "not read",
    "MyUser.request raised KeyError('x')": "locustfile",
    "a fault of kiosk_locust: x": "other",
}


def test_a_closed_workload_has_no_lag_and_no_due_times(tmp_path: Path) -> None:
    rows = [
        lasting(0, 5.0, due_at=None, attempts=(accepted(1, T0),)),
        never_leased(1, due_at=None, closed_at=T0 + 9),
    ]
    found = evidence(tmp_path / "run.db", rows, workload="closed")
    assert found.submission_lag_p99_s is None
    assert found.rate_achieved_per_s is None
    assert found.causes.open_ends is not None
    assert (found.causes.open_ends.never_begun, found.causes.open_ends.not_yet_due) == (1, 0)
