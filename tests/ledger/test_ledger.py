"""The ledger, read back with SQLite itself."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import gevent.monkey
import pytest

from kiosk_locust.cli import rescue as cli_rescue
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import rescue, writer
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record, StatusChange, Ticket
from tests.helpers.records import close_in
from tests.helpers.scenarios import make_record

META = {"run_id": "0" * 32, "run_name": "r"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.create(tmp_path / "run.db", META)
    yield opened
    opened.close()


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def submitted(ledger: Ledger, number: int = 0) -> Record:
    record = make_record(number)
    ledger.lease(record)
    attempt = Attempt(1, 100.0, 100.1, 100.2, AttemptResult.ACCEPTED, 200, job_id=f"s:a:{number}")
    record.job_id, record.submitted_at = attempt.job_id, attempt.sent_at
    record.attempts.append(attempt)
    ledger.attempt(record, attempt)
    ledger.submit(record)
    return record


def done(record: Record) -> Record:
    record.snapshot = Snapshot(
        {
            "status": "done",
            "created_at": "2026-01-01T00:00:00Z",
            "finished_at": "2026-01-01T00:00:05Z",
            "total_time": "2.0",
        }
    )
    record.outcome, record.closed_at = Outcome.DONE, 107.0
    return record


def test_a_ticket_goes_from_leased_to_submitted_to_closed(ledger: Ledger) -> None:
    states = []
    record = submitted(ledger)
    for closed in (False, True):
        if closed:
            close_in(ledger, done(record))
        ledger.settle()
        states += rows(ledger.path, "SELECT state, job_id, outcome, duration_s FROM tickets")
    assert states == [("submitted", "s:a:0", None, None), ("closed", "s:a:0", "done", 5.0)]


def test_a_lease_is_on_the_disk_when_settle_returns(ledger: Ledger) -> None:
    ledger.lease(make_record())
    ledger.settle()
    assert rows(ledger.path, "SELECT id, state, due_at FROM tickets") == [(0, "leased", 100.0)]


def test_who_waits_for_a_lease_does_not_wait_for_what_was_said_after_it(ledger: Ledger) -> None:
    leased = ledger.lease(make_record(0))
    ledger.settle()
    ledger.lease(make_record(1))
    with gevent.Timeout(0.5):
        leased.wait()
    assert rows(ledger.path, "SELECT id FROM tickets") == [(0,)]


def test_what_is_said_is_on_the_disk_within_50_ms_unasked(ledger: Ledger) -> None:
    ledger.lease(make_record())
    gevent.sleep(0.05)
    assert rows(ledger.path, "SELECT count(*) FROM tickets") == [(1,)]


def test_a_closed_ticket_stays_as_it_was_closed(ledger: Ledger) -> None:
    record = done(submitted(ledger))
    close_in(ledger, record)
    record.outcome = Outcome.UNFINISHED
    close_in(ledger, record)
    ledger.close_never_leased([record.ticket], Outcome.UNFINISHED, "late", 200.0)
    ledger.settle()
    assert rows(ledger.path, "SELECT outcome FROM tickets") == [("done",)]


def test_a_submitted_ticket_is_never_opened_again(ledger: Ledger) -> None:
    record = submitted(ledger)
    ledger.reopen(record.ticket)
    ledger.settle()
    assert rows(ledger.path, "SELECT state FROM tickets") == [("submitted",)]


def test_tickets_that_were_never_leased_are_closed_with_the_rest(ledger: Ledger) -> None:
    given_back = make_record(0)
    ledger.lease(given_back)
    ledger.reopen(given_back.ticket)
    rest = [given_back.ticket, Ticket(1, 1, 1, 101.0, "image.png")]
    ledger.close_never_leased(rest, Outcome.UNFINISHED, "ended", 200.0)
    ledger.settle()
    found = rows(ledger.path, "SELECT id, state, outcome, reason FROM tickets ORDER BY id")
    assert found == [(n, "closed", "unfinished", "ended") for n in (0, 1)]


def test_attempts_and_changes_are_kept_in_their_order(ledger: Ledger) -> None:
    record = make_record()
    ledger.lease(record)
    record.ambiguous = True
    maybe = Attempt(1, 100.0, 100.1, None, AttemptResult.MAYBE, None, "reset")
    ledger.attempt(record, maybe)
    ledger.attempt(record, Attempt(2, 101.0, 101.1, 101.2, AttemptResult.ACCEPTED, 200, "", "k"))
    for at, status in ((102.0, "new"), (103.0, "started")):
        ledger.change(record, StatusChange(status, at, at - 1, at - 0.5, "c-0"))
    ledger.settle()
    assert rows(ledger.path, "SELECT number, result, error FROM attempts") == [
        (1, "maybe", "reset"),
        (2, "accepted", None),
    ]
    assert rows(ledger.path, "SELECT status, updated_by FROM changes") == [
        ("new", "c-0"),
        ("started", "c-0"),
    ]
    assert rows(ledger.path, "SELECT ambiguous, status FROM tickets") == [(1, "started")]


def test_jobs_that_ask_for_the_same_share_one_request(ledger: Ledger) -> None:
    for number in range(3):
        ledger.lease(make_record(number))
    ledger.settle()
    ((body,),) = rows(ledger.path, "SELECT body FROM requests")
    assert json.loads(body)["uploaded_name"] == "uploads/image.png"
    assert rows(ledger.path, "SELECT DISTINCT request_id FROM tickets") == [(1,)]


def test_a_ledger_is_never_written_over(tmp_path: Path) -> None:
    Ledger.create(tmp_path / "run.db", META).close()
    with pytest.raises(LedgerError, match="--run-name"):
        Ledger.create(tmp_path / "run.db", META)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot make the ledger"):
        Ledger.create(tmp_path / "file" / "run.db", META)


def fill_disk(ledger: Ledger) -> None:
    """Let SQLite find the file full, as it does on a full disk."""
    (pages,) = ledger._writer._connection.execute("PRAGMA page_count").fetchone()
    ledger._writer._connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_ends_the_run_and_its_news_can_be_written_later(tmp_path: Path) -> None:
    failures: list[LedgerError] = []
    path = tmp_path / "run.db"
    ledger = Ledger.create(path, META, failures.append)
    early = done(submitted(ledger, 0))
    close_in(ledger, early)
    ledger.settle()
    fill_disk(ledger)
    late = [done(submitted(ledger, number)) for number in range(1, 200)]
    for record in late:
        record.reason = "x" * 500
        close_in(ledger, record)
    with pytest.raises(LedgerError, match="full"):
        ledger.settle()
    gevent.idle()
    assert len(failures) == 1
    with pytest.raises(LedgerError, match=r"python -m kiosk_locust rescue") as refused:
        ledger.close()
    assert rows(path, "SELECT id, outcome FROM tickets") == [(0, "done")]

    saved = next(w for w in str(refused.value).split() if w.endswith(".rescue.jsonl:"))[:-1]
    command = [sys.executable, "-m", "kiosk_locust", "rescue", saved, str(path)]
    subprocess.run(command, check=True, timeout=30)
    Path(saved).unlink()
    assert rows(path, "SELECT count(*) FROM tickets WHERE outcome = 'done'") == [(200,)]


def test_a_disk_that_has_room_again_gets_everything_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ledger = Ledger.create(path, META)
    fill_disk(ledger)
    for number in range(200):
        close_in(ledger, done(submitted(ledger, number)))
    with pytest.raises(LedgerError):
        ledger.settle()
    ledger._writer._connection.execute("PRAGMA max_page_count = 1000000")
    ledger.close()
    assert rows(path, "SELECT count(*) FROM tickets WHERE outcome = 'done'") == [(200,)]


def test_text_that_no_file_can_hold_ends_the_run_and_lets_nobody_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ledger = Ledger.create(tmp_path / "run.db", META)
    ledger.note("half of a character: \udc80", 1.0)
    with gevent.Timeout(5), pytest.raises(LedgerError, match="surrogates not allowed"):
        ledger.settle()
    with pytest.raises(LedgerError, match="what it lacks is in"):
        ledger.close()


def test_where_no_rescue_file_can_be_written_either_the_loss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    folder = tmp_path / "results"
    ledger = Ledger.create(folder / "run.db", META)
    folder.rename(tmp_path / "elsewhere")
    ledger.note("\udc80", 1.0)
    with pytest.raises(LedgerError, match="1 statements are lost; make room where OUTPUT_DIR is"):
        ledger.close()


def test_a_rescue_file_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("not json\n")
    assert cli_rescue.main([str(tmp_path / "x.jsonl"), str(tmp_path / "none.db")]) == 2


def test_other_greenlets_run_on_while_the_disk_is_slow(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_sleep = gevent.monkey.get_original("time", "sleep")
    written = rescue.write

    def slow(connection: sqlite3.Connection, group: Any) -> None:
        real_sleep(0.3)  # blocks its thread, as an fsync does
        written(connection, group)

    monkeypatch.setattr(writer, "write", slow)
    ledger.lease(make_record())
    ticks = 0
    settled = gevent.spawn(ledger.settle)
    while not settled.ready():
        gevent.sleep(0.01)
        ticks += 1
    assert ticks >= 10
