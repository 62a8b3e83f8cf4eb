from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from kiosk_locust.reporting.web import jobs_csv
from kiosk_locust.reporting.web.subprocess_reader import ReaderPool
from tests.helpers.ledgers import T0, Row, make

FORMULA = '=HYPERLINK("http://evil.example","x")'


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_there_is_a_line_for_each_job_with_lists_joined(tmp_path: Path) -> None:
    fields = {"status": "done", "total_time": "1.5,2.5"}
    zipped = Row(number=1, job_id="segmentation-zip:a.zip:1", file="a.zip", fields=fields)
    ledger = make(tmp_path / "run.db", [Row(), zipped])
    out = io.StringIO()
    jobs_csv.write(ledger, out)
    first, second = table(out.getvalue())
    assert (first["job_id"], first["outcome"]) == ("segmentation:a.png:1", "done")
    assert second["total_time"] == "1.5;2.5"


def test_cells_that_a_spreadsheet_would_run_are_defused_and_numbers_are_not(
    tmp_path: Path,
) -> None:
    rows = [
        Row(number=0, outcome="failed", reason=FORMULA),
        Row(number=1, job_id="@SUM(1)", reason="-2+3"),
        Row(number=2, reason="  +1", due_at=-5.0),
        Row(number=3, reason="fine", closed_at=T0),
    ]
    out = io.StringIO()
    jobs_csv.write(make(tmp_path / "run.db", rows), out)
    lines = table(out.getvalue())
    assert [line["reason"] for line in lines] == [f"'{FORMULA}", "'-2+3", "'  +1", "fine"]
    assert lines[1]["job_id"] == "'@SUM(1)"
    assert lines[2]["due_at"] == "-5.0"


def test_its_program_prints_the_same_and_what_is_no_ledger_breaks_the_download(
    tmp_path: Path,
) -> None:
    ledger = make(tmp_path / "run.db", [Row(reason="ünïcode")])
    out = io.StringIO()
    jobs_csv.write(ledger, out)
    assert b"".join(ReaderPool().jobs_csv(ledger)).decode() == out.getvalue()
    broken = tmp_path / "broken.db"
    broken.write_text("no database")
    with pytest.raises(Exception, match=r"broken\.db"):
        list(ReaderPool().jobs_csv(broken))
