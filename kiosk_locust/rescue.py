"""What a ledger's disk refused, kept elsewhere and written later.

``python -m kiosk_locust.rescue RESCUE_FILE LEDGER`` writes it, when there is room again.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

Value = str | int | float | None


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


def save(ledger: Path, group: Iterable[Write]) -> Path:
    """Keep ``group`` in the temporary folder, a JSON list a line; returns the file."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix=f"{ledger.stem}_", suffix=".rescue.jsonl", delete=False
    ) as file:
        path = Path(file.name)
        try:
            file.writelines(json.dumps(statement) + "\n" for statement in group)
            file.flush()
        except OSError:
            path.unlink()  # half a file would be refused as a whole
            raise
    return path


def load(rescue: Path) -> list[Write]:
    """The statements of a rescue file; raises OSError or ValueError."""
    try:
        with rescue.open(encoding="utf-8") as lines:
            return [Write(sql, tuple(values)) for sql, values in map(json.loads, lines)]
    except (TypeError, RecursionError) as error:
        raise ValueError(f"it is no rescue file ({error})") from error


def main(arguments: list[str]) -> int:
    """Write a rescue file into its ledger; returns the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m kiosk_locust.rescue RESCUE_FILE LEDGER\n")
        return 2
    rescue, ledger = map(Path, arguments)
    try:
        group = load(rescue)
        with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=rw", uri=True)) as opened:
            opened.isolation_level = None
            write(opened, group)
    except (OSError, ValueError, TypeError, sqlite3.Error) as error:
        sys.stderr.write(f"{rescue} was not written into {ledger}: {error}\n")
        return 2
    sys.stderr.write(f"{len(group)} statements written into {ledger}; {rescue} can be deleted\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
