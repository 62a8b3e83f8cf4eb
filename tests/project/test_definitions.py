"""By which definitions a figure was made, and what the poll interval blurs."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk_locust.assembly import earlier_run
from kiosk_locust.cost.annotations import RunNote
from kiosk_locust.cost.query import EndedRun
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.poll_resolution import polling
from kiosk_locust.measurement.timing_tables import ends, gather
from kiosk_locust.model import definitions
from kiosk_locust.reporting.results_json import write_all
from kiosk_locust.reporting.web import from_ledger, page_cache
from kiosk_locust.reporting.web.imported import as_ledger
from kiosk_locust.verdict.judgement import Judgement
from tests.helpers.ledgers import T0, Row, make
from tests.helpers.scenarios import make_options
from tests.runs.test_durations import BY_FIRST, NEW, job, lost

VERDICT = Judgement().as_text()


def before_versions(path: Path) -> Path:
    """A ledger as it was before figures had definitions with a version."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM meta WHERE key = 'definitions_version'")
        db.commit()
    return path


def test_a_verdict_of_an_older_ledger_is_not_shown_as_one_of_today(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", [job()], judgement=VERDICT)
    assert from_ledger.read(ledger).problems == ()
    old = from_ledger.read(before_versions(ledger))
    assert old.problems == (definitions.OLDER,)
    assert old.judgement is not None
    assert old.judgement["warnings"] == [definitions.OLDER]
    (path,) = write_all(ledger, tmp_path).paths
    found = json.loads(path.read_text())
    assert found["definitions_version"] == 1  # its figures are worked out anew
    assert found["verdict"]["warnings"] == [definitions.OLDER]
    assert found["summary"]["percentiles_s"]["since_due"]["max"] == pytest.approx(3.0, abs=1e-5)


def test_what_pages_kept_by_older_definitions_is_worked_out_again(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", [job()])
    with closing(Reckoning(ledger)) as reckoning, reckoning:
        kept = json.loads(page_cache.work_out(reckoning).as_text(reckoning))
    kept["told"]["summary"]["percentiles_s"]["since_due"]["max"] = 99.0
    for older in ({"version": 1}, {"guard": [0, *kept["guard"][1:]]}):
        with closing(sqlite3.connect(ledger)) as db:
            text = json.dumps(kept | older)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('page', ?)", (text,))
            db.commit()
        assert from_ledger.read(ledger).percentiles_s["since_due"].max == pytest.approx(
            3.0, abs=1e-5
        )


def test_a_results_file_read_back_has_its_version_and_its_interrupted_work(tmp_path: Path) -> None:
    rows = [job(), replace(lost(changes=(NEW, BY_FIRST)), number=1)]
    (path,) = write_all(make(tmp_path / "run.db", rows, judgement=VERDICT), tmp_path).paths
    written = json.loads(path.read_text())
    with as_ledger(path) as ledger, closing(Reckoning(ledger)) as again, again:
        assert again.run.definitions_version == 1
        assert again.summary().interrupted == written["summary"]["interrupted"] == 1
        p50 = written["summary"]["percentiles_s"]["since_due"]["p50"]
        assert again.summary().percentiles_s["since_due"].p50 == pytest.approx(p50)


def test_the_page_names_the_version(tmp_path: Path) -> None:
    found = json.loads(from_ledger.read(make(tmp_path / "run.db", [job()])).as_json())
    assert found["definitions_version"] == 1


# -- the cost window


def test_the_cost_window_ends_with_the_last_job_unless_one_did_not_end(tmp_path: Path) -> None:
    rows = [job(ended=3.0, seen=5.0), replace(job(ended=14.0, seen=24.0), number=1)]
    endless = replace(job(outcome="timeout"), number=2, observed_at=None)
    with opened(make(tmp_path / "run.db", rows)) as db:
        found = ends(db, gather(db, facts(db)))
    assert found == {1: pytest.approx(T0 + 14.0), None: pytest.approx(T0 + 14.0)}
    with opened(make(tmp_path / "other.db", [*rows, endless])) as db:
        assert ends(db, gather(db, facts(db))) == {}


def test_without_ends_the_run_s_own_stand_in() -> None:
    note = RunNote(100.0, 124.0, "ab", "a-run", "segmentation", "done", "1 job is done")
    whole = EndedRun(Path("run.db"), note)
    assert (whole.window.start_at, whole.window.end_at) == (100.0, 124.0)
    known = replace(whole, due_at=100.5, ends={None: 114.0})
    assert (known.window.start_at, known.window.end_at) == (100.5, 114.0)


# -- the poll interval


def test_an_interval_that_blurs_is_named_with_one_that_would_not() -> None:
    found = polling(10.0, 3, median_s=8.9, error_s=7.5)
    assert found.sharper_s == 0.5  # 10 * 0.05 * 8.9 / 7.5 is 0.59
    assert found.note == (
        "UPDATE_INTERVAL=10 s blurs: durations are known within 7.50 s (p95) (3 jobs without"
        " finished_at), beside a median of 8.90 s. UPDATE_INTERVAL=0.5 would sharpen that"
    )


@pytest.mark.parametrize(
    ("interval_s", "median_s", "error_s"),
    [(10.0, 100.0, 5.0), (10.0, None, 5.0), (10.0, 9.0, None), (None, 9.0, 9.0), (0.2, 0.5, 0.2)],
)
def test_nothing_is_said_where_nothing_is_blurred_or_nothing_would_help(
    interval_s: float | None, median_s: float | None, error_s: float | None
) -> None:
    assert polling(interval_s, 0, median_s=median_s, error_s=error_s).note == ""


def test_users_of_a_closed_workload_wait_for_polls() -> None:
    found = polling(10.0, 0, median_s=2.0, error_s=0.0, waited_s=5.0)
    assert "users waited 5.00 s (median) for a poll before their next job" in found.note
    assert found.sharper_s == 0.2


def finished(path: Path, interval_s: float, *rows: Row) -> Path:
    """A run that its end kept for pages."""
    options = {
        "host": "http://kiosk.example", "job_type": "segmentation", "file": "a.png",
        "workload": "open", "update_interval_s": interval_s,
    }  # fmt: skip
    ledger = make(path, rows, options=options)
    with closing(Reckoning(ledger)) as reckoning, reckoning:
        text = page_cache.work_out(reckoning).as_text(reckoning)
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("INSERT INTO meta VALUES ('page', ?)", (text,))
        db.commit()
    return ledger


def test_an_earlier_run_of_the_kind_tells_what_would_be_blurred(tmp_path: Path) -> None:
    failed = replace(
        job(ended=3.0, seen=3.1, outcome="failed", fields={"finished_at": ""}),
        status="failed",
        duration_from="updated_at",
        observed_after=T0 + 2.9,
    )
    rows = [replace(failed, number=number) for number in range(10)]
    finished(tmp_path / "before.db", 0.3, *rows)
    (tmp_path / "broken.db").write_text("no ledger")
    options = make_options(output_dir=tmp_path, file="a.png", update_interval_s=10.0)
    said = earlier_run.advice(options)
    assert said.startswith("by a-run, UPDATE_INTERVAL=10 s blurs: durations are known within")
    assert "10 jobs without finished_at" in said
    assert earlier_run.advice(replace(options, update_interval_s=0.3)) == ""
    for other in ({"file": "b.png"}, {"job_type": "mesmer"}, {"host": None}):
        assert earlier_run.advice(replace(options, **other)) == ""
