from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk_locust.errors import LedgerError
from kiosk_locust.measurement import percentiles
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.measurement.summary import Summary
from tests.helpers.ledgers import IMAGE_FIELDS, T0, Row, lasting, make, never_leased, summarise


def summary(
    tmp_path: Path, *rows: Row, cycle: int | None = None, workload: str = "open"
) -> Summary:
    return summarise(make(tmp_path / "run.db", rows, options={"workload": workload}), cycle)


def test_every_outcome_is_counted_and_those_of_no_ticket_are_0(tmp_path: Path) -> None:
    found = summary(tmp_path, Row(), Row(), Row(outcome="failed"), never_leased(3))
    wanted = {"done": 2, "partial": 0, "failed": 1, "rejected": 0, "vanished": 0, "timeout": 0}
    assert found.outcomes == {**wanted, "unfinished": 1, "error": 0}
    assert (found.tickets, found.ended, found.not_ended, found.submitted) == (4, 3, 1, 3)


def test_the_makespan_goes_from_the_first_due_time_to_the_last_end(tmp_path: Path) -> None:
    rows = [
        lasting(20.0, T0 + 1),
        lasting(3.0, T0 + 2),
        Row(submitted_at=T0 + 30, duration_s=None, outcome="timeout"),
    ]
    found = summary(tmp_path, *rows)
    assert (found.first_submitted_at, found.last_ended_at) == (T0 + 1, T0 + 21)
    assert (found.first_due_at, found.makespan_s) == (T0, 21.0)


def test_the_makespan_of_a_closed_workload_begins_when_its_first_job_is_taken(
    tmp_path: Path,
) -> None:
    rows = [
        lasting(5.0, T0 + 3, taken_at=T0 + 2, due_at=None),
        lasting(6.0, T0 + 4, taken_at=T0 + 1, due_at=None),
    ]
    assert summary(tmp_path, *rows, workload="closed").makespan_s == 9.0


def test_throughput_counts_what_was_done_in_jobs_and_in_images(tmp_path: Path) -> None:
    rows = [
        lasting(10.0, images_done=6, images_failed=4, outcome="partial"),
        Row(),
        Row(images_done=0, images_failed=1, outcome="failed"),
    ]
    found = summary(tmp_path, *rows)
    assert (found.jobs_per_s, found.images_per_s) == (0.2, 0.7)
    assert (found.images_done, found.images_failed) == (7, 5)


def test_a_single_job_has_its_figures_and_neither_a_rate_nor_a_regime(tmp_path: Path) -> None:
    found = summary(tmp_path, lasting(1.25))
    assert (found.makespan_s, found.jobs_per_s, found.images_per_s) == (1.25, None, None)
    assert (found.plateau_jobs_per_s, found.plateau_images_per_s) == (None, None)
    assert found.regime.kind == "unknown"
    assert found.headline == "1 job and 1 image done in 1.25 s"
    assert found.percentiles_s["duration"] == Percentiles(1, None, None, None, None, 1.25)


@pytest.mark.parametrize(
    ("count", "there"),
    [
        (9, {"p50": 5.0}),
        (10, {"p50": 5.0, "p90": 9.0}),
        (19, {"p50": 10.0, "p90": 18.0}),
        (20, {"p50": 10.0, "p90": 18.0, "p95": 19.0}),
        (99, {"p50": 50.0, "p90": 90.0, "p95": 95.0}),
        (100, {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}),
    ],
)
def test_a_percentile_of_so_few_that_it_is_their_greatest_is_none(
    tmp_path: Path, count: int, there: dict[str, float]
) -> None:
    rows = [
        Row(number=n, duration_s=float(n + 1), fields={**IMAGE_FIELDS, "created_at": ""})
        for n in range(count)
    ]
    found = summary(tmp_path, *rows)
    exact = found.percentiles_s["duration"]
    values = {"p50": exact.p50, "p90": exact.p90, "p95": exact.p95, "p99": exact.p99}
    assert {name: value for name, value in values.items() if value is not None} == there
    latency = {name: each["value_s"] for name, each in found.latency["duration"].items()}
    assert {name: value for name, value in latency.items() if value is not None} == there
    assert exact.max == count
    if count < 100:
        wanted = f"p99 needs 100 jobs, there are {count}"
        assert found.latency["duration"]["p99"]["why"] == wanted


def test_a_run_in_which_nothing_ended_has_no_rates_and_no_percentiles(tmp_path: Path) -> None:
    found = summary(tmp_path, never_leased(0), never_leased(1))
    assert found.makespan_s is None
    assert found.images_per_s is None
    assert set(found.percentiles_s.values()) == {Percentiles(0)}


def test_the_rates_of_an_open_workload_are_of_gaps_and_not_of_jobs(tmp_path: Path) -> None:
    rows = [Row(due_at=T0 + i / 10, submitted_at=T0 + i / 5) for i in range(11)]
    found = summary(tmp_path, *rows)
    assert found.rate_wanted_per_s == pytest.approx(10.0)
    assert found.rate_achieved_per_s == pytest.approx(5.0)


