"""Durations beside what really happened: hand-made hashes, and the simulated Kiosk's own log."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.summary import Summary, summarise_open
from kiosk_locust.measurement.timing_tables import ends, gather
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.record import StatusChange
from tests.helpers.ledgers import T0, Row, make
from tests.helpers.real import run_locust, simulator
from tests.helpers.records import record
from tests.helpers.truth import STAMP_S, beyond_their_bounds, duration_errors, told

POLL_S = 5.0


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def job(*, ended: float = 3.0, seen: float = 5.0, consumer_s: float = 0.0, **more: Any) -> Row:
    """A job due at T0, sent 0.1 s and created 0.2 s after it; a poll saw its end at ``seen``."""
    outcome = more.get("outcome", "done")
    stamp = iso(T0 + ended + consumer_s)
    fields = {
        "status": outcome,
        "created_at": iso(T0 + 0.2),
        "updated_at": stamp,
        "updated_by": "pod-1",
        "identity_started": "pod-1",
        "finished_at": stamp,
        "total_time": "2.0",
    }
    fields |= more.pop("fields", {})
    values: dict[str, Any] = {
        "taken_at": T0 - 1,
        "submitted_at": T0 + 0.1,
        "observed_after": T0 + seen - POLL_S,
        "observed_at": T0 + seen,
        "closed_at": T0 + seen,
        "duration_s": ended - 0.2 + consumer_s,
        "attempts": ((1, T0 + 0.05, T0 + 0.1, T0 + 0.25, "accepted", 200, None, "id"),),
        "changes": ((T0 + seen, T0 + seen - POLL_S, outcome, T0 + ended + consumer_s, "pod-1"),),
        "fields": {name: text for name, text in fields.items() if text},
    }
    return Row(**{**values, **more})


def times(tmp_path: Path, *rows: Row, **options: Any) -> list[dict[str, Any]]:
    with opened(make(tmp_path / "run.db", rows, options=options)) as db:
        gather(db, facts(db))
        cursor = db.cursor()
        cursor.row_factory = sqlite3.Row
        return [dict(row) for row in cursor.execute("SELECT * FROM temp.times")]


def summary(tmp_path: Path, *rows: Row, **options: Any) -> Summary:
    with opened(make(tmp_path / "run.db", rows, options=options)) as db:
        return summarise_open(db, facts(db), None)


# -- the end of a job


@pytest.mark.parametrize("seen", [3.01, 5.0, 7.9])
def test_a_duration_from_due_ends_with_the_job_whenever_a_poll_saw_it(
    tmp_path: Path, seen: float
) -> None:
    (found,) = times(tmp_path, job(ended=3.0, seen=seen))
    assert found["since_due_s"] == pytest.approx(3.0, abs=1e-5)
    assert found["duration_s"] == pytest.approx(2.8, abs=1e-5)
    assert found["ended_at"] == pytest.approx(T0 + 3.0, abs=1e-5)
    assert found["detection_s"] == pytest.approx(seen - 3.0, abs=1e-5)  # told apart
    assert found["ended_from"] == "finished_at"


def test_a_consumer_whose_clock_is_off_moves_no_end_beyond_its_bound(tmp_path: Path) -> None:
    rows = [
        replace(job(ended=3.0, seen=3.0 + 0.25 * number, consumer_s=30.0), number=number)
        for number in range(1, 19)
    ]
    for found in times(tmp_path, *rows):
        assert abs(found["since_due_s"] - 3.0) <= found["since_due_error_s"] < 0.6
        assert abs(found["duration_s"] - 2.8) <= found["duration_error_s"] < 0.8


def test_a_failed_job_ends_with_its_last_status_and_the_polls_bound_how_early(
    tmp_path: Path,
) -> None:
    failed = job(
        ended=3.0, seen=5.0, outcome="failed", status="failed", duration_from="updated_at",
        images_done=0, images_failed=1, fields={"finished_at": "", "total_time": ""},
    )  # fmt: skip
    (found,) = times(tmp_path, failed)
    assert found["ended_from"] == found["duration_from"] == "updated_at"
    assert found["since_due_s"] == pytest.approx(3.0, abs=1e-5)
    assert found["since_due_error_s"] == pytest.approx(3.0, abs=1e-3)  # not before T0 + 0
    assert found["duration_error_s"] == pytest.approx(2.8, abs=1e-3)  # nor before its creation


def test_whoever_touched_a_hash_after_its_end_moves_it_only_within_its_bound(
    tmp_path: Path,
) -> None:
    touched = job(
        ended=4.5, seen=5.0, outcome="failed", status="failed", duration_from="updated_at",
        fields={"finished_at": "", "total_time": ""},
    )  # fmt: skip
    (found,) = times(tmp_path, touched)  # it failed at 3.0, and was touched at 4.5
    assert found["since_due_s"] - found["since_due_error_s"] <= 3.0 <= found["since_due_s"]


def test_without_any_stamp_the_end_is_the_middle_between_the_last_two_polls(
    tmp_path: Path,
) -> None:
    bare = job(
        seen=5.0, outcome="failed", status="failed", duration_from="observed", duration_s=4.9,
        changes=(), fields={"finished_at": "", "updated_at": "", "total_time": ""},
    )  # fmt: skip
    (found,) = times(tmp_path, replace(bare, observed_after=T0 + 1.0))
    assert (found["ended_from"], found["duration_from"]) == ("observed", "observed")
    assert found["since_due_s"] == pytest.approx(3.0)  # from 1 to 5
    assert found["since_due_error_s"] == pytest.approx(2.0)
    assert found["duration_s"] == pytest.approx(2.8, abs=1e-5)
    assert found["detection_s"] is None  # nobody knows how late the poll was


def test_a_job_that_did_not_end_counts_as_infinite(tmp_path: Path) -> None:
    rows = [replace(job(), number=number) for number in range(98)]
    rows += [
        replace(
            job(outcome="timeout", status="predicting", fields={"finished_at": ""}),
            number=number,
            observed_at=None,
            duration_s=None,
            duration_from=None,
            observed_after=T0 + 60,
        )
        for number in (98, 99)
    ]
    found = summary(tmp_path, *rows).latency["since_due"]
    assert found["p50"]["value_s"] == pytest.approx(3.0, abs=1e-5)
    assert (found["p99"]["value_s"], found["p99"]["is_least"]) == (60.0, True)


def test_a_job_that_was_given_up_as_failed_counts_as_infinite_too(tmp_path: Path) -> None:
    """A ZIP that the Kiosk waits for for ever: its end was never seen."""
    rows = [replace(job(), number=number) for number in range(60)]
    rows += [
        replace(
            job(outcome="failed", status="waiting", fields={"finished_at": ""}),
            number=number,
            observed_at=None,
            duration_s=None,
            duration_from=None,
            observed_after=T0 + 500,
            closed_at=T0 + 500,
        )
        for number in range(60, 100)
    ]
    found = summary(tmp_path, *rows)
    assert (found.ended, found.not_ended, found.outcomes["failed"]) == (60, 40, 40)
    p95 = found.latency["duration"]["p95"]
    assert p95["is_least"]
    assert p95["value_s"] > 400
    with opened(tmp_path / "run.db") as db:
        assert ends(db, gather(db, facts(db))) == {}  # the cost goes on until the run's end


def test_live_figures_leave_polling_delay_out_where_the_kiosk_told_the_end() -> None:
    live = record(fields={"status": "done", "created_at": iso(100.2), "finished_at": iso(103.0)})
    live.ticket = replace(live.ticket, due_at=100.0)
    live.observed_after, live.observed_at = 101.0, 111.0
    assert measure(live).since_due_s == pytest.approx(3.0, abs=1e-5)
    live.snapshot = Snapshot({"status": "failed"})
    assert measure(live).since_due_s == pytest.approx(6.0)  # between 1 and 11


# -- against the simulated Kiosk's own log


@pytest.mark.parametrize("interval", ["5", "0.2"])
def test_durations_are_true_within_clock_error_at_any_poll_interval(
    interval: str, tmp_path: Path
) -> None:
    with simulator("--seed=5", "--spread=0.5", "--predict-s=1.0", "--jobs-per-gpu=8") as kiosk:
        arguments = ("-u", "30", "-r", "20", "--update-interval", interval)
        finished = run_locust(tmp_path, *arguments, host=kiosk.url, GRAFANA_HOST=kiosk.url)
        assert finished.outcomes == {"done": 30}, finished.output
        jobs = told(finished, kiosk)
    assert max(duration_errors(jobs)) < STAMP_S
    assert beyond_their_bounds(jobs) == []
    for each in jobs:
        truth_s = each.ended_at - each.job["due_at"]
        assert abs(each.job["since_due_s"] - truth_s) < STAMP_S
        assert each.job["observed_at"] - each.ended_at == pytest.approx(
            each.job["detection_s"], abs=STAMP_S
        )
    summed = finished.results[0]["summary"]
    if interval == "5":
        assert summed["polling"]["note"].startswith(
            "UPDATE_INTERVAL=5 s blurs: durations are known"
        )
        assert summed["percentiles_s"]["detection"]["p50"] > 0.5  # polls were late, durations not
    window = finished.results[0]["cost"]["estimate"]["run"]["window"]
    last_end = max(each.ended_at for each in jobs)  # no poll is in what the run cost
    assert window["end_at"] == pytest.approx(last_end, abs=STAMP_S)
    assert window["start_at"] == pytest.approx(min(each.job["due_at"] for each in jobs), abs=0.1)
    assert finished.results[0]["definitions_version"] == 1
    assert finished.sql("SELECT value FROM meta WHERE key = 'definitions_version'") == [("1",)]


def test_failed_jobs_lie_within_the_bound_that_they_state(tmp_path: Path) -> None:
    with simulator("--seed=9", "--failure-rate=1", "--predict-s=0.5") as kiosk:
        arguments = ("-u", "12", "-r", "20", "--update-interval", "2")
        finished = run_locust(tmp_path, *arguments, host=kiosk.url)
        assert finished.outcomes == {"failed": 12}, finished.output
        jobs = told(finished, kiosk)
    for each in jobs:
        truth_s = each.ended_at - each.job["due_at"]
        assert each.job["finished_at"] is None
        assert each.job["ended_from"] == "updated_at"
        assert abs(each.job["since_due_s"] - truth_s) < STAMP_S  # updated_at is the end itself
        assert each.job["since_due_error_s"] <= 2.2
    polling = finished.results[0]["summary"]["polling"]
    assert polling["bounded"] == 12
    assert "12 jobs without finished_at" in polling["note"]
    assert polling["sharper_s"] < 2
    assert "poll interval" in finished.output


# -- work that was lost


def lost(*, changes: tuple[tuple[Any, ...], ...], **more: Any) -> Row:
    """A job created at T0 + 0.2: one consumer began at 1.0 and died, another took 8.0 to 10.0."""
    by = {"updated_by": "pod-2", "identity_started": "pod-2", **more.pop("fields", {})}
    given = job(ended=10.0, seen=10.4, fields=by, **more)
    final = (T0 + 10.4, T0 + 9.9, "done", T0 + 10.0, by["updated_by"])
    changes = tuple((T0 + at, T0 + after, *rest) for at, after, *rest in changes)
    return replace(given, observed_after=T0 + 9.9, changes=(*changes, final))


NEW = (0.4, 0.1, "new", None, None)
BY_FIRST = (1.4, 0.9, "predicting", T0 + 1.1, "pod-1")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ((NEW, BY_FIRST), {}),  # the end names another consumer
        ((NEW, BY_FIRST, (8.4, 7.9, "predicting", T0 + 8.1, "pod-2")), {}),
        (  # the same pod, restarted: the status goes back
            (NEW, BY_FIRST, (8.4, 7.9, "started", T0 + 8.0, "pod-1")),
            {"updated_by": "pod-1", "identity_started": "pod-1"},
        ),
        # The same pod, and no poll saw its status go back: it had been in work too early.
        ((NEW, BY_FIRST), {"updated_by": "pod-1", "identity_started": "pod-1"}),
        # A janitor made it new again.
        ((NEW, BY_FIRST, (6.4, 5.9, "new", T0 + 1.1, "pod-1")), {}),
    ],
)
def test_time_that_a_dead_consumer_took_is_neither_queue_wait_nor_processing(
    changes: tuple[tuple[Any, ...], ...], fields: dict[str, str], tmp_path: Path
) -> None:
    (found,) = times(tmp_path, lost(changes=changes, fields=fields))
    assert found["interruptions"] == 1
    assert abs(found["queue_wait_s"] - 0.8) <= found["interrupted_error_s"] < 0.7
    assert abs(found["interrupted_s"] - 7.0) <= found["interrupted_error_s"]
    assert found["processing_s"] == pytest.approx(2.0)
    parts = ("lag_s", "socket_wait_s", "creation_s", "queue_wait_s", "interrupted_s")
    whole = sum(found[name] for name in parts) + found["processing_s"]
    assert whole == pytest.approx(found["since_due_s"], abs=1e-5)
    assert found["adds_up"]


def test_one_consumer_that_did_all_the_work_interrupts_nothing(tmp_path: Path) -> None:
    seen = (
        (T0 + 0.4, T0 + 0.1, "new", None, None),
        (T0 + 1.4, T0 + 0.9, "started", T0 + 1.0, "pod-1"),
        (T0 + 2.4, T0 + 1.9, "predicting", T0 + 2.0, "pod-1"),
        (T0 + 5.0, T0 + 2.4, "done", T0 + 3.0, "pod-1"),
    )
    (found,) = times(tmp_path, replace(job(observed_after=T0 + 2.4), changes=seen))
    assert (found["interruptions"], found["interrupted_s"]) == (0, None)
    assert found["queue_wait_s"] == pytest.approx(0.8, abs=1e-5)


def test_a_consumer_that_found_a_job_ended_took_nothing_over(tmp_path: Path) -> None:
    touched = lost(changes=(NEW, (8.4, 7.9, "predicting", T0 + 8.1, "pod-1")))
    fields = {**(touched.fields or {}), "identity_started": "pod-1", "updated_by": "pod-9"}
    (found,) = times(tmp_path, replace(touched, fields=fields))
    assert found["interruptions"] == 0


def test_zips_are_looked_after_in_turn_and_are_not_interrupted(tmp_path: Path) -> None:
    seen = (
        (T0 + 1.0, T0 + 0.5, "waiting", T0 + 0.9, "zip-1"),
        (T0 + 5.0, T0 + 4.0, "done", T0 + 3.0, "zip-2"),
    )
    row = replace(job(), job_id="segmentation-zip:a.zip:1", file="a.zip", changes=seen)
    (found,) = times(tmp_path, row)
    assert (found["interruptions"], found["interrupted_s"]) == (None, None)


def test_jobs_with_lost_work_are_counted(tmp_path: Path) -> None:
    rows = [job(), replace(lost(changes=(NEW, BY_FIRST)), number=1)]
    found = summary(tmp_path, *rows)
    assert found.interrupted == 1
    assert found.percentiles_s["interrupted"].count == 1


def test_a_live_queue_wait_ends_where_the_first_consumer_began() -> None:
    fields = {
        "status": "done", "created_at": iso(100.2), "finished_at": iso(110.0), "total_time": "2.0",
        "identity_started": "pod-2",
    }  # fmt: skip
    live = record(fields=fields)
    live.observed_after, live.observed_at = 109.9, 110.4
    live.changes = [StatusChange("predicting", 101.4, 100.9, 101.1, "pod-1")]
    assert measure(live).queue_wait_s == pytest.approx(0.8, abs=0.25)


def test_work_that_consumers_of_the_simulated_kiosk_lost_is_no_queue_wait(tmp_path: Path) -> None:
    quick = ("--predict-s=0.6", "--download-s=0.2", "--save-s=0.2")
    with simulator("--seed=3", "--requeue-rate=0.3", "--requeue-delay-s=1.5", *quick) as kiosk:
        finished = run_locust(tmp_path, "-u", "20", "-r", "20", host=kiosk.url)
        assert finished.outcomes == {"done": 20}, finished.output
        lives = kiosk.lives
    hit = [each for each in finished.jobs if each["interruptions"]]
    died = {key for key, life in lives.items() if life["interruptions"]}
    assert {each["job_id"] for each in hit} <= died
    assert (
        len(hit) >= len(died) / 2 > 0
    )  # polled each 0.2 s: a consumer that died sooner is not seen
    for each in hit:
        life = lives[each["job_id"]]
        queue_s = life["first_started_at"] - life["created_at"]
        lost_s = life["started_at"] - life["first_started_at"]
        error_s = each["interrupted_error_s"] + STAMP_S
        assert abs(each["queue_wait_s"] - queue_s) <= error_s < 0.5
        assert abs(each["interrupted_s"] - lost_s) <= error_s
    summed = finished.results[0]["summary"]
    assert summed["interrupted"] == len(hit)
    assert "interrupted work" in finished.output
