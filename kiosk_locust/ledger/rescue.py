"""Saves what a ledger's full disk refuses: in room that was kept for it, or a rescue file.

While a run goes on, ``<run>.db.reserve`` takes room beside the ledger, which is given back when the
disk has none left. So the last words of a run stay on the ledger's own disk, which in a container
outlives the process; its temporary folder does not.

``python -m kiosk_locust rescue RESCUE_FILE LEDGER`` writes it into the ledger, when there is room
again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from kiosk_locust.ledger import connections
from kiosk_locust.ledger import file as opening

Value = str | int | float | None
_VERBS = (["INSERT"], ["UPDATE"], ["DELETE"])
_CHANGES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_NEEDS = frozenset(
    {
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_TRANSACTION,
    }
)

#: Room for the ends of some ten thousand jobs that are in flight when the disk is full.
RESERVE_BYTES = 16 * 2**20
#: A disk with less room than so many times the reserve is left what it has.
_LEAST_ROOM = 4


class Write(NamedTuple):
    """One statement that waits to be written."""

    sql: str
    values: tuple[Value, ...]


def write(connection: sqlite3.Connection, group: Iterable[Write]) -> None:
    """Write a group in one transaction, all or nothing; raises sqlite3.Error."""
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        for sql, values in group:
            execute(sql, values)
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise


def keep_reserve(ledger: Path) -> None:
    """Take room beside a ledger, for `give_back`; none where the disk has little or refuses it."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(ledger.parent).free < _LEAST_ROOM * RESERVE_BYTES:
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(_reserve(ledger), flags, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        finally:
            os.close(descriptor)


def give_back(ledger: Path) -> bool:
    """Free the room that was kept beside a ledger; False where none was."""
    try:
        _reserve(ledger).unlink()
    except OSError:
        return False
    return True


def _reserve(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}.reserve")


def save(ledger: Path, group: Sequence[Write]) -> Path:
    """Keep ``group`` beside the ledger, else in the temporary folder; returns the file.

    It holds a JSON list a line. Raises OSError, where neither takes it.
    """
    try:
        return _save(ledger, group, ledger.parent)
    except OSError:
        return _save(ledger, group, None)


def _save(ledger: Path, group: Sequence[Write], folder: Path | None) -> Path:
    with tempfile.NamedTemporaryFile(
        "w",
        encoding="utf-8",
        prefix=f"{ledger.stem}_",
        suffix=".rescue.jsonl",
        dir=folder,
        delete=False,
    ) as file:
        path = Path(file.name)
        try:
            file.writelines(json.dumps(statement) + "\n" for statement in group)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            path.unlink()  # half a file would be refused as a whole
            raise
    return path


def load(rescue: Path) -> list[Write]:
    """The statements of a rescue file; raises OSError or ValueError."""
    try:
        with rescue.open(encoding="utf-8") as lines:
            group = [Write(sql, tuple(values)) for sql, values in map(json.loads, lines)]
    except (TypeError, RecursionError) as error:
        raise ValueError(f"it is no rescue file ({error})") from error
    for number, statement in enumerate(group, start=1):
        verb = statement.sql.split(maxsplit=1)[:1] if isinstance(statement.sql, str) else []
        if verb not in _VERBS:
            raise ValueError(f"it is no rescue file (line {number} is no statement of a ledger's)")
    return group


def _allow(
    action: int, one: str | None, _two: str | None, file: str | None, _by: str | None
) -> int:
    """Authorizer for a rescue file: its statements may change rows of the ledger's own tables."""
    if action in _NEEDS:
        return sqlite3.SQLITE_OK
    is_ours = action in _CHANGES and file == "main" and not (one or "").startswith("sqlite_")
    return sqlite3.SQLITE_OK if is_ours else sqlite3.SQLITE_DENY


def restore(rescue: Path, ledger: Path) -> int:
    """Write a rescue file into its ledger, all of it or nothing; returns how many statements.

    Raises LedgerError where the ledger is in use or is none, OSError, ValueError and sqlite3.Error.
    """
    group = load(rescue)
    lock, connection = opening.reopen(ledger)
    try:
        connections.limit(connection, ledger)
        connection.set_authorizer(_allow)
        write(connection, group)
    finally:
        connection.set_authorizer(None)
        opening.leave(connection)
        lock.release()
    return len(group)
