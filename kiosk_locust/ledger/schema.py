"""The version of a ledger's tables: which there are, and how an older ledger is read or changed.

It stands in ``meta`` under ``schema_version``, and will in every version, so that any can tell.
Whoever reads an older ledger sees it as one of today, by tables and views of the connection's
own: the file stays as it is. It is changed only when a run goes on with it, in one transaction.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import kiosk_locust
from kiosk_locust.errors import LedgerError, NewerLedgerError
from kiosk_locust.ledger import schema_check

VERSION = 3
#: Version 1 grew while it was called so; tables that a ledger of it may lack, with their columns.
_LACKED_BY_1 = {
    "sessions": """number INTEGER PRIMARY KEY, started_at REAL NOT NULL, time_zero REAL,
        ended_at REAL, ended_by TEXT, changed TEXT NOT NULL""",
    "inputs": """number INTEGER PRIMARY KEY, path TEXT NOT NULL, size INTEGER NOT NULL,
        kind TEXT NOT NULL, images INTEGER NOT NULL, array TEXT NOT NULL DEFAULT ''""",
    "uploads": """ticket_id INTEGER NOT NULL, number INTEGER NOT NULL, began_at REAL NOT NULL,
        ended_at REAL NOT NULL, bytes INTEGER NOT NULL, name TEXT, error TEXT,
        PRIMARY KEY (ticket_id, number)""",
    "downloads": """ticket_id INTEGER PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL NOT NULL,
        bytes INTEGER NOT NULL, tries INTEGER NOT NULL, path TEXT, error TEXT""",
}
#: Such a ledger knows one process, whose times were the run's; it may not have come to its start.
_ONLY_SESSION = """INSERT INTO sessions
    SELECT 1, CAST(started.value AS REAL), CAST(zero.value AS REAL), CAST(ended.value AS REAL),
    by.value, '{}' FROM meta AS started
    LEFT JOIN meta AS zero ON zero.key = 'time_zero'
    LEFT JOIN meta AS ended ON ended.key = 'ended_at'
    LEFT JOIN meta AS by ON by.key = 'ended_by'
    WHERE started.key = 'started_at'"""


def create(db: sqlite3.Connection) -> None:
    """Make the tables of today in an empty file; the caller commits."""
    db.executescript(f"BEGIN; {schema_check.script()}")
    db.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(VERSION),))


def version_of(path: Path, db: sqlite3.Connection, of: str = "main") -> int:
    """The version of a ledger that can be used here; ``of`` is its name in the connection.

    Raises LedgerError for what is no ledger, for one that a newer kiosk_locust made, and for one
    with anything in its schema that no ledger has: until then, only ``meta`` is read.
    """
    rows = schema_check.schema_of(db, of)
    if not {"meta", "tickets"} <= {name for kind, name, _ in rows if kind == "table"}:
        raise LedgerError(f"{path} is no ledger: it lacks the tables that every ledger has")
    if not schema_check.has_facts(rows):
        raise _strange(path, "its table meta is not that of a ledger")
    facts = dict(db.execute("SELECT key, value FROM meta WHERE key = 'schema_version'").fetchall())
    text = str(facts.get("schema_version", ""))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise LedgerError(f"{path} is no ledger: it does not say its schema_version")
    if int(text) > VERSION:
        raise NewerLedgerError(
            f"the ledger {path} has schema version {text}{_made_by(db)}, and this kiosk_locust"
            f" ({kiosk_locust.__version__}) knows versions 1 to {VERSION}: use a newer one, at"
            " least the one that made it"
        )
    if odd := schema_check.oddity(rows, frozenset(_LACKED_BY_1)):
        raise _strange(path, odd)
    return int(text)


def _strange(path: Path, odd: str) -> LedgerError:
    return LedgerError(
        f"{path} is no ledger as kiosk_locust writes it: {odd}. Something else made or changed it,"
        " and it is not read; what a tool of yours added can be dropped (in a copy, by sqlite3)"
    )


def present(db: sqlite3.Connection, version: int, of: str = "main") -> None:
    """Let this connection, which may be unable to write, see an older ledger as one of today.

    Once it did, it does so again for that ledger.
    """
    if version == VERSION:
        return
    columns = _columns(db, of)
    known = _columns(db, "temp")
    for name, described in _LACKED_BY_1.items():
        if name not in columns and name not in known:
            db.execute(f"CREATE TEMP TABLE {name} ({described})")
            if name == "sessions":
                db.execute(_ONLY_SESSION)
    if "array" not in columns.get("inputs", {"array"}):
        db.execute(
            f"""CREATE TEMP VIEW IF NOT EXISTS inputs AS
            SELECT *, '' AS array FROM {of}.inputs"""  # noqa: S608  a name of ours
        )
    if "phase" not in columns.get("changes", {"phase"}):
        db.execute(
            f"""CREATE TEMP VIEW IF NOT EXISTS changes AS
            SELECT *, NULL AS phase FROM {of}.changes"""  # noqa: S608  a name of ours
        )
    if "uploaded_name" not in columns["tickets"]:
        db.execute(
            f"""CREATE TEMP VIEW IF NOT EXISTS tickets AS
            SELECT *, NULL AS uploaded_name FROM {of}.tickets"""  # noqa: S608  a name of ours
        )


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Make an older ledger one of today; the caller sees to a transaction, and commits."""
    if version == VERSION:
        return
    columns = _columns(db)
    for name, described in _LACKED_BY_1.items():
        if name not in columns:
            rowid = " WITHOUT ROWID" if "PRIMARY KEY (" in described else ""
            db.execute(f"CREATE TABLE {name} ({described}){rowid}")
            if name == "sessions":
                db.execute(_ONLY_SESSION)
    if "array" not in columns.get("inputs", {"array"}):
        db.execute("ALTER TABLE inputs ADD COLUMN array TEXT NOT NULL DEFAULT ''")
    if "phase" not in columns.get("changes", {"phase"}):
        db.execute("ALTER TABLE changes ADD COLUMN phase TEXT")
    if "uploaded_name" not in columns["tickets"]:
        db.execute("ALTER TABLE tickets ADD COLUMN uploaded_name TEXT")
    for index in re.findall("^CREATE INDEX ([^;]*)", schema_check.script(), re.MULTILINE):
        db.execute(f"CREATE INDEX IF NOT EXISTS {index}")
    db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(VERSION),))


def _columns(db: sqlite3.Connection, of: str = "main") -> dict[str, set[str]]:
    """The file's tables with their columns."""
    rows = db.execute(
        f"""SELECT m.name, c.name FROM {of}.sqlite_master AS m, pragma_table_info(m.name, ?) AS c
        WHERE m.type = 'table'""",  # noqa: S608  a name of ours
        (of,),
    )
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found


def _made_by(db: sqlite3.Connection) -> str:
    """Which kiosk_locust made a ledger, where it says so."""
    sql = """SELECT json_extract(value, '$.kiosk_locust') FROM meta
        WHERE key = 'versions' AND length(value) < 10000 AND json_valid(value)"""
    found = db.execute(sql).fetchone()
    return f" (made by kiosk_locust {str(found[0])[:30]!r})" if found and found[0] else ""
