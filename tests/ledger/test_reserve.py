"""Room that is kept on a ledger's disk for a run's last words, on a disk that is really full."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.cli import rescue as cli_rescue
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import rescue
from kiosk_locust.ledger.ledger import Ledger
from tests.helpers.disks import fill, small_disk
from tests.helpers.optional import need
from tests.helpers.records import close_in
from tests.ledger.test_ledger import META, done, fill_disk, submitted
from tests.outages.network import NotPermitted

DISK_BYTES = 96 * 2**20
JOBS = 1_000  # in flight when the disk is full


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, which has room for a reserve."""
    need("mount")
    try:
        with small_disk(tmp_path / "results", DISK_BYTES) as folder:
            yield folder
    except NotPermitted as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def _outcomes(path: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(path)) as opened:
        return opened.execute("SELECT outcome, count(*) FROM tickets GROUP BY outcome").fetchall()


def _end_on_a_full_disk(ledger: Ledger, disk: Path) -> None:
    """Have the jobs that are in flight end when the disk takes no more."""
    records = [submitted(ledger, number) for number in range(JOBS)]
    ledger.settle()
    fill(disk)
    for record in map(done, records):
        record.reason = "x" * 500
        close_in(ledger, record)
    with pytest.raises(LedgerError, match="full"):
        ledger.settle()


def test_the_ends_of_jobs_reach_a_ledger_whose_disk_is_full(disk: Path) -> None:
    ledger = Ledger.create(disk / "run.db", META)
    ledger.keep_reserve()
    _end_on_a_full_disk(ledger, disk)
    ledger.close()
    assert _outcomes(disk / "run.db") == [("done", JOBS)]
    assert sorted(path.name for path in disk.iterdir()) == ["filler", "run.db"]


def test_without_room_they_do_not_and_go_to_the_temporary_folder(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spare := tmp_path / "spare").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    ledger = Ledger.create(disk / "run.db", META)
    _end_on_a_full_disk(ledger, disk)
    with pytest.raises(LedgerError, match="what it lacks is in"):
        ledger.close()
    (kept,) = spare.glob("run_*.rescue.jsonl")
    (disk / "filler").unlink()
    assert cli_rescue.main([str(kept), str(disk / "run.db")]) == 0
    assert _outcomes(disk / "run.db") == [("done", JOBS)]


def test_the_room_is_really_taken(disk: Path) -> None:
    before = os.statvfs(disk)
    rescue.keep_reserve(disk / "run.db")
    after = os.statvfs(disk)
    taken = (before.f_bavail - after.f_bavail) * after.f_bsize
    assert taken >= rescue.RESERVE_BYTES
    rescue.keep_reserve(disk / "run.db")  # as who goes on with a run that was killed
    assert os.statvfs(disk).f_bavail == after.f_bavail


def test_a_disk_with_little_room_is_left_what_it_has(tmp_path: Path) -> None:
    need("mount")
    try:
        with small_disk(tmp_path / "small", rescue.RESERVE_BYTES * 2) as folder:
            rescue.keep_reserve(folder / "run.db")
            assert list(folder.iterdir()) == []
    except NotPermitted as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("end", [Ledger.close, Ledger.discard])
def test_nothing_is_left_at_the_end(tmp_path: Path, end: object) -> None:
    ledger = Ledger.create(tmp_path / "run.db", META)
    ledger.keep_reserve()
    assert (tmp_path / "run.db.reserve").stat().st_blocks * 512 >= rescue.RESERVE_BYTES
    assert callable(end)
    end(ledger)
    assert not (tmp_path / "run.db.reserve").exists()


def test_a_rescue_file_lies_beside_the_ledger_where_that_disk_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "results").mkdir()
    ledger = Ledger.create(tmp_path / "results" / "run.db", META)
    fill_disk(ledger)
    for number in range(200):
        close_in(ledger, done(submitted(ledger, number)))
    with pytest.raises(LedgerError, match=r"what it lacks is in \S+/results/run_"):
        ledger.close()
    (kept,) = (tmp_path / "results").glob("run_*.rescue.jsonl")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert cli_rescue.main([str(kept), str(tmp_path / "results" / "run.db")]) == 0
    assert _outcomes(tmp_path / "results" / "run.db") == [("done", 200)]
