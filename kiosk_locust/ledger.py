"""The ledger: the durable table of tickets and records of one run, in SQLite.

Greenlets say what happened and go on; one real thread writes it in groups, each a transaction
that is synced to the disk, so an fsync never stalls them. Whoever needs to know that what was
said so far is durable calls :meth:`Ledger.settle`.

With each group, and several times a second where there is none, the moment is written, too: the
ledger's sign of life. A job is sent only while the last durable one is fresh, so that whoever
resumes a run whose process died knows which jobs cannot have been sent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from kiosk_locust import opening
from kiosk_locust.errors import LedgerError
from kiosk_locust.locking import Lock
from kiosk_locust.measures import measure
from kiosk_locust.record import Attempt, JobRequest, Outcome, Record, StatusChange, Ticket
from kiosk_locust.rescue import Value, Write, save, write

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long news wait for company before they are written; a commit takes some ms more.
LINGER_S = 0.01
#: The longest time between two signs of life, but for the time that a commit takes.
HEARTBEAT_S = 0.1
#: A job is sent only while the last durable sign of life is younger than this. What was due in
#: so long a time before a crash may have been sent, so a longer one makes more jobs ambiguous;
#: a shorter one makes jobs wait for a slow disk.
ALIVE_BOUND_S = 0.5

#: So many different requests are known again; memory must not grow with the jobs.
MOST_REQUESTS = 10_000
#: Fields of a hash that grow with a ZIP's children; their counts have columns of their own.
LISTS_OF_KEYS = frozenset({"children", "children:done", "children:failed"})

META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
BEGIN_CYCLE = """INSERT INTO cycles VALUES (?, ?, NULL)
    ON CONFLICT (cycle) DO UPDATE SET ended_at = NULL"""
LEASE = """INSERT INTO tickets
    (id, cycle, number, state, due_at, file, user_class, request_id, taken_at)
    VALUES (?, ?, ?, 'leased', ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
    SET state = 'leased', due_at = excluded.due_at, user_class = excluded.user_class,
    request_id = excluded.request_id, taken_at = excluded.taken_at WHERE state = 'open'"""
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
        self,
        path: Path,
        lock: Lock,
        connection: sqlite3.Connection,
        on_failure: Callable[[LedgerError], None],
        now: Callable[[], float],
    ) -> None:
        self.path = path
        self.failure: LedgerError | None = None
        self._lock = lock
        self._now = now
        self._alive_at = -math.inf
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
        now: Callable[[], float] = time.time,
    ) -> Ledger:
        """Make the file and its tables; raises LedgerError if it is there or cannot be made.

        ``now`` gives epoch seconds, for the signs of life.
        """
        lock, connection = opening.make(path, meta)
        return cls(path, lock, connection, on_failure, now)

    @classmethod
    def open(
        cls,
        path: Path,
        on_failure: Callable[[LedgerError], None] = lambda _error: None,
        now: Callable[[], float] = time.time,
    ) -> Ledger:
        """Open one that is there, to go on with it; raises LedgerError, see `opening.reopen`."""
        lock, connection = opening.reopen(path)
        ledger = cls(path, lock, connection, on_failure, now)
        sql = "SELECT body, id FROM requests ORDER BY id DESC LIMIT ?"
        for body, known in connection.execute(sql, (MOST_REQUESTS,)).fetchall()[::-1]:
            ledger._requests[JobRequest(**json.loads(body))] = ledger._last_request_id = known
        return ledger

    # -- what happened, in the order of a ticket's life

    def begin_cycle(self, cycle: int, started_at: float) -> None:
        """Note the moment (epoch seconds) from which the due times of ``cycle`` count.

        That of a cycle that an earlier session had begun stays.
        """
        self._say(BEGIN_CYCLE, cycle, started_at)

    def end_cycle(self, cycle: int, ended_at: float) -> None:
        """Note when (epoch seconds) the last ticket of ``cycle``, and those before, was closed."""
        sql = "UPDATE cycles SET ended_at = ? WHERE cycle <= ? AND ended_at IS NULL"
        self._say(sql, ended_at, cycle)

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
            self._say(META, key, value)

    def begin_session(self, number: int, started_at: float, changed: str = "{}") -> None:
        """A process begins to work on the run; ``changed`` is the JSON of changed options."""
        sql = "INSERT INTO sessions (number, started_at, changed) VALUES (?, ?, ?)"
        self._say(sql, number, started_at, changed)

    def set_session(self, **values: str | float) -> None:
        """Set facts about the session that is on: ``time_zero``, ``ended_at``, ``ended_by``."""
        for column, value in values.items():
            sql = f"UPDATE sessions SET {column} = ? WHERE number = (SELECT max(number) FROM sessions)"  # noqa: S608, E501  a keyword of ours
            self._say(sql, value)

    def within(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` returns, done in the writer's thread in one transaction, all or nothing.

        What was said before is written before. Raises LedgerError, and what ``work`` raises.
        """
        self.settle()
        try:
            result: T = self._thread.apply(_in_transaction, (self._connection, work))
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be changed: {error}") from error
        return result

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

    @property
    def is_alive(self) -> bool:
        """Whether the last durable sign of life is fresh, so that a job may be sent."""
        return self._now() - self._alive_at < ALIVE_BOUND_S

    def await_alive(self) -> None:
        """Return when a job may be sent; raises LedgerError if the disk takes no more."""
        while not self.is_alive:
            if self.failure:
                raise self.failure
            self._news.set()
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
            self._lock.release()

    def discard(self) -> None:
        """Let go of the file, whatever waits; for an end that never came to ``close``."""
        self._writer.kill()
        self._thread.kill()
        self._connection.close()
        self._lock.release()

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
            if self._news.wait(HEARTBEAT_S):
                gevent.sleep(LINGER_S)
            self._news.clear()
            group = self._pending
            self._pending = []
            now = self._now()
            sign = Write(META, ("alive_at", repr(now)))
            error = self._thread.apply(self._write, ([*group, sign],))
            if error is None:
                self._durable += len(group)
                self._alive_at = now
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


def _leave(connection: sqlite3.Connection) -> None:
    """Close the file so that it stands alone, and opens from where nothing can be written."""
    with contextlib.suppress(sqlite3.Error):  # on a full disk, or while somebody reads it
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
