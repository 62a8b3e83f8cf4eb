"""A run that is on, as its page and its tab have it, from events at told times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk_locust.execution.run_state import RunState
from kiosk_locust.measurement.live_metrics import Metrics
from kiosk_locust.model.record import Outcome, Record, Ticket
from kiosk_locust.reporting.web import tab
from kiosk_locust.reporting.web.live import LiveRun, RunNotes
from tests.helpers.clocks import ManualClock
from tests.helpers.records import record, tell_closed

HOSTILE = "Traceback\n<img src=x onerror=alert(1)>"


class On:
    """A run under way, with what its page is made of."""

    refusal = ""

    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        self.tickets = 100_000
        self.state = RunState()
        self.state.begin_cycle(1, 100.0)
        self.metrics = Metrics(self.clock, 100_000)
        self.current = LiveRun(
            self.clock,
            self.metrics,
            self.state,
            self.planned,
            RunNotes(
                name="now",
                host="http://kiosk.example",
                simulated=True,
                options={"workload": "open", "arrival_offsets_s": [0.0] * 1000, "count": 100_000},
                ledger=Path("none.db"),
            ),
        )
        self.output_dir = Path()
        self.current.start(100.0)

    def planned(self, cycle: int, started_at: float) -> Iterator[Ticket]:
        """A cycle with a ticket due each second."""
        return (Ticket(n, cycle, n, started_at + n, "a.png") for n in range(self.tickets))

    def submit(self, job: Record) -> None:
        self.metrics.on_submitted(job)
        self.current.on_submitted(job)

    def close(self, job: Record) -> None:
        job.closed_at = self.clock.time
        tell_closed(self.metrics, job)
        tell_closed(self.current, job)

    def job(self, number: int, outcome: Outcome = Outcome.DONE, reason: str = "") -> Record:
        job = record(number, outcome, reason=reason)
        job.submitted_at = self.clock.time
        return job


@pytest.fixture
def on() -> On:
    return On()


def test_due_tickets_count_though_nothing_can_be_submitted(on: On) -> None:
    on.clock.time = 160.5
    picture = on.current.picture()
    assert sum(picture.course.due) == 61
    assert sum(picture.course.submitted) == 0
    assert picture.rate_wanted_per_s == pytest.approx(1.0)
    on.state.ended_by = "Stop"
    on.clock.time = 500.0
    assert sum(on.current.picture().course.due) == 61


def test_the_tickets_of_the_next_cycle_count_from_its_own_begin(on: On) -> None:
    on.tickets = 2
    on.current.picture()
    on.state.begin_cycle(2, 110.0)
    on.clock.time = 120.0
    due = on.current.picture().course.due
    assert [place for place, number in enumerate(due) if number] == [0, 1, 10, 11]


def test_jobs_in_flight_and_their_times_follow_the_events(on: On) -> None:
    jobs = [on.job(n) for n in range(3)]
    for job in jobs:
        on.submit(job)
    on.clock.time = 105.0
    on.close(jobs[0])
    picture = on.current.picture()
    assert (picture.in_flight, picture.course.in_flight[0], picture.course.in_flight[-1]) == (
        2,
        3,
        2,
    )
    assert picture.course.duration_p50_s[-1] == pytest.approx(5.0, rel=0.022)
    assert picture.percentiles_s["duration"].max == pytest.approx(5.0, rel=0.001)
    assert picture.percentiles_s["duration"].p50 is None  # of one job
    assert (picture.state, picture.exact) == ("running", False)


def test_its_size_does_not_grow_with_the_jobs(on: On) -> None:
    sizes = []
    for number in range(4000):
        on.clock.time += 1
        job = on.job(number, Outcome.FAILED, HOSTILE)
        on.submit(job)
        on.close(job)
        if number in (1000, 3999):
            sizes.append(len(on.current.picture().as_json()))
    assert sizes[1] < 1.2 * sizes[0]
    assert "arrival_offsets_s" not in on.current.picture().configuration


def test_the_last_failures_come_with_the_line_that_says_what_it_was(on: On) -> None:
    for number in range(30):
        on.close(on.job(number, Outcome.FAILED, HOSTILE))
    failures = on.current.picture().failures
    assert [failure.number for failure in failures] == list(range(29, 9, -1))
    assert failures[0].reason == "<img src=x onerror=alert(1)>"


def test_what_is_wrong_with_the_measurement_is_told(on: On) -> None:
    late = on.job(0)
    late.ticket = replace(late.ticket, due_at=90.0)
    late.taken_at, late.ambiguous = 95.0, True
    on.close(late)
    told = " ".join(on.current.picture().problems)
    assert "1 job waited for a free user" in told
    assert "1 job may have been submitted more than once" in told


def test_the_picture_of_its_ledger_stands_in_once_it_is_known(on: On) -> None:
    final = replace(on.current.picture(), state="finished", exact=True)
    on.current.conclude(final)
    assert on.current.picture() is final


def test_the_tab_has_texts_and_numbers_alone_in_their_order(on: On) -> None:
    job = on.job(0)
    on.submit(job)
    on.close(on.job(1, Outcome.FAILED, HOSTILE))
    rows = tab.rows(on)
    assert [row["name"] for row in rows] == sorted(str(row["name"]) for row in rows)
    assert all(isinstance(cell, str) for row in rows for cell in row.values())
    shown = {str(row["what"]): row for row in rows}
    assert shown["Closed"]["jobs"] == "1 of 100,000"
    assert shown["In flight: submitted"]["jobs"] == "1"
    assert shown["Closed as failed"]["jobs"] == "1"
    assert shown["SIMULATED"]
    assert shown["Failed: job 1 of cycle 1"]["told"] == "failed: <img src=x onerror=alert(1)>"


def test_jobs_that_did_not_end_push_no_failure_out_of_the_list(on: On) -> None:
    for number in range(25):
        on.close(on.job(number, Outcome.UNFINISHED))
    on.close(on.job(30, Outcome.FAILED, HOSTILE))
    for number in range(40, 70):
        on.close(on.job(number, Outcome.UNFINISHED))
    failures = on.current.picture().failures
    assert [failure.outcome for failure in failures] == ["failed", *["unfinished"] * 19]
    shown = [str(row["what"]) for row in tab.rows(on)]
    assert shown.index("Failed: job 30 of cycle 1") < shown.index("Not ended: job 0 of cycle 1")


def test_the_tab_tells_the_runs_name_apart_from_how_it_goes(on: On) -> None:
    job = on.job(0)
    on.submit(job)

    def shown() -> dict[str, str]:
        return {str(row["what"]): str(row["told"]) for row in tab.rows(on)}

    assert shown()["Run"] == "now"
    assert shown()["Closed"].startswith("running")
    on.state.ended_by = "Stop"
    assert shown()["Closed"] == "ending; jobs in flight may still end"
    on.close(job)
    assert shown()["Closed"] == "ending; files are being written"


def test_the_tab_calls_times_as_the_closing_table_does(on: On) -> None:
    job = on.job(0)
    on.submit(job)
    on.clock.time += 1
    on.close(job)
    shown = {str(row["what"]) for row in tab.rows(on)}
    assert "Time: whole job" in shown
    assert not [what for what in shown if what.startswith("Time: duration")]
