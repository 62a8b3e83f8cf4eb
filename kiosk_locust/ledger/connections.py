"""Connections to SQLite files, each with bounds: a file may come from anywhere.

Every module that opens a ledger does so here. A connection trusts nothing that stands in a file's
schema, holds no value longer than `LONGEST_BYTES`, and ends a statement that takes longer than a
ledger of that size ever does. Which tables a file may have is `kiosk_locust.ledger.schema_check`'s.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Literal

from kiosk_locust.errors import LedgerError

Mode = Literal["ro", "rw", "rwc"]

#: The longest value of a ledger are the times of a trace, some 160 MiB at most
#: (`filesystem.text_files.MAX_BYTES`); all facts of a run together are no longer than this.
LONGEST_BYTES = 256 << 20
#: Time (s) that the statements of one connection may take in all, and so much more for each byte of
#: the file: some thirty times what a summary of it takes (23 s for 64 MB).
BASE_S, S_PER_BYTE = 60.0, 1e-5
#: The facts of a run are read in milliseconds, however many tickets there are.
FACTS_S = 2.0
#: After so many of SQLite's instructions it is looked at the clock; they count as so long (s) at
#: most, since in between a statement may wait for whoever takes its rows.
STRIDE, STRIDE_S = 100_000, 0.25
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 1,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_WORDS = {
    "interrupted": "it takes longer to read than any ledger of its size does",
    "string or blob too big": f"a value in it is longer than {LONGEST_BYTES >> 20} MiB",
}


def connect(
    path: Path,
    mode: Mode = "ro",
    *,
    limit_s: float | None = None,
    timeout_s: float = 5.0,
    check_same_thread: bool = True,
) -> sqlite3.Connection:
    """A connection, in autocommit mode, to the file at ``path``.

    Raises sqlite3.Error; LedgerError, before SQLite reads anything, where it is to be written to
    and a rollback journal lies beside it: ours have none, and SQLite does what one says.
    ``limit_s`` is the time that its statements may take in all; None: by the file's size.
    ``timeout_s`` is how long to wait for a lock.
    """
    if mode != "ro":
        _refuse_journal(path)
    db = sqlite3.connect(
        uri(path, mode),
        uri=True,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=check_same_thread,
    )
    try:
        protect(db)
        limit(db, path, limit_s)
    except BaseException:
        db.close()
        raise
    return db


def _refuse_journal(path: Path) -> None:
    journal = path.with_name(f"{path.name}-journal")
    if os.path.lexists(journal) and (journal.is_symlink() or journal.stat().st_size):
        raise LedgerError(
            f"{path} is not opened: beside it is {journal.name}, a rollback journal of SQLite's,"
            " which kiosk_locust does not leave; SQLite would change files by it. Move it away"
        )


def uri(path: Path, mode: Mode) -> str:
    """The name by which SQLite opens the file at ``path``, as ``ATTACH`` takes it, too."""
    return f"{path.absolute().as_uri()}?mode={mode}"


def protect(db: sqlite3.Connection) -> None:
    """Bound what a connection believes and holds; `limit` bounds the time."""
    for category, most in _LIMITS.items():
        db.setlimit(category, most)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")


def limit(db: sqlite3.Connection, path: Path, limit_s: float | None = None) -> None:
    """Bound the time that statements take from now on; ``limit_s`` as for `connect`."""
    allowed_s = _allowed_s(path) if limit_s is None else limit_s
    db.set_progress_handler(_Budget(allowed_s).spend, STRIDE)


def unlimited(db: sqlite3.Connection) -> None:
    """Let statements take any time, once the file is known to be a sound ledger."""
    db.set_progress_handler(None, 0)


def words(error: Exception) -> str:
    """The text of an error of SQLite's; where a bound was met, it says which."""
    return _WORDS.get(str(error), str(error))


def _allowed_s(path: Path) -> float:
    """By the room that the file takes: a file with holes has no more rows for them."""
    try:
        status = os.stat(path)
    except OSError:
        return BASE_S
    return BASE_S + min(status.st_size, status.st_blocks * 512) * S_PER_BYTE


class _Budget:
    """The time that a connection's statements have left."""

    def __init__(self, allowed_s: float) -> None:
        self._left_s = allowed_s
        self._looked_at = time.monotonic()

    def spend(self) -> int:
        """Note the time since the last call; other than 0 ends the statement."""
        now = time.monotonic()
        self._left_s -= min(now - self._looked_at, STRIDE_S)
        self._looked_at = now
        return self._left_s < 0
