"""A disk that fills up while a run goes on: what was closed is in the ledger or beside it."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.disks import fill, small_disk
from tests.helpers.optional import need
from tests.helpers.real import CLEAN, PYTHONPATH, Locust, simulator, wait_until
from tests.outages.network import NotPermitted

SIZE = 4 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of results, on a disk of its own."""
    need("mount")
    try:
        with small_disk(tmp_path / "results", SIZE) as folder:
            yield folder
    except NotPermitted as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def rows(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(ledger)) as opened:
        return opened.execute(query).fetchall()


def test_a_full_disk_ends_the_run_and_loses_no_record(disk: Path, tmp_path: Path) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    with simulator("--predict-s=0.5") as kiosk:
        locust = Locust(
            tmp_path, "-u", "300", "-r", "50", host=kiosk.url, TMPDIR=str(spare), RUN_NAME="full"
        )
        wait_until(lambda: len(kiosk.submissions) >= 40, what="40 submissions")
        filler = fill(disk)
        finished = locust.finish()
        submitted = {submission["hash"] for submission in kiosk.submissions}
    assert finished.code == 2
    assert len(submitted) < 300
    last = finished.output.splitlines()[-1]
    seen_first = ("the ledger results/full.db cannot be written: ", "no more jobs are submitted: ")
    assert last.startswith(tuple(f"exit code 2: {text}" for text in seen_first)), last
    (rescue,) = spare.glob("full_*.rescue.jsonl")
    command = f"python -m kiosk_locust rescue {rescue} results/full.db"
    assert command in last
    assert re.search(r"the results could not be written: .*No space left on device", last)
    assert "Traceback" not in finished.output

    filler.unlink()
    arguments = command.split()[1:]
    subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=CLEAN | {"PYTHONPATH": PYTHONPATH},
        check=True,
    )
    ledger = disk / "full.db"
    found = rows(ledger, "SELECT job_id, outcome FROM tickets WHERE job_id IS NOT NULL")
    assert {job for job, _ in found} == submitted
    assert rows(ledger, "SELECT DISTINCT state FROM tickets") == [("closed",)]
    assert rows(ledger, "SELECT count(*) FROM tickets") == [(300,)]
    assert {outcome for _, outcome in found} <= {"done", "unfinished"}
