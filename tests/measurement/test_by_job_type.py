"""Figures of each job type, against numbers that were worked out by hand."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from kiosk_locust.measurement.summary import Summary
from kiosk_locust.reporting import html, results_json
from kiosk_locust.reporting.terminal.summary_table import show
from kiosk_locust.reporting.web import from_ledger
from kiosk_locust.verdict.exit_code import Verdict
from tests.helpers.chromium import chromium
from tests.helpers.ledgers import REQUEST, T0, Row, make, never_leased, summarise
from tests.helpers.real import ROOT

NO_OUTCOMES = dict.fromkeys(
    ("done", "partial", "failed", "rejected", "vanished", "timeout", "unfinished", "error"), 0
)


def job(kind: str, seconds: float, **given: Any) -> Row:
    """A job of that type that was due and sent at T0, and took so long."""
    ended_at = T0 + seconds
    values: dict[str, Any] = {
        "request": replace(REQUEST, job_type=kind),
        "fields": None,
        "duration_s": seconds,
        "observed_after": ended_at,
        "observed_at": ended_at,
        "closed_at": ended_at,
    }
    return Row(**(values | given))


def unended(kind: str, age_s: float) -> Row:
    """A job that was last seen at that age, and had not ended."""
    return job(kind, age_s, outcome="timeout", duration_s=None, observed_at=None, images_done=0)


def summary(folder: Path, *rows: Row, **given: Any) -> Summary:
    return summarise(make(folder / "run.db", rows, **given))


TITLE = "By job type; times count the jobs that did not end, too"
#: 20 quick segmentations, 1 to 20 s; 10 Mesmers, 101 to 110 s, of which one failed.
MIXED = (
    *(job("segmentation", 1.0 + i) for i in range(20)),
    *(job("mesmer", 101.0 + i) for i in range(9)),
    job("mesmer", 110.0, outcome="failed", images_done=0, images_failed=1),
)


def test_each_type_has_its_own_counts_rates_and_durations(tmp_path: Path) -> None:
    found = summary(tmp_path, *MIXED).by_job_type
    assert set(found) == {"mesmer", "segmentation"}
    mesmer = found["mesmer"]
    assert mesmer["outcomes"] == NO_OUTCOMES | {"done": 9, "failed": 1}
    counts = ("tickets", "ended", "not_ended", "submitted", "images_done", "images_failed")
    assert [mesmer[count] for count in counts] == [10, 10, 0, 10, 9, 1]
    assert [found["segmentation"][count] for count in counts] == [20, 20, 0, 20, 20, 0]
    # Over the run's 110 s, so that both rates add up to that of the run.
    assert mesmer["jobs_per_s"] == mesmer["images_per_s"] == pytest.approx(9 / 110)
    assert found["segmentation"]["images_per_s"] == pytest.approx(20 / 110)
    for measure in ("duration", "since_due"):
        shown = mesmer["percentiles_s"][measure]
        assert (shown["count"], shown["p50"], shown["p90"], shown["max"]) == (10, 105, 109, 110)
        assert found["segmentation"]["percentiles_s"][measure]["p95"] == 19
        assert mesmer["latency"][measure]["p90"] == {"value_s": 109, "is_least": False}


def test_a_percentile_that_so_few_values_do_not_have_is_not_told(tmp_path: Path) -> None:
    rows = [job("one", 1.0), *(job("many", 1.0 + i) for i in range(100)), *MIXED]
    found = summary(tmp_path, *rows).by_job_type
    told = {
        name: [p for p in ("p50", "p90", "p95", "p99") if kind["percentiles_s"]["duration"][p]]
        for name, kind in found.items()
    }
    assert told == {
        "one": [],
        "mesmer": ["p50", "p90"],
        "segmentation": ["p50", "p90", "p95"],
        "many": ["p50", "p90", "p95", "p99"],
    }
    nothing = {"value_s": None, "is_least": False}
    assert found["one"]["latency"]["duration"] == dict.fromkeys(
        ("p50", "p90", "p95", "p99"), nothing
    )
    assert found["one"]["percentiles_s"]["duration"]["max"] == 1.0


def test_jobs_that_did_not_end_count_as_infinite_in_their_own_type_alone(tmp_path: Path) -> None:
    rows = [*MIXED, *(unended("mesmer", 200.0) for _ in range(10))]
    found = summary(tmp_path, *rows).by_job_type
    latency = found["mesmer"]["latency"]["duration"]
    assert latency["p50"] == {"value_s": 110, "is_least": False}  # the 10th of 20
    assert latency["p90"] == {"value_s": 200, "is_least": True}
    assert found["mesmer"]["not_ended"] == 10
    assert found["mesmer"]["percentiles_s"]["duration"]["count"] == 10
    assert found["segmentation"]["latency"]["duration"]["p90"] == {"value_s": 18, "is_least": False}


def test_tickets_that_no_job_was_made_of_are_counted_as_not_known(tmp_path: Path) -> None:
    found = summary(tmp_path, *MIXED, never_leased(30), never_leased(31)).by_job_type
    assert found[""]["outcomes"] == NO_OUTCOMES | {"unfinished": 2}
    assert (found[""]["tickets"], found[""]["submitted"]) == (2, 0)
    assert sum(kind["tickets"] for kind in found.values()) == 32


def test_types_without_end_are_counted_together(tmp_path: Path) -> None:
    rows = [*MIXED, *(job(f"type{i:03}", 5.0) for i in range(100))]
    found = summary(tmp_path, *rows).by_job_type
    assert len(found) == 51
    assert {"mesmer", "segmentation", ""} < set(found)
    assert found[""]["tickets"] == found[""]["percentiles_s"]["duration"]["count"] == 52
    assert sum(kind["tickets"] for kind in found.values()) == 130


def test_a_request_that_is_no_json_is_of_no_known_type(tmp_path: Path) -> None:
    path = make(tmp_path / "run.db", [job("mesmer", 5.0), job("segmentation", 6.0)])
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE requests SET body = '{' WHERE id = 2")
        db.commit()
    assert set(summarise(path).by_job_type) == {"mesmer", ""}


def test_a_warm_up_is_left_out_of_rates_and_durations_and_not_of_counts(tmp_path: Path) -> None:
    early = [job("mesmer", 900.0, due_at=T0 - 100, submitted_at=T0) for _ in range(3)]
    trim = {"trim": {"warmup": "3 jobs", "cooldown": ""}}
    found = summary(tmp_path, *early, *MIXED, options=trim).by_job_type["mesmer"]
    assert found["tickets"] == 13
    assert found["percentiles_s"]["duration"]["max"] == 110
    assert found["jobs_per_s"] == pytest.approx(9 / 110)


def test_each_cycle_has_its_own(tmp_path: Path) -> None:
    rows = [job("mesmer", 5.0), job("segmentation", 7.0, cycle=2)]
    cycles = ((1, T0, T0 + 6), (2, T0 + 6, T0 + 20))
    path = make(tmp_path / "run.db", rows, options={"num_cycles": 2}, cycles=cycles)
    assert set(summarise(path, 1).by_job_type) == {"mesmer"}
    assert set(summarise(path, 2).by_job_type) == {"segmentation"}
    assert set(summarise(path).by_job_type) == {"mesmer", "segmentation"}


def test_the_results_file_has_them_and_keeps_to_its_schema(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", MIXED)
    (path,) = results_json.write_all(ledger, tmp_path).paths
    found = json.loads(path.read_text())
    schema = json.loads((ROOT / "kiosk_locust" / "reporting" / "results.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    assert found["summary"]["by_job_type"]["mesmer"]["outcomes"]["failed"] == 1
    assert Summary.from_json(found["summary"]).by_job_type == found["summary"]["by_job_type"]


# -- the screen and the page


def closing_of(folder: Path, *rows: Row) -> str:
    console = Console(file=io.StringIO(), width=80)
    show(
        console, summary(folder, *rows), Verdict(0, "all"), run_name="a", simulated=False, files=()
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_closing_screen_has_a_line_for_each_type(tmp_path: Path) -> None:
    rows = [*MIXED, *(unended("mesmer", 200.0) for _ in range(10)), never_leased(50)]
    lines = [line.rstrip() for line in closing_of(tmp_path, *rows).splitlines()]
    told = [line.split() for line in lines[lines.index(TITLE) + 1 :][:4]]
    assert all(len(line) <= 80 for line in lines)
    assert told[1:] == [
        ["not", "known", "1", "0", "0", *"----"],
        ["mesmer", "20", "9", "9", *("110.0 s > 3.3 min " * 2).split()],
        ["segmentation", "20", "20", "20", *("10.0 s 19.0 s " * 2).split()],
    ]


def test_a_run_of_one_type_has_no_such_table(tmp_path: Path) -> None:
    assert "By job type" not in closing_of(tmp_path, job("mesmer", 1.0), never_leased(1))


def test_the_picture_of_the_page_has_them_where_there_are_several(tmp_path: Path) -> None:
    several = from_ledger.read(make(tmp_path / "several.db", MIXED))
    assert several.by_job_type is not None
    assert set(several.by_job_type) == {"mesmer", "segmentation"}
    one = from_ledger.read(make(tmp_path / "one.db", [job("mesmer", 1.0), never_leased(1)]))
    assert one.by_job_type is None


def test_the_report_shows_them_in_a_browser(tmp_path: Path) -> None:
    rows = [*MIXED, *(unended("mesmer", 200.0) for _ in range(10)), never_leased(50)]
    path = html.write(from_ledger.read(make(tmp_path / "run.db", rows)), tmp_path / "run.html")
    cells = """[...document.querySelectorAll("#by-job-type tbody tr")].map(
        (row) => [...row.children].map((cell) => cell.textContent))"""
    with chromium() as browser:
        seen = browser.visit(path.as_uri(), ("tell", "rows", cells), ("axe", "axe"))
    assert seen.errors == []
    assert [found for found in seen.told["axe"] if found[0] in ("serious", "critical")] == []
    mesmer = ["110.0 s", "> 3.3 min", "-"]
    segmentation = ["10.0 s", "19.0 s", "-"]
    assert seen.told["rows"] == [
        ["not known", "1", "0", "0", "0", "0 images/s", *"------"],
        ["mesmer", "20", "9", "1", "9", "4.91 images/min", *mesmer, *mesmer],
        ["segmentation", "20", "20", "0", "20", "10.9 images/min", *segmentation, *segmentation],
    ]
