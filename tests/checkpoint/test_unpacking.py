"""Checkpoints that are too long for the disk, or for any ledger: refused, and nothing is left."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent.event import Event

from kiosk_locust.assembly.restore import fetch_newest
from kiosk_locust.checkpoint import snapshot
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.checkpoint.snapshot import object_name, pack, unpack
from kiosk_locust.errors import LedgerError
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.storage.bucket import Address
from kiosk_locust.storage.bucket.folder import FolderBucket
from tests.helpers.clocks import ManualClock
from tests.helpers.disks import small_disk
from tests.helpers.layered import make_layers
from tests.helpers.ledgers import RUN_ID, Row, make
from tests.helpers.optional import need
from tests.helpers.real import Finished, run_locust
from tests.outages.network import NotPermitted

MIB = 1 << 20


class Bucket:
    """A folder that stands in for a bucket, with a checkpoint of the run ``paper``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / object_name(Address.parse(folder.as_uri()), "paper")
        self.checkpoint.parent.mkdir(parents=True)

    def keep(self, text: str = "") -> None:
        """Put a sound one there, with a note of that text."""
        made = make(self.folder / "made.db", [Row()], finished="false", alive_at="50.0")
        with closing(sqlite3.connect(made)) as db:
            db.execute("INSERT INTO notes VALUES (1.0, NULL, ?)", (text,))
            db.commit()
        pack(made, Mark(50.0, "theirs"), self.checkpoint)

    def fetch(self, disk: Path) -> int:
        """As a run does that is named ``paper`` and writes to ``disk``."""
        layers = make_layers(env={"STORAGE_BUCKET": self.folder.as_uri()})
        return fetch_newest(layers, disk / "paper.db")


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path / "bucket")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (made := tmp_path / "disk").mkdir()
    return made


