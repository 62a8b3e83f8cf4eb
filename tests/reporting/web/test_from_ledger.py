"""A picture from a ledger, compared with what plain SQL says of the same ledger."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.errors import LedgerError
from kiosk_locust.reporting.web import from_ledger, imported
from kiosk_locust.reporting.web.subprocess_reader import ReaderPool
from kiosk_locust.reporting.web.view_model import MOST_FAILURES, Picture
from kiosk_locust.verdict.judgement import Finding, Judgement
from kiosk_locust.verdict.thresholds import Result
from tests.helpers.ledgers import T0, Row, make, never_leased


def rows() -> list[Row]:
    done = [
        Row(
            number=n,
            due_at=T0 + n,
            submitted_at=T0 + n + 0.5,
            observed_after=T0 + n + 4,
            observed_at=T0 + n + 6,
            closed_at=T0 + n + 6,
        )
        for n in range(40)
    ]
    failed = [
        Row(
            number=40 + n,
            due_at=T0 + 40 + n,
            submitted_at=T0 + 40 + n,
            observed_after=T0 + 44 + n,
            observed_at=T0 + 46 + n,
            closed_at=T0 + 50 + n,
            outcome="failed",
            status="failed",
            reason=f"Traceback\n  line 1\nValueError: {n}",
            images_done=0,
            images_failed=1,
        )
        for n in range(30)
    ]
    return [*done, *failed, never_leased(70), never_leased(71)]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return make(tmp_path / "a-run.db", rows(), options={"count": 72})


def sql(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(ledger)) as db:
        return db.execute(query).fetchall()


def test_counts_are_those_of_the_ledger(ledger: Path) -> None:
    picture = from_ledger.read(ledger)
    counted = "SELECT outcome, count(*) FROM tickets WHERE submitted_at NOT NULL GROUP BY 1"
    assert picture.outcomes == dict(sql(ledger, counted))
    assert (picture.total, picture.closed, picture.submitted) == (72, 70, 70)
    assert picture.never_begun == 2
    assert (picture.images_done, picture.images_failed, picture.in_flight) == (40, 30, 0)


def test_the_course_adds_up_to_what_happened_to_taken_tickets(ledger: Path) -> None:
    course = from_ledger.read(ledger).course
    taken = sql(
        ledger,
        "SELECT count(due_at), count(submitted_at), count(closed_at), sum(outcome <> 'done')"
        " FROM tickets WHERE taken_at IS NOT NULL",
    )[0]
    assert (sum(course.due), sum(course.submitted), sum(course.closed), sum(course.failed)) == taken
    assert course.in_flight[-1] == 0
    assert (
        sum(course.submitted[:10])
        == sql(
            ledger, f"SELECT count(*) FROM tickets WHERE submitted_at < {T0 + 10 * course.width_s}"
        )[0][0]
    )


def test_the_last_failures_are_the_last_ones_with_the_line_that_says_what_it_was(
    ledger: Path,
) -> None:
    shown = from_ledger.read(ledger).failures
    assert [failure.number for failure in shown] == list(range(69, 69 - MOST_FAILURES, -1))
    assert shown[0].reason == "ValueError: 29"


def test_a_run_whose_process_died_says_so_and_one_that_lives_is_running(tmp_path: Path) -> None:
    unclosed = rows()[:1]
    dead = make(tmp_path / "dead.db", unclosed, alive_at=str(T0))
    with closing(sqlite3.connect(dead)) as db:
        db.execute("DELETE FROM meta WHERE key IN ('ended_at', 'finished')")
        db.commit()
    assert from_ledger.read(dead).state == "died"
    with closing(sqlite3.connect(dead)) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'alive_at'", (str(time.time()),))
        db.commit()
    alive = from_ledger.read(dead)
    assert (alive.state, alive.verdict) == ("running", "")


def test_what_warm_up_and_cool_down_leave_out_is_told_by_the_times_it_was_due(
    tmp_path: Path,
) -> None:
    trim = {"warmup": "10s", "cooldown": "5s"}
    path = make(tmp_path / "a-run.db", rows(), options={"count": 72, "trim": trim})
    told = [(cut.what, cut.begin_s, cut.seconds) for cut in from_ledger.read(path).cuts]
    assert told == [("warm-up", 0.0, 10.0), ("cool-down", 64.0, 5.0)]


def test_nothing_is_shaded_where_nothing_is_left_out(ledger: Path) -> None:
    assert from_ledger.read(ledger).cuts == ()


def test_pauses_between_sessions_are_told(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as db:
        for number, begun, ended in ((1, T0 - 2, T0 + 10), (2, T0 + 40, T0 + 90)):
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, 'x', '{}')", (number, begun, T0, ended)
            )
        db.commit()
    (pause,) = from_ledger.read(ledger).pauses
    assert (pause.begin_s, pause.seconds) == (10.0, 30.0)


def test_the_cost_is_what_stands_in_the_ledger(tmp_path: Path) -> None:
    known = RunCost("A", "", Priced({}, {"run": {"total_usd": 4}})).as_text()
    ledger = make(tmp_path / "known.db", rows(), cost=known)
    assert from_ledger.read(ledger).cost == {"run": {"total_usd": 4}, "asked": "A", "trouble": ""}
    lacking = make(tmp_path / "lacking.db", rows(), cost=RunCost("A", "it is away").as_text())
    assert from_ledger.read(lacking).cost == {"asked": "A", "trouble": "it is away"}
    assert from_ledger.read(make(tmp_path / "none.db", rows())).cost is None


def test_its_program_prints_the_same(ledger: Path) -> None:
    assert json.loads(ReaderPool().picture(ledger)) == json.loads(
        from_ledger.read(ledger).as_json()
    )


def test_infinities_become_null(ledger: Path) -> None:
    picture = replace(from_ledger.read(ledger), cost={"usd": float("inf")})
    assert json.loads(picture.as_json())["cost"] == {"usd": None}


def same(one: Picture, other: Picture) -> None:
    for name in ("outcomes", "closed", "submitted", "course", "durations", "percentiles_s"):
        assert getattr(one, name) == getattr(other, name), name


def test_a_results_file_shows_what_its_ledger_shows(ledger: Path, tmp_path: Path) -> None:
    from kiosk_locust.reporting import results_json

    (path,) = results_json.write_all(ledger, tmp_path / "out").paths
    with imported.as_ledger(path) as copy:
        same(from_ledger.read(copy), from_ledger.read(ledger))
        kept = copy
    assert not kept.exists()


def test_thresholds_that_were_met_are_shown_beside_those_that_were_missed(tmp_path: Path) -> None:
    from kiosk_locust.reporting import results_json

    met = Finding("failed < 1%", "failed", "< 1%", "0%", Result.PASS, is_close=False, note="")
    judged = Judgement((), ("cpu",), (met, replace(met, result=Result.MISS)))
    ledger = make(tmp_path / "a-run.db", [Row()], judgement=judged.as_text())
    (path,) = results_json.write_all(ledger, tmp_path / "out").paths
    with imported.as_ledger(path) as copy:
        for picture in (from_ledger.read(ledger), from_ledger.read(copy)):
            assert picture.judgement == judged.as_json()
            assert picture.problems == ()  # a threshold that was missed is none of the measurement


def test_a_results_file_of_the_older_client_can_be_shown(tmp_path: Path) -> None:
    job = {
        "input_file": "a.png",
        "status": "done",
        "created_at": "2027-01-15T08:00:00.000Z",
        "finished_at": "2027-01-15T08:00:05.000000+00:00",
        "total_time": 3.5,
        "prediction_time": "None",
        "job_id": "predict:a.png:1",
    }
    path = tmp_path / "1gpu_1jobs_0.5delay_0.json"
    path.write_text(json.dumps({"num_jobs": 1, "job_data": [job, job | {"status": "failed"}]}))
    with imported.as_ledger(path) as ledger:
        picture = from_ledger.read(ledger)
    assert picture.outcomes == {"done": 1, "failed": 1}
    assert picture.percentiles_s["duration"].p50 == 5.0
    assert picture.run_name == path.stem


def test_every_time_has_a_name_on_the_page(ledger: Path) -> None:
    told = json.loads(from_ledger.read(ledger).as_json())
    assert set(told["percentiles_s"]) <= set(told["labels"])
    assert {"file_upload", "result_download"} <= set(told["labels"])


def test_jobs_that_did_not_end_push_no_failure_out_of_the_list(tmp_path: Path) -> None:
    failed = Row(outcome="failed", closed_at=T0 + 1)
    late = [
        Row(number=n, outcome="unfinished", closed_at=T0 + 100 + n)
        for n in range(1, MOST_FAILURES + 9)
    ]
    failures = from_ledger.read(make(tmp_path / "a-run.db", [failed, *late])).failures
    assert (failures[0].number, failures[0].outcome) == (0, "failed")
    assert {failure.outcome for failure in failures[1:]} == {"unfinished"}
    assert len(failures) == MOST_FAILURES


@pytest.mark.parametrize(
    "told",
    [
        {"job_data": [1]},
        {"job_data": [{}], "started_at": "yesterday"},
        {"job_data": [{"attempts": [{}]}]},
        {"job_data": [{"ticket": {}}]},
        {"job_data": [{}], "sessions": [{}]},
        {"job_data": [{}], "verdict": {}},
    ],
)
def test_a_file_that_only_looks_like_results_is_told_to_be_none(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(told))
    with (
        pytest.raises(LedgerError, match=r"x\.json is no results file"),
        imported.as_ledger(path),
    ):
        pass


def test_the_page_says_that_results_are_missing_as_the_run_did(tmp_path: Path) -> None:
    wanted = {"transfers": {"download": True}}
    picture = from_ledger.read(make(tmp_path / "a-run.db", [Row()], options=wanted))
    assert picture.verdict == "exit code 0: 1 job is done; 1 result could not be downloaded"
