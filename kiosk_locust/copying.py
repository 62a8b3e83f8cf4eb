"""Copies of a ledger: taken while it is written to, compressed; and made a ledger again."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import zlib
from pathlib import Path

from kiosk_locust import guarded
from kiosk_locust.bucket import Address
from kiosk_locust.doubt import Mark, put_mark
from kiosk_locust.errors import LedgerError

#: Of gzip: one that costs little time; the ledger shrinks to a fifth.
_SPEED = 1


def object_name(address: Address, run_name: str) -> str:
    """Where in a bucket the checkpoint of a run is."""
    return address.results(f"{run_name}/checkpoint.db.gz")


def pack(ledger: Path, mark: Mark, packed: Path) -> None:
    """Copy the ledger as it is at this moment, with ``mark`` in it, compressed to ``packed``.

    By SQLite's online backup in one step: who writes to the ledger is not held up. To be called in
    a real thread. Raises OSError and sqlite3.Error.
    """
    copy = packed.with_name(f"{packed.name}.db")
    try:
        with (
            contextlib.closing(guarded.connect(ledger)) as source,
            contextlib.closing(guarded.connect(copy, "rwc")) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA synchronous = OFF")  # it is read once more, and deleted
            target.execute("PRAGMA journal_mode = DELETE")
            put_mark(target, mark)
        with (
            copy.open("rb") as plain,
            packed.open("wb") as file,
            gzip.GzipFile("", "wb", _SPEED, file, mtime=0) as stream,
        ):
            shutil.copyfileobj(plain, stream, 1 << 20)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def unpack(packed: Path, ledger: Path) -> None:
    """Make a ledger of what `pack` made; raises LedgerError where it is damaged, and OSError."""
    try:
        with gzip.open(packed, "rb") as stream, ledger.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        ledger.unlink(missing_ok=True)
        raise LedgerError(f"the checkpoint {packed} is damaged: {error}") from error