def noise(size: int) -> str:
    """A text that gzip cannot make much shorter."""
    return random.Random(1).randbytes(size // 2).hex()


def has_free(monkeypatch: pytest.MonkeyPatch, *free: int) -> None:
    """Have the disk say so, one after the other; the last one for ever."""
    told = list(free)

    def usage(_: object) -> Any:
        return shutil._ntuple_diskusage(0, 0, told.pop(0) if len(told) > 1 else told[0])

    monkeypatch.setattr(snapshot.shutil, "disk_usage", usage)  # type: ignore[attr-defined]  # its own


def test_a_checkpoint_that_the_disk_has_room_for_is_unpacked(bucket: Bucket, disk: Path) -> None:
    bucket.keep()
    assert bucket.fetch(disk) > 0
    with closing(sqlite3.connect(disk / "paper.db")) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'run_id'").fetchone() == (RUN_ID,)
    assert [path.name for path in disk.iterdir()] == ["paper.db"]


def test_a_checkpoint_is_not_fetched_where_it_has_no_room(
    bucket: Bucket, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.keep()
    monkeypatch.setattr(FolderBucket, "get", lambda *_: pytest.fail("it was fetched"))
    has_free(monkeypatch, snapshot.RESERVE_BYTES)
    with pytest.raises(LedgerError, match=r"takes .* MB, and 16\.8 MB are left to the run, but"):
        bucket.fetch(disk)
    assert list(disk.iterdir()) == []


def test_a_checkpoint_is_not_unpacked_where_the_ledger_has_no_room(
    bucket: Bucket, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.keep("a" * 5_000_000)
    has_free(monkeypatch, snapshot.RESERVE_BYTES + MIB)
    with pytest.raises(LedgerError, match=r"takes 5\.\d MB.* free; make room there, give a larger"):
        bucket.fetch(disk)
    assert list(disk.iterdir()) == []


def test_room_that_others_take_meanwhile_leaves_nothing_half_written(
    bucket: Bucket, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.keep("a" * 5_000_000)
    plenty = snapshot.RESERVE_BYTES + 50 * MIB
    has_free(monkeypatch, *[plenty] * 4, snapshot.RESERVE_BYTES)
    with pytest.raises(LedgerError, match="make room there"):
        bucket.fetch(disk)
    assert list(disk.iterdir()) == []


def test_what_grows_more_than_any_ledger_does_is_no_checkpoint(
    bucket: Bucket, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LEAST_BYTES", MIB)
    bucket.checkpoint.write_bytes(gzip.compress(bytes(4 * MIB)))
    with pytest.raises(LedgerError, match=r"checkpoint file:///.* unpacked, it has more than 1\.0"):
        bucket.fetch(disk)
    assert list(disk.iterdir()) == []


def test_what_says_to_be_shorter_than_it_is_is_damaged(bucket: Bucket, disk: Path) -> None:
    packed = gzip.compress(bytes(4 * MIB))
    bucket.checkpoint.write_bytes(packed[:-4] + (100).to_bytes(4, "little"))
    with pytest.raises(LedgerError, match=r"checkpoint file:///.* is damaged"):
        bucket.fetch(disk)
    assert list(disk.iterdir()) == []


def test_a_long_ledger_that_shrinks_well_is_unpacked(tmp_path: Path) -> None:
    ledger = make(tmp_path / "long.db", [Row(number=number) for number in range(20_000)])
    pack(ledger, Mark(50.0, "theirs"), packed := tmp_path / "packed.gz")
    unpack(packed, tmp_path / "again.db", "it")
    with closing(sqlite3.connect(tmp_path / "again.db")) as db:
        assert db.execute("SELECT count(*) FROM tickets").fetchone() == (20_000,)


def test_a_checkpoint_with_a_view_in_it_does_not_replace_the_ledger(
    bucket: Bucket, disk: Path
) -> None:
    bucket.keep()
    with closing(sqlite3.connect(bucket.folder / "made.db")) as db:
        db.execute("CREATE VIEW more AS SELECT 1 AS one")
    pack(bucket.folder / "made.db", Mark(90.0, "theirs"), bucket.checkpoint)
    own = make(disk / "paper.db", [], alive_at="10.0").read_bytes()
    with pytest.raises(LedgerError, match="its view more is none of a ledger's"):
        bucket.fetch(disk)
    assert [path.name for path in disk.iterdir()] == ["paper.db"]
    assert (disk / "paper.db").read_bytes() == own


def test_a_run_is_not_taken_for_overtaken_where_there_is_no_room_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger.create(tmp_path / "run.db", {})
    folder, overtaken = tmp_path / "bucket", Event()
    checkpoints = Checkpoints(
        FolderBucket(folder), "checkpoint.db.gz", ledger, Tickets(lambda *_: iter(())),
        ManualClock(), every_s=1, on_overtaken=lambda _: overtaken.set(),
    )  # fmt: skip
    checkpoints.first(insist=True)
    os.utime(folder / "checkpoint.db.gz", (1, 1))  # another generation: whose is it?
    has_free(monkeypatch, 0)
    checkpoints._try()
    ledger.close()
    assert not overtaken.is_set()
    assert "are left to the run, but" in caplog.text
    assert not [path for path in tmp_path.iterdir() if "found" in path.name]


# -- a real disk that is small


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A folder with a disk of its own, of 24 MiB."""
    need("mount")
    try:
        with small_disk(tmp_path / "tiny", 24 * MIB) as folder:
            yield folder
    except NotPermitted as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def test_a_small_disk_is_left_as_it_was(bucket: Bucket, tiny: Path) -> None:
    bucket.keep(noise(12 * MIB))
    before = shutil.disk_usage(tiny).free
    with pytest.raises(LedgerError, match="make room there"):
        bucket.fetch(tiny)
    assert list(tiny.iterdir()) == []
    assert shutil.disk_usage(tiny).free == before


def resumed(folder: Path, bucket: Bucket, disk: Path) -> Finished:
    return run_locust(
        folder,
        *("--resume-or-start", "paper"),
        host="http://127.0.0.1:9",
        STORAGE_BUCKET=bucket.folder.as_uri(),
        OUTPUT_DIR=str(disk),
    )


@pytest.mark.proof
def test_a_pod_with_too_small_a_disk_ends_with_exit_code_2_and_words(
    bucket: Bucket, tiny: Path, tmp_path: Path
) -> None:
    bucket.keep(noise(12 * MIB))
    finished = resumed(tmp_path, bucket, tiny)
    assert finished.code == 2
    assert "make room there, give a larger disk by OUTPUT_DIR" in finished.output
    assert "Traceback" not in finished.output
    assert list(tiny.iterdir()) == []
