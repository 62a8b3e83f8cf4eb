"""Whether a ledger that came from somewhere holds what ledgers hold, cell by cell.

SQLite's own check finds pages that are broken; a text where a number belongs it does not mind.
"""

# ruff: noqa: S608  names of tables and columns here are those of our own ledger.sql

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import schema
from kiosk_locust.ledger.file import FAULTS_SHOWN
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.model.input_file import Kind
from kiosk_locust.model.record import AttemptResult, Outcome
from kiosk_locust.model.zip_children import PHASES

#: No time or duration (s) of ours, and no count, is larger: 30,000 years, and 2^53.
MOST_S, MOST_COUNT = 1e12, 1 << 53
#: Nor is a text longer (in characters), but for facts of the whole run.
LONGEST_TEXT = 16 << 20
_LENGTH = f" AND length({{}}) <= {LONGEST_TEXT}"
_WORDS = {
    ("tickets", "outcome"): tuple(outcome.value for outcome in Outcome),
    ("tickets", "duration_from"): ("finished_at", "updated_at", "observed"),
    ("attempts", "result"): tuple(result.value for result in AttemptResult),
    ("changes", "phase"): PHASES,
    ("inputs", "kind"): tuple(kind.value for kind in Kind),
}
#: Columns with JSON objects; what is in them trips whoever reads them, see `foreign`.
_OBJECTS = (("tickets", "fields"), ("requests", "body"), ("sessions", "changed"))
#: What reading raises where facts are of other types than ours.
ODD = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    ArithmeticError,
    RecursionError,
)


@contextlib.contextmanager
def foreign(path: Path) -> Iterator[None]:
    """LedgerError for all that trips over the contents of ``path``, whoever wrote it."""
    try:
        yield
    except ODD as error:
        what = repr(error) if len(repr(error)) <= 200 else type(error).__name__
        raise LedgerError(
            f"{path} holds what no ledger and no results file of kiosk_locust has ({what}): it is"
            " damaged, or something else wrote it"
        ) from error


def look_over(path: Path, check: Callable[[RunFacts], object]) -> None:
    """Raise LedgerError for a ledger that is damaged, or holds what no ledger holds.

    ``check`` raises it for texts of the run's facts that it cannot decode.
    """
    with foreign(path), opened(path) as db:
        _refuse(path, list(_broken_pages(db)) or list(_faults(db)))
        check(facts(db))


def check_pages(path: Path) -> None:
    """Raise LedgerError for a file whose pages are damaged, so that its tables have no end.

    A sixth of what `look_over` takes: 0.2 s for 100,000 tickets.
    """
    with foreign(path), opened(path) as db:
        _refuse(path, list(_broken_pages(db)))


def _broken_pages(db: sqlite3.Connection) -> Iterator[str]:
    for (line,) in db.execute(f"PRAGMA quick_check({FAULTS_SHOWN})"):
        if line != "ok":
            yield line


def _refuse(path: Path, faults: list[str]) -> None:
    if faults:
        shown = "; ".join(" ".join(fault.split()) for fault in faults[:FAULTS_SHOWN])
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise LedgerError(f"{path} is damaged, or no ledger: {shown}{more}")


def _faults(db: sqlite3.Connection) -> Iterator[str]:
    """A line for each column that holds what it never does."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        schema.create(model)
        tables = model.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            columns = model.execute("SELECT * FROM pragma_table_info(?)", (table,)).fetchall()
            wrong = {name: _wrong(table, name, kind, must or key)
                     for _, name, kind, must, _, key in columns}  # fmt: skip
            counted = ", ".join(f"count(CASE WHEN {sql} THEN 1 END)" for sql in wrong.values())
            counts = db.execute(f"SELECT {counted} FROM {table}").fetchone()
            for (name, _), count in zip(wrong.items(), counts, strict=True):
                if count:
                    rows = "1 row" if count == 1 else f"{count:,} rows"
                    yield f"{rows} of {table} cannot have such a {name}"
    (twice,) = db.execute("SELECT count(*) - count(DISTINCT path) FROM inputs").fetchone()
    if twice:
        rows = "1 row" if twice == 1 else f"{twice:,} rows"
        yield f"{rows} of inputs cannot have the path of another one"


def _wrong(table: str, name: str, kind: str, must: int) -> str:
    """SQL that is true of a cell with something else than its column holds."""
    fits = {
        "INTEGER": f"typeof({name}) = 'integer' AND abs({name} / 2) < {MOST_COUNT // 2}",
        "REAL": f"typeof({name}) = 'real' AND abs({name}) < {MOST_S}",
        "TEXT": f"typeof({name}) = 'text'" + ("" if table == "meta" else _LENGTH.format(name)),
    }[kind]
    if words := _WORDS.get((table, name)):
        fits += f" AND {name} IN ({', '.join(map(repr, words))})"
    if (table, name) in _OBJECTS:
        fits += f" AND substr({name}, 1, 1) = '{{' AND json_valid({name})"  # as json.dumps writes
    return f"NOT ({fits})" if must else f"{name} IS NOT NULL AND NOT ({fits})"
