"""What a page tells of jobs, kept in the ledger, and by which durations its charts are drawn."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.reporting import results_json
from kiosk_locust.reporting.web import from_ledger, page_cache
from tests.helpers.ledgers import T0, Row, make
from tests.measurement.test_timing_tables import job


def judged(path: Path) -> Path:
    """The ledger, with what the end of its run keeps."""
    with closing(Reckoning(path)) as reckoning, reckoning:
        text = page_cache.work_out(reckoning).as_text(reckoning)
    change(path, "INSERT INTO meta VALUES ('page', ?)", text)
    return path


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql, values)
        db.commit()


def rows() -> list[Row]:
    return [job(number) for number in range(30)] + [Row(number=30, outcome="failed")]


def test_a_page_of_what_was_kept_is_the_page_of_what_is_worked_out(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", rows())
    worked_out = from_ledger.read(ledger)
    assert from_ledger.read(judged(ledger)) == worked_out


def test_what_was_kept_is_not_worked_out_again(tmp_path: Path) -> None:
    ledger = judged(make(tmp_path / "run.db", rows()))
    before = from_ledger.read(ledger).percentiles_s
    change(ledger, "UPDATE tickets SET fields = NULL, duration_s = 99, observed_at = NULL")
    assert from_ledger.read(ledger).percentiles_s == before


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE meta SET value = '1800000099.0' WHERE key = 'ended_at'",
        f"INSERT INTO sessions VALUES (1, {T0}, NULL, NULL, NULL, '{{}}')",
        "DELETE FROM tickets WHERE id = 31",
        "UPDATE tickets SET state = 'open', outcome = NULL WHERE id = 31",
        "UPDATE meta SET value = '{\"version\": 1}' WHERE key = 'page'",
        "UPDATE meta SET value = '[]' WHERE key = 'page'",
        "UPDATE meta SET value = 'x' WHERE key = 'page'",
        "UPDATE meta SET value = replace(value, '\"regime\"', '\"r\"') WHERE key = 'page'",
    ],
)
def test_what_was_kept_of_another_state_of_the_run_is_not_used(tmp_path: Path, sql: str) -> None:
    ledger = judged(make(tmp_path / "run.db", rows()))
    with opened(ledger) as db:
        assert page_cache.kept(db, facts(db)) is not None
    change(ledger, sql)
    with opened(ledger) as db:
        assert page_cache.kept(db, facts(db)) is None
    from_ledger.read(ledger)  # and it is worked out


def test_charts_are_drawn_by_the_durations_that_the_results_have(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", [job(number, consumer_s=30.0) for number in range(40)])
    (path,) = results_json.write_all(ledger, tmp_path).paths
    found = json.loads(path.read_text())
    durations = [each["duration_s"] for each in found["job_data"]]
    assert max(durations) < 6  # the Kiosk's stamps say 35 s
    picture = from_ledger.read(ledger)
    assert sum(picture.durations.counts) == len(durations)
    assert picture.durations.edges_s[0] <= min(durations) * 1.001
    assert picture.durations.edges_s[-1] >= max(durations) * 0.999
    assert picture.durations.edges_s[-1] < 7
    drawn = [value for value in picture.course.duration_p95_s if value is not None]
    assert max(drawn) == pytest.approx(max(durations), rel=0.05)
    waits = [each["queue_wait_s"] for each in found["job_data"]]
    drawn = [value for value in picture.course.parts_s["queue_wait"] if value is not None]
    assert min(waits) * 0.999 <= min(drawn) <= max(drawn) <= max(waits) * 1.001


def test_half_a_surrogate_pair_in_a_failed_job_s_address_spoils_no_page(tmp_path: Path) -> None:
    fields = {"status": "failed", "output_url": "https://x.example/\udfff", "created_at": "\ud800"}
    ledger = make(tmp_path / "run.db", [Row(outcome="failed", fields=fields), job(1)])
    (failure,) = from_ledger.read(ledger).failures
    assert failure.output_url == fields["output_url"]
    (path,) = results_json.write_all(ledger, tmp_path).paths
    assert path.is_file()


def test_the_children_of_a_zip_stand_in_the_chart_of_its_closing(tmp_path: Path) -> None:
    fields = {"status": "done", "total_time": "3,5", "download_time": "0.5,1.5,1"}
    ledger = make(
        tmp_path / "run.db",
        [Row(job_id="segmentation-zip:z:1", file="z.zip", fields=fields, closed_at=T0 + 2.5)],
    )
    parts = from_ledger.read(ledger).course.parts_s
    assert parts["download"] == (None, None, 1.0)
    assert "other" not in parts  # which of them belong together is not known
