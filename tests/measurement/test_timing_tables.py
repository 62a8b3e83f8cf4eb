from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.timing_tables import gather
from tests.helpers.ledgers import IMAGE_FIELDS, T0, Row, make, never_leased


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def job(number: int, frontend_s: float = 0.0, consumer_s: float = 0.0, **more: Any) -> Row:
    """A job of 5 s, 3.5 s of them in work, seen within 1 s; its clocks are ahead by so much."""
    sent = T0 + number
    created, ended = sent + 0.02, sent + 5.02
    by = {"updated_by": "pod-1", "updated_at": iso(ended + consumer_s)}
    fields = {
        **IMAGE_FIELDS,
        **by,
        "created_at": iso(created + frontend_s),
        "finished_at": iso(ended + consumer_s),
    }
    stamped_s = 5.0 + consumer_s - frontend_s
    seen = sent + 5.5
    values: dict[str, Any] = {
        "number": number,
        "job_id": f"segmentation:a.png:{number}",
        "due_at": sent - 0.3,
        "taken_at": sent - 0.1,
        "submitted_at": sent,
        "observed_after": sent + 4.5,
        "observed_at": seen,
        "duration_s": stamped_s if stamped_s >= 0 else 5.5,
        "duration_from": "finished_at" if stamped_s >= 0 else "observed",
        "attempts": ((1, sent - 0.05, sent, sent + 0.03, "accepted", 200, None, "id"),),
        "changes": ((seen, sent + 4.5, "done", ended + consumer_s, "pod-1"),),
        "fields": fields,
    }
    return Row(**{**values, **more})


def times(tmp_path: Path, *rows: Row, **options: Any) -> list[dict[str, Any]]:
    with opened(make(tmp_path / "run.db", rows, options=options)) as db:
        gather(db, facts(db))
        cursor = db.cursor()
        cursor.row_factory = sqlite3.Row
        return [dict(row) for row in cursor.execute("SELECT * FROM temp.times")]


def test_the_parts_of_a_job_come_to_the_whole(tmp_path: Path) -> None:
    (found,) = times(tmp_path, job(0))
    parts = {
        "lag_s": 0.25,
        "socket_wait_s": 0.05,
        "creation_s": 0.02,
        "queue_wait_s": 1.5,
        "processing_s": 3.5,
    }
    assert {name: found[name] for name in parts} == pytest.approx(parts, abs=1e-5)
    assert found["since_due_s"] == pytest.approx(sum(parts.values()))
    assert found["detection_s"] == pytest.approx(0.48, abs=1e-5)  # of the poll, not of the job
    assert (found["unknown_s"], found["adds_up"]) == (pytest.approx(0, abs=1e-5), 1)
    assert found["submission_http_s"] == pytest.approx(0.03, abs=1e-6)


def test_what_is_not_known_is_null_and_never_0(tmp_path: Path) -> None:
    bare, unborn = times(tmp_path, job(0, fields={"status": "done"}, changes=()), never_leased(1))
    for name in ("creation_s", "processing_s", "detection_s"):
        assert bare[name] is None
    assert (bare["adds_up"], bare["unknown_s"] > 1) == (None, True)
    assert {unborn[name] for name in ("duration_s", "lag_s", "queue_wait_s", "ended")} == {None}


@pytest.mark.parametrize(("frontend_s", "consumer_s"), [(30.0, 0.0), (0.0, 30.0), (-7.0, 12.0)])
def test_a_duration_between_clocks_that_differ_is_set_right_within_its_bound(
    tmp_path: Path, frontend_s: float, consumer_s: float
) -> None:
    rows = [job(number, frontend_s, consumer_s) for number in range(20)]
    for found in times(tmp_path, *rows):
        assert found["is_corrected"]
        assert abs(found["duration_s"] - 5.0) <= found["duration_error_s"] <= 1.1
        assert found["duration_from"] == "finished_at"
        assert found["queue_wait_s"] == pytest.approx(found["duration_s"] - 3.5)


def test_clocks_that_are_right_change_nothing(tmp_path: Path) -> None:
    for found in times(tmp_path, *(job(number) for number in range(20))):
        assert (found["duration_s"], found["is_corrected"], found["flaw"]) == (5.0, 0, "")


def test_stamps_that_cannot_be_true_where_no_clock_is_known_leave_what_polls_saw(
    tmp_path: Path,
) -> None:
    row = job(0, consumer_s=90.0, attempts=(), changes=())
    (found,) = times(tmp_path, row)
    assert (found["duration_s"], found["duration_from"]) == (5.0, "observed")  # 4.5 to 5.5
    assert found["duration_error_s"] == 0.5
    assert found["flaw"] == "it took longer, by the Kiosk's clocks, than it was watched"


def test_a_frontend_of_two_machines_whose_clocks_differ_is_bounded_job_by_job(
    tmp_path: Path,
) -> None:
    rows = [job(number, frontend_s=40.0 * (number % 2)) for number in range(20)]
    found = times(tmp_path, *rows)
    assert all(abs(each["duration_s"] - 5.0) <= each["duration_error_s"] for each in found)
    assert {each["is_corrected"] for each in found[1::2]} == {1}


def test_a_warm_up_is_cut_by_the_time_at_which_jobs_were_due(tmp_path: Path) -> None:
    rows = [job(number) for number in range(10)]
    kept = times(tmp_path, *rows, trim={"warmup": "2s", "cooldown": "1 jobs"})
    assert [bool(each["kept"]) for each in kept] == [False] * 2 + [True] * 7 + [False]


def test_of_two_accepted_submissions_the_last_one_counts(tmp_path: Path) -> None:
    first = (1, T0 - 9, T0 - 8, T0 - 7, "accepted", 200, None, "other")
    second = (2, T0 - 0.05, T0, T0 + 0.03, "accepted", 200, None, "id")
    (found,) = times(tmp_path, job(0, attempts=(first, second), ambiguous=1))
    assert found["socket_wait_s"] == pytest.approx(0.05, abs=1e-6)
