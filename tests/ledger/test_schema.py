"""Ledgers of other versions: older ones are read as they are and resumed, newer ones refused.

The two in tests/old_ledgers were made by the code of their time: a run of six jobs whose process
was killed, as `sqlite3 .dump` writes it. Both say version 1.
"""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import file, schema
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import facts, inputs, opened
from tests.helpers.ledgers import Row, make
from tests.helpers.real import CLEAN, PYTHONPATH, ROOT, run_locust, simulator

OLD = sorted((ROOT / "tests" / "old_ledgers").glob("*.sql"))
KINDS = [path.stem for path in OLD]
NEWER = str(schema.VERSION + 1)
TODAYS = [(str(schema.VERSION),)]


def old_ledger(kind: str, path: Path, host: str = "") -> Path:
    """One of them as a file; ``host`` stands in for the Kiosk that it was made with."""
    text = (ROOT / "tests" / "old_ledgers" / f"{kind}.sql").read_text("utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(text)
        if host:
            sql = "SELECT value FROM meta WHERE key = 'host'"
            ((before,),) = db.execute(sql).fetchall()
            db.execute("UPDATE meta SET value = replace(value, ?, ?)", (before, host))
        db.commit()
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def shape(path: Path) -> dict[str, set[tuple[object, ...]]]:
    """Each table's columns: name, type, whether it may be null, default, place in the key."""
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: {row[1:] for row in db.execute("SELECT * FROM pragma_table_info(?)", (name,))}
            for (name,) in tables
        }


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kiosk_locust", *arguments],
        env=CLEAN | {"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_ledger_is_read_without_a_change_to_its_file(kind: str, tmp_path: Path) -> None:
    path = old_ledger(kind, tmp_path / "old.db")
    before = digest(path)
    with opened(path) as db:
        run = facts(db)
        assert inputs(db) == ()
        assert [session.number for session in run.sessions] == [1]
        assert run.sessions[0].started_at == run.started_at
        assert db.execute("SELECT count(*), count(uploaded_name) FROM tickets").fetchone() == (6, 0)
    assert digest(path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_of_an_old_ledger_is_written(kind: str, tmp_path: Path) -> None:
    path = old_ledger(kind, tmp_path / "old.db")
    before = digest(path)
    done = command("report", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "old.html").stat().st_size > 10_000
    assert digest(path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_ledger_that_a_run_goes_on_with_has_the_tables_of_today(
    kind: str, tmp_path: Path
) -> None:
    path = old_ledger(kind, tmp_path / "old.db")
    tickets = rows(path, "SELECT id, state, job_id FROM tickets")
    Ledger.open(path).close()
    assert shape(path) == shape(make(tmp_path / "new.db", []))
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema_version'") == TODAYS
    assert rows(path, "SELECT id, state, job_id FROM tickets") == tickets
    assert rows(path, "SELECT count(*) FROM sessions") == [(1,)]


def test_a_run_of_the_oldest_ledger_is_resumed_and_submits_what_was_left(tmp_path: Path) -> None:
    with simulator() as kiosk:
        path = old_ledger("without_sessions", tmp_path / "results" / "old.db", kiosk.url)
        sent = {job_id for (job_id,) in rows(path, "SELECT job_id FROM tickets") if job_id}
        done = run_locust(tmp_path, "--resume", "old", host=kiosk.url)
        submitted = len(kiosk.submissions)
    assert len(sent) == 3
    assert submitted == 3, done.output
    found = rows(path, "SELECT outcome, count(*) FROM tickets GROUP BY 1 ORDER BY 1")
    assert found == [("done", 4), ("vanished", 2)]  # this Kiosk never knew those two
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema_version'") == TODAYS


def test_to_judge_whether_an_old_run_can_go_on_changes_nothing(tmp_path: Path) -> None:
    path = old_ledger(KINDS[0], tmp_path / "old.db")
    before = shape(path)
    lock, connection = file.reopen(path)
    connection.close()
    lock.release()
    assert shape(path) == before


def test_an_old_ledger_in_use_is_not_changed(tmp_path: Path) -> None:
    path = old_ledger(KINDS[0], tmp_path / "old.db")
    before = digest(path)
    lock = Lock(path)
    try:
        with pytest.raises(LedgerError, match="is in use"):
            Ledger.open(path)
    finally:
        lock.release()
    assert digest(path) == before


def test_a_change_that_fails_half_way_leaves_the_ledger_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = old_ledger(KINDS[0], tmp_path / "old.db")
    before = shape(path)
    monkeypatch.setitem(schema._LACKED_BY_1, "downloads", "no such, , columns")
    with pytest.raises(LedgerError):
        Ledger.open(path)
    assert shape(path) == before
    assert rows(path, "SELECT value FROM meta WHERE key = 'schema_version'") == [("1",)]


def of_version(path: Path, version: str) -> Path:
    made = make(path, [Row()], versions='{"kiosk_locust": "9.8.7"}')
    with closing(sqlite3.connect(made)) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
        db.commit()
    return made


@pytest.mark.parametrize("verb", ["report", "view"])
def test_a_newer_ledger_is_refused_with_the_version_that_made_it(verb: str, tmp_path: Path) -> None:
    path = of_version(tmp_path / "new.db", NEWER)
    done = command(verb, str(path), *(["--no-browser"] if verb == "view" else []))
    assert done.returncode == 2
    assert f"schema version {NEWER} (made by kiosk_locust '9.8.7')" in done.stderr
    assert f"knows versions 1 to {schema.VERSION}: use a newer one" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_newer_ledger_is_not_resumed(tmp_path: Path) -> None:
    path = of_version(tmp_path / "new.db", NEWER)
    before = digest(path)
    with pytest.raises(LedgerError, match="use a newer one, at least the one that made it"):
        Ledger.open(path)
    assert digest(path) == before


@pytest.mark.parametrize("version", ["", "two", "-1", "1.0", "²", "9" * 400])
def test_a_version_that_is_no_number_makes_no_ledger(version: str, tmp_path: Path) -> None:
    path = of_version(tmp_path / "new.db", version)
    with pytest.raises(LedgerError, match="does not say its schema_version"), opened(path):
        pass


def test_another_programs_database_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        db.execute("INSERT INTO meta VALUES ('schema_version', '1')")
        db.commit()
    with pytest.raises(LedgerError, match="is no ledger"), opened(path):
        pass
