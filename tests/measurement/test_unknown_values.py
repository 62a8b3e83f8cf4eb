"""Ledgers in which any value that may be unknown is unknown: all that is made of a run is made."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kiosk_locust.ledger import schema
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import TrustOptions
from kiosk_locust.reporting import html, results_json
from kiosk_locust.reporting.web import from_ledger
from kiosk_locust.verdict.evaluate import judge
from tests.helpers.ledgers import IMAGE_FIELDS, T0, Row, make, never_leased

#: Jobs of each kind in the ledger; of the done ones enough that a plateau is looked for.
DONE, OTHERS = 120, 4
SCHEMA = json.loads(Path(results_json.__file__).with_name("results.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TABLES = ("tickets", "attempts", "uploads", "downloads", "changes")


def nullable() -> list[tuple[str, str]]:
    """The columns of jobs that may be NULL by the schema, each with its table."""
    with closing(sqlite3.connect(":memory:")) as db:
        schema.create(db)
        return [
            (table, name)
            for table in TABLES
            for _, name, _, is_required, _, key in db.execute(f"PRAGMA table_info({table})")
            if not is_required and not key and name != "outcome"  # a closed ticket has one
        ]


def job(number: int, **more: Any) -> Row:
    """An image that took 2 s and waited 0.5 s of it, 0.5 s after the one before."""
    at = T0 + number / 2
    values: dict[str, Any] = {
        "number": number,
        "due_at": at,
        "taken_at": at - 1,
        "submitted_at": at,
        "duration_s": 2.0,
        "queue_wait_s": 0.5,
        "observed_after": at + 1.9,
        "observed_at": at + 2.1,
        "closed_at": at + 2.1,
        "job_id": f"segmentation:a.png:{number}",
        "fields": {**IMAGE_FIELDS, "created_at": "", "total_time": "1.5"},
        "attempts": ((1, at, at, at + 0.01, "accepted", 200, None, f"id {number}"),),
        "changes": (
            (at + 0.1, at, "new", at, "frontend"),
            (at + 0.6, at + 0.5, "predict", at + 0.55, "consumer-1"),
            (at + 2.1, at + 1.9, "done", at + 2.0, "consumer-1"),
        ),
    }
    return Row(**{**values, **more})


def rows() -> list[Row]:
    ended = {"outcome": "failed", "status": "failed", "images_done": 0, "images_failed": 1}
    open_end = {
        "outcome": "unfinished", "duration_from": None, "queue_wait_s": None, "images_done": 0,
        "observed_at": None,
    }  # fmt: skip
    zipped = {"file": "a.zip", "images_done": 3, "queue_wait_s": None}
    numbers = iter(range(DONE + 5 * OTHERS))
    return [
        *(job(next(numbers)) for _ in range(DONE)),
        *(job(next(numbers), **ended, reason="predict: ValueError") for _ in range(OTHERS)),
        *(job(next(numbers), **open_end, status="new") for _ in range(OTHERS)),
        *(job(next(numbers), **open_end, status="predict", ambiguous=1) for _ in range(OTHERS)),
        *(job(next(numbers), **zipped) for _ in range(OTHERS)),
        *(never_leased(next(numbers)) for _ in range(OTHERS)),
    ]


def ledger(folder: Path) -> Path:
    path = make(folder / "run.db", rows(), options={"update_interval_s": 1.0})
    with closing(sqlite3.connect(path)) as db, db:
        for ticket_id in range(1, DONE, 2):
            at = T0 + ticket_id / 2
            upload = (ticket_id, 1, at - 0.5, at - 0.1, 1000, f"name {ticket_id}", None)
            db.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)", upload)
            download = (ticket_id, at + 3, at + 4, 1000, 1, "out.zip", None)
            db.execute("INSERT INTO downloads VALUES (?, ?, ?, ?, ?, ?, ?)", download)
    return path


def make_all(path: Path, folder: Path) -> tuple[int, str]:
    """Judge, and write results and report, as at the end of a run: jobs in the results, page."""
    with closing(Reckoning(path)) as reckoning:
        judge(reckoning, TrustOptions(), Generator({}))
        (written,) = results_json.write_all(path, folder, reckoning).paths
    page = html.write(from_ledger.read(path), folder / "report.html")
    found = json.loads(written.read_text())
    for kind in {row["outcome"]: row for row in found["job_data"]}.values():
        VALIDATOR.validate({**found, "job_data": [kind]})
    return len(found["job_data"]), page.read_text()


def forget(path: Path, table: str, column: str, every: int) -> int:
    """Set the column NULL in one of so many of the table's rows; how many those were."""
    with closing(sqlite3.connect(path)) as db, db:
        sql = f"UPDATE {table} SET {column} = NULL WHERE ticket_id % {every} = 0"
        return db.execute(sql.replace("ticket_id", "id") if table == "tickets" else sql).rowcount


@pytest.mark.parametrize(("table", "column"), nullable())
def test_what_is_unknown_of_some_jobs_costs_no_result(
    table: str, column: str, tmp_path: Path
) -> None:
    path = ledger(tmp_path)
    assert forget(path, table, column, every=7) > 0
    jobs, page = make_all(path, tmp_path)
    assert jobs == DONE + 5 * OTHERS
    assert "a-run" in page


@pytest.mark.parametrize("seed", range(10))
def test_any_mixture_of_unknown_values_costs_no_result(seed: int, tmp_path: Path) -> None:
    path = ledger(tmp_path)
    draws = random.Random(seed)
    for table, column in draws.sample(nullable(), 8):
        forget(path, table, column, every=draws.randint(1, 4))
    assert make_all(path, tmp_path)[0] == DONE + 5 * OTHERS
