"""The ledger: the durable table of tickets and records of one run, in SQLite.

Greenlets say what happened and go on; one real thread writes it in groups, each a transaction
that is synced to the disk, so an fsync never stalls them. Whoever needs to know that what was
said so far is durable calls :meth:`Ledger.settle`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from kiosk_locust.errors import LedgerError, LedgerExistsError
from kiosk_locust.measures import measure
from kiosk_locust.record import Attempt, JobRequest, Outcome, Record, StatusChange, Ticket
from kiosk_locust.rescue import Value, Write, save, write

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
#: How long news wait for company before they are written; a commit takes some ms more.
LINGER_S = 0.01

#: So many different requests are known again; memory must not grow with the jobs.
MOST_REQUESTS = 10_000
#: Fields of a hash that grow with a ZIP's children; their counts have columns of their own.
LISTS_OF_KEYS = frozenset({"children", "children:done", "children:failed"})

LEASE = """INSERT OR REPLACE INTO tickets
    (id, cycle, number, state, due_at, file, user_class, request_id, taken_at)
    VALUES (?, ?, ?, 'leased', ?, ?, ?, ?, ?)"""
REOPEN = "UPDATE tickets SET state = 'open', taken_at = NULL WHERE id = ? AND state = 'leased'"
ATTEMPT = "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
AMBIGUOUS = "UPDATE tickets SET ambiguous = 1 WHERE id = ?"
SUBMIT = "UPDATE tickets SET state = 'submitted', job_id = ?, submitted_at = ? WHERE id = ?"
CHANGE = "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?)"
STATUS = "UPDATE tickets SET status = ? WHERE id = ?"
CLOSE = """UPDATE tickets SET state = 'closed', outcome = ?, reason = ?, closed_at = ?,
    polls = ?, status = ?, observed_after = ?, observed_at = ?, images_done = ?,
    images_failed = ?, duration_s = ?, duration_from = ?, queue_wait_s = ?, fields = ?
    WHERE id = ? AND state <> 'closed'"""
NEVER_LEASED = """INSERT INTO tickets
    (id, cycle, number, state, due_at, file, outcome, reason, closed_at)
    VALUES (?, ?, ?, 'closed', ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
    SET state = 'closed', outcome = excluded.outcome, reason = excluded.reason,
    closed_at = excluded.closed_at WHERE state <> 'closed'"""


class Ledger:
    """One run's ledger, open for writing.

    ``on_failure`` is called once, with a LedgerError, when the disk takes no more.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, on_failure: Callable[[LedgerError], None]
    ) -> None:
        self.path = path
        self.failure: LedgerError | None = None
        self._connection = connection
        self._on_failure = on_failure
        self._thread = ThreadPool(1)
        self._pending: list[Write] = []
        self._said = 0
        self._durable = 0
        self._news = Event()
        self._written = Event()
        self._requests: dict[JobRequest, int] = {}
        self._last_request_id = 0
        self._writer = gevent.spawn(self._write_for_ever)

    @classmethod
    def create(
        cls,
        path: Path,
        meta: Mapping[str, str],
        on_failure: Callable[[LedgerError], None] = lambda _error: None,
    ) -> Ledger:
        """Make the file and its tables; raises LedgerError if it is there or cannot be made."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"cannot make the ledger {path}: {error}") from error
        try:
            path.open("xb").close()  # of two processes with one name, one gets it
        except FileExistsError as error:
            raise LedgerExistsError(
                f"{path} is there already: choose another --run-name"
            ) from error
        except OSError as error:
            raise LedgerError(f"cannot make the ledger {path}: {error}") from error
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _fill(connection, meta)
        except sqlite3.Error as error:
            connection.close()
            _remove(path)
            raise LedgerError(f"cannot make the ledger {path}: {error}") from error
        return cls(connection, path, on_failure)

    # -- what happened, in the order of a ticket's life

    def begin_cycle(self, cycle: int, started_at: float) -> None:
        """Note the moment (epoch seconds) from which the due times of ``cycle`` count."""
        self._say("INSERT OR REPLACE INTO cycles VALUES (?, ?, NULL)", cycle, started_at)

    def end_cycle(self, cycle: int, ended_at: float) -> None:
        """Note when (epoch seconds) the last ticket of ``cycle`` was closed."""
        self._say("UPDATE cycles SET ended_at = ? WHERE cycle = ?", ended_at, cycle)

    def lease(self, record: Record) -> int:
        """The ticket may be submitted, once ``settle`` has been called with what this returns."""
        ticket = record.ticket
        request_id = self._request_id(record.request)
        self._say(
            LEASE,
            *(ticket.id, ticket.cycle, ticket.number, ticket.due_at, ticket.file),
            *(record.user_class, request_id, record.taken_at),
        )
        return self._said

    def reopen(self, ticket: Ticket) -> None:
        """The ticket was surely not submitted, and another user may take it."""
        self._say(REOPEN, ticket.id)

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """Add one request to submit the job."""
        self._say(
            ATTEMPT,
            *(record.ticket.id, attempt.number, attempt.asked_at, attempt.sent_at),
            *(attempt.received_at, attempt.result.value, attempt.http_status),
            *(attempt.error or None, attempt.job_id or None),
        )
        if record.ambiguous:
            self._say(AMBIGUOUS, record.ticket.id)

    def submit(self, record: Record) -> None:
        """The job has an id."""
        self._say(SUBMIT, record.job_id, record.submitted_at, record.ticket.id)

    def change(self, record: Record, change: StatusChange) -> None:
        """A poll saw a new status."""
        self._say(
            CHANGE,
            *(record.ticket.id, change.observed_at, change.after, change.status),
            *(change.updated_at, change.updated_by or None),
        )
        self._say(STATUS, change.status, record.ticket.id)

    def close_ticket(self, record: Record) -> None:
        """The ticket is closed with the record's outcome; a closed one stays as it is."""
        found = measure(record)
        fields = record.snapshot.fields if record.snapshot else {}
        kept = {name: text for name, text in fields.items() if name not in LISTS_OF_KEYS}
        self._say(
            CLOSE,
            *(record.outcome, record.reason or None, record.closed_at, record.polls),
            *(record.status or None, record.observed_after, record.observed_at),
            *(found.images_done, found.images_failed, found.duration_s, found.duration_from),
            *(found.queue_wait_s, json.dumps(kept) if kept else None, record.ticket.id),
        )

    def expire_failed(self, record: Record) -> None:
        """The hash of a closed job could not be told to expire."""
        sql = "UPDATE tickets SET expire_error = ? WHERE id = ?"
        self._say(sql, record.expire_error, record.ticket.id)

    def close_never_leased(
        self, tickets: Iterable[Ticket], outcome: Outcome, reason: str, now: float
    ) -> None:
        """Close tickets that no job was made for; closed ones stay as they are."""
        for number, ticket in enumerate(tickets):
            self._say(
                NEVER_LEASED,
                *(ticket.id, ticket.cycle, ticket.number, ticket.due_at, ticket.file),
                *(outcome, reason, now),
            )
            if number % 10_000 == 9_999:  # a million of them must not stand in memory at once
                self.settle()

    def forget_open(self) -> None:
        """Drop tickets that were given back: an open-ended run never promised them."""
        self._say("DELETE FROM tickets WHERE state = 'open'")

    def note(self, text: str, now: float, ticket: Ticket | None = None) -> None:
        """Keep a sentence for people."""
        self._say("INSERT INTO notes VALUES (?, ?, ?)", now, ticket.id if ticket else None, text)

    def set_meta(self, **values: str) -> None:
        """Set facts about the run."""
        for key, value in values.items():
            self._say("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    # -- durability

    def settle(self, until: int | None = None) -> None:
        """Return when what was said is on the disk: all so far, or ``until`` a lease.

        Raises LedgerError if it cannot be written.
        """
        wanted = self._said if until is None else until
        while self._durable < wanted:
            if self.failure:
                raise self.failure
            self._written.wait()

    def close(self) -> None:
        """Write what waits, once more if the disk had refused it, and close the file.

        Raises LedgerError, with the path of a rescue file, where the disk still refuses.
        """
        with contextlib.suppress(LedgerError):  # the last try tells
            self.settle()
        self._writer.kill()
        try:
            self._last_try()
        finally:
            self._thread.apply(_leave, (self._connection,))
            self._thread.kill()

    def discard(self) -> None:
        """Let go of the file, whatever waits; for an end that never came to ``close``."""
        self._writer.kill()
        self._thread.kill()
        self._connection.close()

    def _last_try(self) -> None:
        if not self._pending:
            return
        error = self._thread.apply(self._write, (self._pending,))
        if error is not None:
            try:
                where = save(self.path, self._pending)
            except OSError as second:
                raise LedgerError(
                    f"{self.path} took no more ({error}), nor could what it lacks be kept "
                    f"elsewhere ({second}): {len(self._pending):,} statements are lost; make room "
                    "where OUTPUT_DIR is, or set TMPDIR to a folder with room"
                ) from second
            raise LedgerError(
                f"{self.path} took no more ({error}); what it lacks is in {where}: when there is "
                f"room again, run: python -m kiosk_locust.rescue {where} {self.path}"
            ) from error
        self.failure = None

    def _say(self, sql: str, *values: Value) -> None:
        self._pending.append(Write(sql, values))
        self._said += 1
        self._news.set()

    def _request_id(self, request: JobRequest) -> int:
        known = self._requests.get(request)
        if known is None:
            if len(self._requests) >= MOST_REQUESTS:  # the oldest would get a second row
                del self._requests[next(iter(self._requests))]
            self._last_request_id += 1
            known = self._requests[request] = self._last_request_id
            body = json.dumps(asdict(request))
            self._say("INSERT OR REPLACE INTO requests VALUES (?, ?)", known, body)
        return known

    def _write_for_ever(self) -> None:
        while not self.failure:
            self._news.wait()
            gevent.sleep(LINGER_S)
            self._news.clear()
            group = self._pending
            self._pending = []
            error = self._thread.apply(self._write, (group,))
            if error is None:
                self._durable += len(group)
            else:
                self._pending = group + self._pending
                self.failure = LedgerError(
                    f"the ledger {self.path} cannot be written: {error}; no more jobs are submitted"
                )
                gevent.spawn(self._on_failure, self.failure)
            self._wake()

    def _wake(self) -> None:
        """Let all who settle look again; who comes later waits for the next time."""
        written, self._written = self._written, Event()
        written.set()

    def _write(self, group: list[Write]) -> Exception | None:
        """Write in the thread; what is raised there, gevent would print with a traceback.

        Whatever it is, the run must hear of it: nobody who settles may wait for ever.
        """
        try:
            write(self._connection, group)
        except Exception as error:  # noqa: BLE001
            return error
        return None


def _fill(connection: sqlite3.Connection, meta: Mapping[str, str]) -> None:
    """Make the tables of a new ledger."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    schema = resources.files("kiosk_locust").joinpath("ledger.sql").read_text("utf-8")
    connection.executescript(f"BEGIN; {schema}; COMMIT")
    rows = {"schema_version": str(SCHEMA_VERSION), **meta}.items()
    connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)


def _leave(connection: sqlite3.Connection) -> None:
    """Close the file so that it stands alone, and opens from where nothing can be written."""
    with contextlib.suppress(sqlite3.Error):  # on a full disk, or while somebody reads it
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def _remove(path: Path) -> None:
    """Remove what was begun of a ledger."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()
