"""The plateau as it is found in a ledger, with rates and waits that were written there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.summary import Summary, summarise_open
from tests.helpers.ledgers import IMAGE_FIELDS, T0, Row, make, summarise


def job(number: int, end_s: float, **more: Any) -> Row:
    """An image that took 2 s, of which it waited 1.5 s or ``queue_wait_s``; its end after T0."""
    work_s = 2.0 - (more.get("queue_wait_s") or 1.5)
    values: dict[str, Any] = {
        "number": number,
        "due_at": T0 + end_s - 2.0,
        "taken_at": T0 + end_s - 3.0,
        "submitted_at": T0 + end_s - 2.0,
        "duration_s": 2.0,
        "queue_wait_s": 1.5,
        "observed_after": T0 + end_s - 0.1,
        "observed_at": T0 + end_s + 0.1,
        "closed_at": T0 + end_s + 0.1,
        "fields": {**IMAGE_FIELDS, "created_at": "", "total_time": f"{work_s:g}"},
    }
    return Row(**{**values, **more})


def evenly(start_s: float, seconds: float, rate: float, **more: Any) -> list[Row]:
    return [job(n, start_s + (n + 0.5) / rate, **more) for n in range(round(seconds * rate))]


def summary(tmp_path: Path, rows: list[Row], **given: Any) -> Summary:
    return summarise(make(tmp_path / "run.db", rows, **given))


def test_seven_and_then_21_images_a_second_are_never_told_as_their_mean(tmp_path: Path) -> None:
    found = summary(tmp_path, [*evenly(0, 40, 7.0), *evenly(40, 40, 21.0)])
    assert found.plateau_images_per_s is not None
    assert min(abs(found.plateau_images_per_s - rate) for rate in (7.0, 21.0)) < 0.3
    assert "the rate rose from 7" in found.plateau.text
    assert "to 21 images/s" in found.plateau.text


def test_the_stretch_and_its_numbers_are_those_of_the_rows(tmp_path: Path) -> None:
    rows = evenly(0, 60, 5.0)
    found = summary(tmp_path, rows).plateau
    ends = [row.submitted_at + 2.0 for row in rows if row.submitted_at is not None]
    assert found.from_at == pytest.approx(ends[0])
    assert found.to_at == pytest.approx(ends[-1])
    assert found.jobs == len(ends)
    assert found.images_per_s == pytest.approx((len(ends) - 1) / (ends[-1] - ends[0]))


def test_work_that_waited_throughout_makes_it_saturated(tmp_path: Path) -> None:
    """Jobs at 5 a second that wait 1.5 s each: never is the queue empty."""
    assert summary(tmp_path, evenly(0, 60, 5.0)).plateau.kind == "saturated"


def test_an_empty_queue_makes_it_the_rate_of_arrivals(tmp_path: Path) -> None:
    """The same jobs wait 0.1 s each, 0.2 s apart: half of the time nothing waits."""
    found = summary(tmp_path, evenly(0, 60, 5.0, queue_wait_s=0.1))
    assert found.plateau.kind == "offered"
    assert found.plateau_images_per_s == pytest.approx(5.0)


def test_jobs_that_were_never_seen_in_work_waited(tmp_path: Path) -> None:
    """They fill the queue that the others left empty."""
    rows = evenly(0, 60, 5.0, queue_wait_s=0.1)
    backlog = job(
        900, 2.0, outcome="unfinished", status="new", duration_s=None, duration_from=None,
        queue_wait_s=None, fields=None, images_done=0, observed_at=None,
        observed_after=T0 + 65, closed_at=T0 + 65, submitted_at=T0 - 3,
    )  # fmt: skip
    assert summary(tmp_path, [*rows, backlog]).plateau.kind == "saturated"


def test_whether_work_waited_is_not_known_of_zips(tmp_path: Path) -> None:
    zipped = {**IMAGE_FIELDS, "created_at": "", "total_time": "0.5,0.6"}
    found = summary(
        tmp_path,
        evenly(
            0, 60, 5.0, file="a.zip", job_id="segmentation-zip:a.zip:1", queue_wait_s=None,
            images_done=2, fields=zipped,
        ),
    )  # fmt: skip
    assert found.plateau.kind == "unknown"
    assert found.plateau_images_per_s == pytest.approx(10.0)
    assert found.plateau_jobs_per_s == pytest.approx(5.0)


def test_jobs_without_a_good_image_are_no_completions(tmp_path: Path) -> None:
    failed = evenly(0, 60, 5.0, outcome="failed", images_done=0, images_failed=1)
    found = summary(tmp_path, [*failed, *evenly(0, 49, 1.0)])
    assert found.plateau.text == "no plateau: 49 jobs completed, 100 are needed"


def test_no_plateau_reaches_over_a_pause(tmp_path: Path) -> None:
    """60 s at 5/s, 30 s in which no process was alive, 50 s at 5/s."""
    path = make(tmp_path / "run.db", [*evenly(0, 60, 5.0), *evenly(90, 50, 5.0)])
    with closing(sqlite3.connect(path)) as db:
        sql = "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, '{}')"
        db.execute(sql, (1, T0 - 2, T0, T0 + 60, "SIGTERM"))
        db.execute(sql, (2, T0 + 90, T0 + 90, T0 + 141, "all tickets closed"))
        db.commit()
    found = summarise(path).plateau
    assert found.from_at is not None
    assert found.to_at is not None
    assert T0 <= found.from_at < found.to_at <= T0 + 60
    assert found.images_per_s == pytest.approx(5.0)


def test_of_several_cycles_it_is_the_longest_within_one(tmp_path: Path) -> None:
    rows = [*evenly(0, 40, 5.0), *evenly(200, 60, 4.0, cycle=2)]
    path = make(tmp_path / "run.db", rows, cycles=((1, T0, T0 + 41), (2, T0 + 198, T0 + 261)))
    assert summarise(path).plateau_images_per_s == pytest.approx(4.0)
    assert summarise(path, 1).plateau_images_per_s == pytest.approx(5.0)


def test_the_scratch_tables_hold_bins_and_not_jobs(tmp_path: Path) -> None:
    """The same rows for 300 jobs as for 3,000, so memory does not grow with them."""
    for rate in (5.0, 50.0):
        path = make(tmp_path / f"{rate}.db", evenly(0, 60, rate))
        with opened(path) as db:
            summarise_open(db, facts(db), None)
            assert db.execute("SELECT count(*) FROM temp.tracks").fetchone() == (1,)
            assert db.execute("SELECT count(*) FROM temp.spells").fetchone() == (1,)