def test_jobs_due_all_at_once_have_no_rate_wanted(tmp_path: Path) -> None:
    assert summary(tmp_path, Row(), Row()).rate_wanted_per_s is None


def test_tickets_taken_after_they_were_due_are_counted_as_waiting_for_a_user(
    tmp_path: Path,
) -> None:
    rows = [Row(taken_at=T0 + 0.001), Row(taken_at=T0), Row(taken_at=T0 - 1)]
    assert summary(tmp_path, *rows).waited_for_user == 1


def test_a_closed_workload_has_no_rates_to_keep(tmp_path: Path) -> None:
    found = summary(tmp_path, Row(), Row(due_at=None), workload="closed")
    assert found.workload == "closed"
    assert found.rate_wanted_per_s is None
    assert found.waited_for_user is None


def test_one_cycle_is_summarised_by_itself(tmp_path: Path) -> None:
    accepted = (1, T0, T0 + 0.5, T0 + 0.75, "accepted", 200, None, "id")
    rows = [Row(cycle=1), Row(cycle=2, attempts=(accepted,)), Row(cycle=2, outcome="failed")]
    found = summary(tmp_path, *rows, cycle=2)
    assert (found.tickets, found.outcomes["failed"], found.attempts) == (2, 1, 1)


def test_every_attempt_is_counted_but_only_accepted_ones_are_timed(tmp_path: Path) -> None:
    lost = (1, T0, T0 + 9, None, "maybe", None, "reset", None)
    accepted = (2, T0 + 10, T0 + 10.25, T0 + 10.75, "accepted", 200, None, "id")
    found = summary(tmp_path, Row(attempts=(lost, accepted), ambiguous=1))
    assert (found.attempts, found.ambiguous) == (2, 1)
    assert found.percentiles_s["socket_wait"] == Percentiles(1, max=0.25)
    assert found.percentiles_s["submission_http"] == Percentiles(1, max=0.5)


def test_lag_and_detection_bound_are_differences_of_our_own_times(tmp_path: Path) -> None:
    found = summary(tmp_path, Row(submitted_at=T0 + 0.5, observed_after=T0 + 4, observed_at=T0 + 6))
    assert found.percentiles_s["submission_lag"].max == 0.5
    assert found.percentiles_s["detection_bound"].max == 2.0


def test_each_childs_number_counts_in_a_stage_of_a_zip(tmp_path: Path) -> None:
    zipped = {**IMAGE_FIELDS, "upload_time": "3,1,x,2"}
    found = summary(tmp_path, Row(file="a.zip", job_id="segmentation-zip:a.zip:1", fields=zipped))
    assert found.percentiles_s["upload"] == Percentiles(3, 2.0, max=3.0)


def test_stages_of_jobs_that_did_not_end_are_left_out(tmp_path: Path) -> None:
    found = summary(tmp_path, Row(), Row(outcome="timeout"))
    assert found.percentiles_s["download"].count == 1


def test_sources_of_durations_are_counted(tmp_path: Path) -> None:
    found = summary(tmp_path, Row(), Row(), Row(duration_from="observed"))
    assert found.duration_from == {"finished_at": 2, "observed": 1}


def test_more_jobs_than_one_chunk_are_all_sampled(tmp_path: Path) -> None:
    fields = ({**IMAGE_FIELDS, "total_time": str(i)} for i in range(1, 2501))
    found = summary(tmp_path, *(Row(fields=each) for each in fields))
    wanted = Percentiles(2500, 1250.0, 2250.0, 2375.0, 2475.0, 2500.0)
    assert found.percentiles_s["total"] == wanted


def test_a_ledger_that_is_being_written_can_be_summarised(tmp_path: Path) -> None:
    path = make(tmp_path / "run.db", [Row()])
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE tickets SET outcome = 'failed'")
    assert summarise(path).outcomes["done"] == 1
    writer.close()


def test_a_file_that_is_no_ledger_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(LedgerError, match=r"other\.db cannot be read"):
        summarise(path)


def test_a_missing_ledger_is_named_in_the_error_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"none\.db cannot be read"):
        summarise(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_nearest_rank(values: list[float]) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE v (value REAL)")
    db.executemany("INSERT INTO v VALUES (?)", [(value,) for value in values])
    found = percentiles.of(db, "SELECT value FROM v", {})
    ordered = sorted(values)
    shares = [(found.p50, 50), (found.p90, 90), (found.p95, 95), (found.p99, 99), (found.max, 100)]
    for value, percent in shares:
        place = math.ceil(len(ordered) * percent / 100)
        is_told = percent == 100 or place < len(ordered)
        assert value == (ordered[place - 1] if is_told else None)
    db.close()
