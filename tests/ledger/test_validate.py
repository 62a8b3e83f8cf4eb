"""Ledgers with cells that no ledger has: refused in words that say which."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.assembly.resume import Resumption
from kiosk_locust.cli import view
from kiosk_locust.errors import LedgerError, OptionsError
from kiosk_locust.ledger.file import reopen
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.ledger.rescue import load
from kiosk_locust.ledger.validate import foreign, look_over
from kiosk_locust.storage.inputs.recheck import PlannedFiles
from kiosk_locust.verdict import stored_facts
from tests.helpers.layered import make_layers, mistakes, resolve_layers
from tests.helpers.ledgers import T0, Row, make, never_leased
from tests.helpers.real import CLEAN, PYTHONPATH

CHANGE = (T0 + 1, T0, "started", T0 + 0.5, "pod-1")
ATTEMPT = (1, T0 - 0.5, T0, T0 + 0.1, "accepted", 200, None, "segmentation:a.png:1")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    rows = [Row(attempts=(ATTEMPT,), changes=(CHANGE,)), never_leased(1)]
    return make(tmp_path / "run.db", rows)


def change(ledger: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA ignore_check_constraints = 1")
        db.execute(sql, values)
        db.commit()


def test_a_sound_ledger_passes(ledger: Path) -> None:
    look_over(ledger, stored_facts.check)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("fields", "0"),
        ("fields", b"\x80"),
        ("fields", "{"),
        ("fields", '["done"]'),
        ("due_at", "soon"),
        ("due_at", float("inf")),
        ("due_at", 1e300),
        ("duration_s", b""),
        ("queue_wait_s", b"1"),
        ("polls", "many"),
        ("polls", 2**62),
        ("number", 1.5),
        ("outcome", "excellent"),
        ("duration_from", "hearsay"),
        ("file", 7.5),
        ("job_id", b"x"),
    ],
)
def test_a_cell_that_no_ledger_has_is_told_by_its_column(
    ledger: Path, column: str, value: object
) -> None:
    if column == "file":
        value = b"7.5"  # a number would become text there
    change(ledger, f"UPDATE tickets SET {column} = ? WHERE id = 1", value)
    with pytest.raises(LedgerError, match=f"1 row of tickets cannot have such a {column}"):
        look_over(ledger, stored_facts.check)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("options", "[]"),
        ("options", "{"),
        ("options", "[" * 100_000),
        ("versions", "1"),
        ("started_at", "yesterday"),
        ("time_zero", "nan"),
        ("cost", "{}"),
        ("judgement", '{"reasons": 1}'),
        ("generator", "null"),
        ("worker:a", "1"),
        ("run_name", "../../home/somebody/private"),
        ("run_name", "/etc/private"),
        ("run_name", ".."),
        ("run_id", "x/../../../private"),
        ("run_id", "x\0"),
    ],
)
def test_a_fact_that_no_ledger_has_is_told(ledger: Path, key: str, value: str) -> None:
    change(ledger, "INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)
    with pytest.raises(LedgerError, match="the facts of the run cannot be read"):
        look_over(ledger, stored_facts.check)


def test_a_table_whose_name_is_no_text_is_refused(ledger: Path) -> None:
    data = ledger.read_bytes().replace(b"CREATE TABLE uploads", b"CREATE TABLE uplo\xcends")
    ledger.write_bytes(data.replace(b"tableuploadsuploads", b"tableuplo\xcedsuplo\xceds"))
    with pytest.raises(LedgerError):
        look_over(ledger, stored_facts.check)
    with pytest.raises(LedgerError, match="is damaged"):
        reopen(ledger)
    reopened_by_another = Lock(ledger)  # nothing was left locked
    reopened_by_another.release()


def test_an_option_of_another_type_is_a_mistake_of_the_ledger(tmp_path: Path) -> None:
    path = make(tmp_path / "run.db", [], finished="false", options={"grafana": {"host": 1}})
    with opened(path) as db:
        run = facts(db)
    given = make_layers(cli={"--resume": str(path)})
    with pytest.raises((LedgerError, OptionsError)):
        resolve_layers(Resumption(path, run, PlannedFiles("it", (), ())).under(given))


def test_a_strangers_ledger_gives_no_files_of_other_folders(ledger: Path) -> None:
    (ledger.parent / "private.json").write_text("{}")
    (folder := ledger.parent / "results").mkdir()
    moved = ledger.rename(folder / "run.db")
    change(moved, "UPDATE meta SET value = '../private' WHERE key = 'run_name'")
    server, url = view.make(moved, 0)
    try:
        client = server.app.test_client()  # type: ignore[attr-defined]  # flask's
        at = {"base_url": url.split("/kiosk")[0]}
        answer = client.get("/kiosk/runs/run/files/private.json", **at)
    finally:
        server.server_close()
    assert (answer.status_code, b"{}" in answer.data) == (422, False)
    assert b"the facts of the run cannot be read" in answer.data


def test_what_trips_over_a_strangers_file_is_told_without_a_traceback() -> None:
    with pytest.raises(LedgerError, match=r"a\.db holds what no ledger"), foreign(Path("a.db")):
        raise KeyError("count")
    with pytest.raises(OSError, match="disk"), foreign(Path("a.db")):  # not the file's fault
        raise OSError("disk")


@pytest.mark.parametrize("module", ["from_ledger", "jobs_csv"])
def test_the_programs_of_the_web_ui_end_with_words_as_well(ledger: Path, module: str) -> None:
    change(ledger, "UPDATE tickets SET fields = '0' WHERE id = 1")
    done = subprocess.run(
        [sys.executable, "-m", f"kiosk_locust.reporting.web.{module}", str(ledger)],
        env=CLEAN | {"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "run.db holds what no ledger" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["1\n", "[1, 2, 3]\n", "null\n", '["x", 3]\n', "[" * 100_000])
def test_a_rescue_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.rescue.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"\w"):
        load(path)


@pytest.mark.parametrize("port", ["65536", "-1", "x"])
def test_a_port_that_is_none_is_refused(
    port: str, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        view.main([str(ledger), "--no-browser", f"--port={port}"])
    assert "--port" in capsys.readouterr().err


def test_a_configuration_file_in_nobodys_home_is_a_mistake() -> None:
    from kiosk_locust.plugin.arguments import read

    layers = read(["--config", "~nobody-has-this-name/x.conf"], {}, {})
    (mistake,) = layers.mistakes
    assert mistake.source == "~nobody-has-this-name/x.conf"
    assert mistake.advice.startswith("cannot be read: ")


def test_a_password_typed_into_any_setting_is_not_repeated() -> None:
    told = mistakes(env={"STORAGE_BUCKET": "gs://me:s3cret@bucket", "COUNT": "u:s3cret@9"})
    assert len(told) >= 2
    assert "s3cret" not in "".join(told)
    assert "***@bucket" in "".join(told)
