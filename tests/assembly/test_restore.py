"""Which of disk and bucket a run goes on from: the newest, and the other is kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.assembly.restore import fetch_newest
from kiosk_locust.checkpoint.snapshot import object_name, pack
from kiosk_locust.config.sources import Layer, Layers, SettingText
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.storage.bucket import Address


def layers(**texts: str) -> Layers:
    given = {name: SettingText(text, name.upper(), "a test") for name, text in texts.items()}
    return Layers((Layer("a test", given),))


def ledger(path: Path, *, alive_at: float, sessions: int = 1, run_id: str = "ours") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Ledger.create(path, {"run_id": run_id}, now=lambda: alive_at)
    for number in range(1, sessions + 1):
        made.begin_session(number, 1.0)
    made.settle()
    made.close()
    return path


class Place:
    """A disk and a bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = folder / "results" / "paper.db"
        self.bucket = folder / "bucket"

    def checkpoint(self, alive_at: float, sessions: int = 1, run_id: str = "ours") -> None:
        made = ledger(
            self.folder / f"{alive_at}.db", alive_at=alive_at, sessions=sessions, run_id=run_id
        )
        name = object_name(Address.parse(self.bucket.as_uri()), "paper")
        target = self.bucket / name
        target.parent.mkdir(parents=True)
        pack(made, Mark(alive_at, "theirs"), target)

    def fetch(self) -> int:
        return fetch_newest(layers(storage_bucket=self.bucket.as_uri()), self.disk)

    def alive_at(self, path: Path | None = None) -> float:
        with closing(sqlite3.connect(path or self.disk)) as db:
            return float(db.execute("SELECT value FROM meta WHERE key = 'alive_at'").fetchone()[0])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_disk_without_the_run_gets_the_checkpoint(place: Place) -> None:
    place.checkpoint(50.0)
    assert place.fetch() != 0
    assert place.alive_at() == 50.0


def test_a_newer_disk_is_left_as_it_is(place: Place) -> None:
    place.checkpoint(50.0)
    ledger(place.disk, alive_at=80.0)
    assert place.fetch() != 0
    assert place.alive_at() == 80.0
    assert [path.name for path in place.disk.parent.iterdir()] == ["paper.db"]


@pytest.mark.parametrize(("alive_at", "sessions"), [(80.0, 1), (50.0, 2)])
def test_a_disk_that_the_run_went_on_without_is_set_aside(
    place: Place, alive_at: float, sessions: int
) -> None:
    place.checkpoint(alive_at, sessions)
    ledger(place.disk, alive_at=60.0)
    place.fetch()
    assert place.alive_at() == alive_at
    assert place.alive_at(place.disk.with_name("paper_left_1.db")) == 60.0


def test_two_runs_of_one_name_are_never_mixed_up(place: Place) -> None:
    place.checkpoint(80.0, run_id="theirs")
    ledger(place.disk, alive_at=60.0)
    with pytest.raises(LedgerError, match="two runs of one name"):
        place.fetch()
    assert place.alive_at() == 60.0


def test_a_checkpoint_that_is_damaged_is_no_ledger(place: Place) -> None:
    place.checkpoint(80.0)
    (damaged,) = place.bucket.rglob("*.gz")
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(LedgerError, match="is damaged"):
        place.fetch()
    assert not place.disk.exists()


def test_a_bucket_that_cannot_be_asked_is_no_reason_to_begin_anew(place: Place) -> None:
    place.checkpoint(80.0)
    (place.bucket / "output").rename(place.folder / "away")
    (place.bucket / "output").write_text("no folder")
    with pytest.raises(LedgerError, match="cannot be told"):
        place.fetch()
    assert not place.disk.exists()


def test_nobody_is_asked_where_no_checkpoints_are_wanted(place: Place) -> None:
    place.checkpoint(50.0)
    settings = layers(storage_bucket=place.bucket.as_uri(), checkpoint="0")
    assert fetch_newest(settings, place.disk) == 0
    assert not place.disk.exists()
