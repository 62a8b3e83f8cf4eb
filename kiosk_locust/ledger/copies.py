"""Makes copies of a ledger's file: for a checkpoint, and for an archive that is the same each time.

Each raises OSError and sqlite3.Error, and may take as long as the file is large.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from kiosk_locust.ledger import connections, finish_steps, recovery
from kiosk_locust.ledger.recovery import Mark, put_mark


def backup(ledger: Path, copy: Path, mark: Mark) -> None:
    """Copy the ledger as it is at this moment, with ``mark`` in it; nobody who writes is held up.

    By SQLite's online backup in one step.
    """
    with (
        contextlib.closing(connections.connect(ledger)) as source,
        contextlib.closing(connections.connect(copy, "rwc")) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA synchronous = OFF")  # it is read once more, and deleted
        target.execute("PRAGMA journal_mode = DELETE")
        put_mark(target, mark)


def make_alike(ledger: Path, copy: Path) -> bool:
    """Copy what the ledger says, with nothing in the file that depends on how it came about.

    Left out is what a process does with a ledger after it was uploaded, and what marks a
    checkpoint. False for a ledger of an older version: what was uploaded of it is its file.
    """
    remove(copy)
    with contextlib.closing(connections.connect(ledger, "rw")) as db:
        if not db.execute("SELECT 1 FROM meta WHERE key = ?", (finish_steps.KEY,)).fetchone():
            return False
        _vacuum_into(db, copy)
    with contextlib.closing(connections.connect(copy, "rw")) as db:
        db.execute("PRAGMA synchronous = OFF")  # it is read once, and deleted
        left_out = (finish_steps.AFTER_KEY, recovery.KEY)
        if db.execute("DELETE FROM meta WHERE key IN (?, ?)", left_out).rowcount:
            again = copy.with_name(f"{copy.name}.db")
            again.unlink(missing_ok=True)
            _vacuum_into(db, again)
            again.replace(copy)
    with contextlib.closing(connections.connect(copy, "rw")) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA schema_version = 1")  # SQLite counts how often a file was copied
    return True


def _vacuum_into(db: sqlite3.Connection, copy: Path) -> None:
    db.execute("VACUUM INTO ?", (str(copy),))


def remove(copy: Path) -> None:
    """Delete a copy with all that SQLite may have left beside it."""
    for suffix in ("", "-journal", "-wal", "-shm", ".db", ".db-journal"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def take_in_log(ledger: Path) -> None:
    """Have what a process that died left beside the ledger in the ledger itself."""
    if not ledger.with_name(ledger.name + "-wal").exists():
        return
    with contextlib.closing(connections.connect(ledger, "rw")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
