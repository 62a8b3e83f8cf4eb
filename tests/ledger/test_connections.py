"""Ledgers with anything in their schema that kiosk_locust does not write are not read.

What is added here is harmless: a view of one row, an index, a trigger that does nothing.
"""

from __future__ import annotations

import ast
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import kiosk_locust
from kiosk_locust.assembly import resume
from kiosk_locust.cli import expire, upload_results
from kiosk_locust.cli import rescue as cli_rescue
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import connections, rescue, schema_check
from kiosk_locust.ledger import file as opening
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import facts, opened, scratch
from kiosk_locust.ledger.validate import check_pages, look_over
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.reporting.web import from_ledger, imported, jobs_csv, run_index
from kiosk_locust.verdict import stored_facts
from tests.helpers.layered import make_layers
from tests.helpers.ledgers import Row, make
from tests.ledger.test_schema import KINDS, old_ledger

REFUSED = "is no ledger as kiosk_locust writes it"
#: A statement that takes some hundred milliseconds, and holds no more than a number.
COUNT = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000)
    SELECT max(i) FROM n"""
#: The columns of the table that is changed here.
NOTE = "SELECT 1.0 AS at, 1 AS ticket_id, 'a' AS text"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return make(tmp_path / "run.db", [Row()], finished="false")


def run_sql(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)


def with_table(path: Path, name: str, change: Callable[[str], str]) -> None:
    """Make one of the tables anew, empty, by another statement."""
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT sql FROM sqlite_master WHERE name = ?"
        (before,) = db.execute(query, (name,)).fetchone()
        db.executescript(f"DROP TABLE {name}; {change(before)}")


ADDED = {
    "a view": "CREATE VIEW more AS SELECT 1 AS one",
    "a view in a table's place": f"DROP TABLE notes; CREATE VIEW notes AS {NOTE}",
    "a trigger": "CREATE TRIGGER more AFTER INSERT ON notes BEGIN SELECT 1; END",
    "a table": "CREATE TABLE more (a)",
    "a table by a query": f"DROP TABLE notes; CREATE TABLE notes AS {NOTE}",
    "an index": "CREATE INDEX more ON notes (at)",
    "an index of an expression": "CREATE INDEX more ON notes (length(text))",
    "an index in another's place": "DROP INDEX uploads_by_name;"
    " CREATE INDEX uploads_by_name ON uploads (error)",
    "a virtual table": "CREATE VIRTUAL TABLE more USING fts5(text)",
    "statistics": "ANALYZE",
}


@pytest.mark.parametrize("sql", ADDED.values(), ids=ADDED.keys())
def test_what_no_ledger_has_is_not_read(ledger: Path, sql: str) -> None:
    run_sql(ledger, sql)
    with pytest.raises(LedgerError, match=REFUSED), opened(ledger):
        pass


CHANGED = {
    "a generated column": ("TEXT NOT NULL", "TEXT AS ('a') STORED NOT NULL"),
    "a column more": ("ticket_id INTEGER", "ticket_id INTEGER, more TEXT"),
    "a column less": ("ticket_id INTEGER,", ""),
    "another type": ("ticket_id INTEGER", "ticket_id TEXT"),
    "a check": ("ticket_id INTEGER", "ticket_id INTEGER CHECK (ticket_id > 0)"),
    "a default": ("ticket_id INTEGER", "ticket_id INTEGER DEFAULT 5"),
    "a check with a comment's sign": ("ticket_id INTEGER", "ticket_id INTEGER CHECK ('--' <> '')"),
    "a collation": ("TEXT NOT NULL", "TEXT COLLATE nocase NOT NULL"),
    "other quotes": ("ticket_id", '"ticket_id"'),
    "another comment": ("ticket_id INTEGER", "ticket_id /* a */ INTEGER"),
}  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), CHANGED.values(), ids=CHANGED.keys())
def test_a_table_that_was_made_otherwise_is_not_read(ledger: Path, ours: str, theirs: str) -> None:
    with_table(ledger, "notes", lambda sql: sql.replace(ours, theirs))
    with pytest.raises(LedgerError, match=f"{REFUSED}: its table notes "), opened(ledger):
        pass


def test_another_comment_and_another_layout_are_the_same_table(ledger: Path) -> None:
    with_table(ledger, "notes", lambda sql: sql.replace("\n", "  \n\n-- what's more\n"))
    with opened(ledger) as db:
        assert facts(db).run_name == "a-run"


def test_of_meta_nothing_is_read_either_where_it_is_a_view(ledger: Path) -> None:
    run_sql(
        ledger,
        "DROP TABLE meta; CREATE VIEW meta AS SELECT 'schema_version' AS key, '99' AS value;",
    )
    with pytest.raises(LedgerError, match="lacks the tables that every ledger has"), opened(ledger):
        pass


def in_a_list(path: Path) -> None:
    if not run_index.listed(path.parent):
        raise LedgerError(REFUSED)


def in_scratch_tables(path: Path) -> None:
    with Reckoning(path):
        pass


def shown(path: Path) -> None:
    with imported.as_ledger(path):
        pass


def uploaded(path: Path) -> None:
    upload_results.local_files_at(path)


def rescued(path: Path) -> None:
    statements = path.with_suffix(".rescue.jsonl")
    statements.write_text(json.dumps(["DELETE FROM notes", []]) + "\n")
    rescue.restore(statements, path)


def resumed(path: Path) -> None:
    resume.find(make_layers(cli={"--resume": str(path)}))


def looked_over(path: Path) -> None:
    look_over(path, stored_facts.check)


OPENERS = (
    *(in_a_list, in_scratch_tables, shown, uploaded, rescued, resumed, looked_over, check_pages),
    *(from_ledger.read, opening.reopen, Ledger.open, expire.expire),
)


@pytest.mark.parametrize("opener", OPENERS)
def test_whoever_opens_a_ledger_looks_at_its_schema_first(
    ledger: Path, opener: Callable[[Path], object]
) -> None:
    run_sql(ledger, ADDED["a view"])
    with pytest.raises(LedgerError, match=REFUSED):
        opener(ledger)


@pytest.mark.parametrize("program", [from_ledger.main, jobs_csv.main])
def test_the_programs_that_read_ledgers_say_so(
    ledger: Path, program: Callable[[list[str]], int], capfd: pytest.CaptureFixture[str]
) -> None:
    run_sql(ledger, ADDED["a trigger"])
    assert program([str(ledger)]) == 2
    assert "its trigger more is none of a ledger's" in capfd.readouterr().err


def test_no_module_opens_a_file_of_sqlite_by_itself() -> None:
    root = Path(kiosk_locust.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        text = path.read_text("utf-8")
        if "connect" not in text or "sqlite3" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func) == "sqlite3.connect":
                found.add((path.name, ast.unparse(node.args[0])))
    assert found == {("connections.py", "uri(path, mode)"), ("validate.py", "':memory:'"),
                     ("reader.py", "''")}  # fmt: skip


# -- what kiosk_locust writes is read


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_ledger_is_read_before_and_after_a_run_went_on_with_it(
    kind: str, tmp_path: Path
) -> None:
    path = old_ledger(kind, tmp_path / "old.db")
    with opened(path) as db:
        before = facts(db).run_id
    Ledger.open(path).close()
    with opened(path) as db:
        assert facts(db).run_id == before


def test_a_ledger_that_a_run_makes_is_read(tmp_path: Path) -> None:
    Ledger.create(tmp_path / "new.db", {"run_id": "mine"}).close()
    with opened(tmp_path / "new.db") as db:
        assert facts(db).run_id == "mine"


def test_a_ledger_that_was_dumped_and_made_again_is_read(ledger: Path) -> None:
    again = ledger.with_name("again.db")
    with closing(sqlite3.connect(ledger)) as db:
        run_sql(again, "\n".join(db.iterdump()))
    look_over(again, stored_facts.check)


def test_each_statement_of_the_schema_is_known_by_its_words() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema_check.script())
        assert schema_check.oddity(schema_check.schema_of(db), frozenset()) == ""


# -- bounds of a connection


def bounds(db: sqlite3.Connection) -> tuple[int, int, int]:
    (trusted,) = db.execute("PRAGMA trusted_schema").fetchone()
    return (
        trusted,
        db.getlimit(sqlite3.SQLITE_LIMIT_LENGTH),
        db.getlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH),
    )


BOUNDS = (0, connections.LONGEST_BYTES, 100_000)


def test_readers_trust_no_schema_and_hold_no_value_without_end(ledger: Path) -> None:
    with opened(ledger) as db:
        assert bounds(db) == BOUNDS


def test_writers_and_scratch_tables_do_not_either(ledger: Path) -> None:
    lock, writer = opening.reopen(ledger)
    with closing(writer), closing(scratch()) as attached:
        assert bounds(writer) == bounds(attached) == BOUNDS
    lock.release()


def test_a_statement_that_takes_too_long_is_ended_with_words(ledger: Path) -> None:
    with (
        pytest.raises(LedgerError, match="longer to read than any ledger of its size"),
        opened(ledger, 0.01) as db,
    ):
        db.execute(COUNT).fetchone()


def test_scratch_tables_are_bound_by_the_time_for_the_ledger_that_is_attached(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BASE_S", 0.01)
    monkeypatch.setattr(connections, "S_PER_BYTE", 0.0)
    with (
        pytest.raises(LedgerError, match="longer to read than any ledger of its size"),
        Reckoning(ledger) as reckoning,
    ):
        reckoning.db.execute(COUNT).fetchone()


def test_who_writes_a_run_is_bound_by_no_time(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_allowed_s", lambda _path: 0.01)
    lock, writer = opening.reopen(ledger)
    with closing(writer):
        assert writer.execute(COUNT).fetchone() == (300_000,)
    lock.release()


def test_the_time_for_which_rows_wait_for_their_reader_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = iter([0.0, 1000.0, 2000.0, 3000.0])
    monkeypatch.setattr("kiosk_locust.ledger.connections.time.monotonic", lambda: next(now))
    budget = connections._Budget(2.5 * connections.STRIDE_S)
    assert [budget.spend() for _ in range(3)] == [0, 0, 1]


def test_a_large_ledger_has_more_time_than_a_small_one(tmp_path: Path) -> None:
    small, large, hole = (tmp_path / name for name in ("small", "large", "hole"))
    small.write_bytes(b"x")
    large.write_bytes(b"x" * 10_000_000)
    with hole.open("wb") as file:
        file.truncate(10_000_000)
    allowed = [connections._allowed_s(path) for path in (small, large, hole)]
    assert allowed == pytest.approx([60.0, 160.0, 60.0], abs=1.0)


def test_facts_that_have_no_end_are_refused(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LONGEST_BYTES", 10_000)
    run_sql(ledger, "INSERT INTO meta VALUES ('more', hex(zeroblob(6000)))")
    with (
        pytest.raises(LedgerError, match="longer than those of any run"),
        opened(ledger) as db,
    ):
        facts(db)


# -- what a rescue file may do


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'other.db' AS other",
        "PRAGMA user_version = 5",
        "CREATE TABLE more (a)",
        "DROP TABLE notes",
        "VACUUM INTO 'other.db'",
        "COMMIT",
        "DELETE FROM sqlite_master",
        f"INSERT INTO notes SELECT 1.0, 1, * FROM ({COUNT})",
    ],
)
def test_a_rescue_file_writes_rows_of_the_ledger_and_nothing_else(
    ledger: Path, sql: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ledger.parent)
    statements = Path("a.rescue.jsonl")
    lines = [["DELETE FROM tickets", []], [sql, []]]
    statements.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cli_rescue.main([str(statements), str(ledger)]) == 2
    assert "was not written into" in capsys.readouterr().err
    assert not Path("other.db").exists()
    with closing(sqlite3.connect(ledger)) as db:
        (left,) = db.execute("SELECT count(*) FROM tickets").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
    assert (left, version) == (1, 0)


def test_a_ledger_in_use_is_not_rescued_into(ledger: Path) -> None:
    statements = ledger.with_suffix(".rescue.jsonl")
    statements.write_text(json.dumps(["DELETE FROM notes", []]) + "\n")
    lock, writer = opening.reopen(ledger)
    with closing(writer), pytest.raises(LedgerError, match="is in use"):
        rescue.restore(statements, ledger)
    lock.release()
