"""Room that is left on a disk: who gives way, and when."""

from __future__ import annotations

import itertools
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest

from kiosk_locust.checkpoint.scheduler import _bytes_of
from kiosk_locust.errors import LedgerError
from kiosk_locust.filesystem import disk_space
from kiosk_locust.filesystem.disk_space import (
    CHECKPOINTS,
    DOWNLOADS,
    JOBS,
    LOG_FILE,
    REPORT,
    NoRoom,
    lack_of,
)
from kiosk_locust.ledger.ledger import Ledger

MIB = 2**20


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk of 100 GiB; its ``f_bavail`` is the room that is left, in MiB."""
    found = SimpleNamespace(f_frsize=MIB, f_blocks=100 * 1024, f_bavail=50 * 1024)
    monkeypatch.setattr(os, "statvfs", lambda _path: found)
    return found


def test_downloads_give_way_first_and_the_report_last(
    disk: SimpleNamespace, tmp_path: Path
) -> None:
    order = (DOWNLOADS, CHECKPOINTS, LOG_FILE, JOBS, REPORT)
    for gone, free in enumerate((64, 63, 47, 31, 15, 7)):
        disk.f_bavail = free
        short = [bool(lack_of(tmp_path, reserve)) for reserve in order]
        assert short == [True] * gone + [False] * (5 - gone), free


def test_of_a_small_disk_less_is_kept_free(disk: SimpleNamespace, tmp_path: Path) -> None:
    disk.f_blocks = disk.f_bavail = 32
    assert lack_of(tmp_path, DOWNLOADS) == ""
    disk.f_bavail = 3
    assert "less than the 4,194,304 bytes" in lack_of(tmp_path, DOWNLOADS)
    assert lack_of(tmp_path, JOBS) == ""


def test_what_is_about_to_be_written_counts(disk: SimpleNamespace, tmp_path: Path) -> None:
    disk.f_bavail = 100
    assert lack_of(tmp_path, JOBS, 84 * MIB) == ""
    with pytest.raises(NoRoom, match="88,080,385 bytes more would leave less than the 16,777,216"):
        disk_space.require(tmp_path, JOBS, 84 * MIB + 1)


def test_the_message_says_where_and_what_to_do(disk: SimpleNamespace, tmp_path: Path) -> None:
    disk.f_bavail = 1
    folder = tmp_path / "not" / "there" / "yet"
    text = lack_of(folder, JOBS)
    assert text.startswith(f"the disk of {folder} has 1,048,576 bytes free, which is less than")
    assert text.endswith("make room, or give a folder on another disk")


def test_the_message_has_no_number_of_an_error(disk: SimpleNamespace, tmp_path: Path) -> None:
    disk.f_bavail = 1
    with pytest.raises(NoRoom) as raised:
        disk_space.require(tmp_path, JOBS)
    assert str(raised.value) == lack_of(tmp_path, JOBS)


def test_a_ledger_is_not_begun_where_its_run_would_end_at_once(
    disk: SimpleNamespace, tmp_path: Path
) -> None:
    disk.f_bavail = 15
    with pytest.raises(
        LedgerError, match=r"no run is begun or resumed with the ledger.*OUTPUT_DIR"
    ):
        Ledger.create(tmp_path / "run.db", {})
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_ended_while_its_ledger_can_still_be_written(
    disk: SimpleNamespace, tmp_path: Path
) -> None:
    told: list[LedgerError] = []
    moments = itertools.count(1.0)  # a second passes between two signs of life
    ledger = Ledger.create(tmp_path / "run.db", {}, told.append, lambda: next(moments))
    try:
        ledger.note("one", 1.0)
        ledger.settle()
        assert told == []
        disk.f_bavail = 15
        with gevent.Timeout(10):
            while not told:
                gevent.sleep(0.01)
        assert "no more jobs are submitted: the disk of" in str(told[0])
        ledger.note("two", 2.0)
        ledger.settle()  # raises nothing
        with closing(sqlite3.connect(ledger.path)) as db:
            assert db.execute("SELECT count(*) FROM notes").fetchall() == [(2,)]
    finally:
        ledger.close()
    assert len(told) == 1


def test_a_copy_of_a_ledger_is_taken_for_a_little_more_than_its_size(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"x" * 1000)
    assert _bytes_of(tmp_path / "run.db") == 1200
