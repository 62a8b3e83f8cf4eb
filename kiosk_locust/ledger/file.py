"""A ledger's file: how it is made, and how one that is there is looked over and opened again."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from kiosk_locust.errors import LedgerError, LedgerExistsError
from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.ledger import connections, schema
from kiosk_locust.ledger.lock import Lock, network_type

logger = logging.getLogger(__name__)

#: So many faults of a damaged file are told.
FAULTS_SHOWN = 5


def make(path: Path, meta: Mapping[str, str]) -> tuple[Lock, sqlite3.Connection]:
    """Make the file and its tables, locked; raises LedgerError if it is there or cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"cannot make the ledger {path}: {error}") from error
    lock = connection = None
    try:
        lock = Lock(path, make=True)  # of two processes with one name, one gets it
        if kind := network_type(path):
            logger.warning(
                "%s is on a network file system (%s), which cannot be relied on to keep what was"
                " written or to keep a second process out: set OUTPUT_DIR to a local disk",
                *(path, kind),
            )
        connection = _connect(path)
        connections.unlimited(connection)
        _keep_durable(connection)
        schema.create(connection)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")
    except FileExistsError as error:
        advice = f"{path} is there already: choose another --run-name"
        raise LedgerExistsError(advice) from error
    except (OSError, sqlite3.Error) as error:
        if connection:
            connection.close()
        if lock:
            remove(path)
            lock.release()
        raise LedgerError(f"cannot make the ledger {path}: {error}") from error
    return lock, connection


def reopen(path: Path, *, migrating: bool = False) -> tuple[Lock, sqlite3.Connection]:
    """Open a ledger that is there, locked and looked over; raises LedgerError.

    What a process that died had not yet committed is not in it; SQLite sees to that.
    ``migrating`` lets it be written to, and makes an older one a ledger of today, all of it or
    nothing; without it, the file stays as it is.
    """
    if leads_out(path):
        raise LedgerError(
            f"the ledger {path} is a link that leads out of its folder, and whoever can write there"
            f" could have another file changed: name the ledger itself ({path.resolve()})"
        )
    try:
        lock = Lock(path)
    except OSError as error:
        raise LedgerError(f"the ledger {path} cannot be opened: {error.strerror}") from error
    connection = None
    try:
        connection = _connect(path)
        version = _check(path, connection)
        if migrating:
            _keep_durable(connection)  # it writes to the file, which must be a ledger
        if migrating and version != schema.VERSION:
            _migrate(path, connection, version)
        connections.unlimited(connection)  # a run may go on for days
    except (LedgerError, sqlite3.Error, UnicodeError) as error:
        if connection:
            connection.close()  # whatever it is, nothing more is written to it
        lock.release()
        if isinstance(error, LedgerError):
            raise
        raise damaged(path, connections.words(error)) from error
    return lock, connection


def leave(connection: sqlite3.Connection) -> None:
    """Close a ledger so that it stands alone: who only reads it then leaves no file beside it.

    A read-only connection makes ``-wal`` and ``-shm`` for a file in WAL mode, and may not delete
    them. Harmless where the connection is closed already.
    """
    with contextlib.suppress(sqlite3.Error):  # on a full disk, or while somebody reads it
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def is_blank(path: Path) -> bool:
    """Whether a run was ended so early that it left a file, but not one word in it."""
    try:
        with contextlib.closing(
            connections.connect(path, limit_s=connections.FACTS_S)
        ) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    except sqlite3.Error:
        return False


def remove(path: Path) -> None:
    """Delete a ledger, with the files that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def damaged(path: Path, what: str) -> LedgerError:
    """The error for a file that cannot be trusted."""
    return LedgerError(
        f"the ledger {path} is damaged: {what}. It cannot be resumed as it is; keep a copy, and"
        f" save what can be read with: sqlite3 {path} .recover | sqlite3 {path.stem}_saved.db"
        f" (tickets that are lost there would be submitted again)"
    )


def _connect(path: Path) -> sqlite3.Connection:
    return connections.connect(path, "rwc", check_same_thread=False)


def _keep_durable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _check(path: Path, connection: sqlite3.Connection) -> int:
    """The version of its tables; raises LedgerError."""
    version = schema.version_of(path, connection)
    faults = [row[0] for row in connection.execute(f"PRAGMA quick_check({FAULTS_SHOWN})")]
    if faults != ["ok"]:
        raise damaged(path, "; ".join(fault.strip() for fault in faults))
    return version


def _migrate(path: Path, connection: sqlite3.Connection, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        schema.migrate(connection, version)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    logger.info("%s had schema version %d, and has %d now", path, version, schema.VERSION)
