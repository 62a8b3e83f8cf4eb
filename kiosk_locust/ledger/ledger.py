"""The ledger: the durable table of tickets and records of one run, in SQLite.

`Ledger` makes the statements; `kiosk_locust.ledger.writer` gets them onto the disk.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from kiosk_locust.errors import LedgerError
from kiosk_locust.filesystem import disk_space
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger import file as opening
from kiosk_locust.ledger import rescue, send_account
from kiosk_locust.ledger import sql as statements
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.send_account import SendAccount
from kiosk_locust.ledger.writer import ClosedLedger, LedgerWriter, PendingWrite
from kiosk_locust.model.image_failures import bounded
from kiosk_locust.model.input_file import InputFile
from kiosk_locust.model.job_hash import LEFT_OUT, UNREAD
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    Download,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Ticket,
    Upload,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: So many different requests are known again; memory must not grow with the jobs.
MOST_REQUESTS = 10_000
#: Fields of a hash that grow with a ZIP's children (their counts have columns of their own), and
#: those that tell what is missing of them.
LISTS_OF_KEYS = frozenset({"children", "children:done", "children:failed", LEFT_OUT, UNREAD})
#: Fields that tell which of a ZIP's children failed.
OF_CHILDREN = frozenset({"children", "children:failed", "failures"})


class Ledger:
    """One run's ledger, open for writing.

    ``on_failure`` is called with a LedgerError when the disk takes no more, and once before, when
    it has little room left. ``now`` gives epoch seconds, for the signs of life.
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
        self._lock = lock
        self._now = now
        self._writer = LedgerWriter(path, connection, on_failure, self._on_alive, now)
        self._account: SendAccount | None = None  # of what this process sends
        self._requests: dict[JobRequest, int] = {}
        self._last_request_id = 0

    @classmethod
    def create(
        cls,
        path: Path,
        meta: Mapping[str, str],
        on_failure: Callable[[LedgerError], None] = lambda _error: None,
        now: Callable[[], float] = time.time,
    ) -> Ledger:
        """Make the file and its tables; raises LedgerError if it is there or cannot be made."""
        _check_room(path)
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
        _check_room(path)
        lock, connection = opening.reopen(path, migrating=True)
        ledger = cls(path, lock, connection, on_failure, now)
        ledger.learn_requests(connection)
        return ledger

    def learn_requests(self, db: sqlite3.Connection) -> None:
        """Know the requests that are in the file by now."""
        sql = "SELECT body, id FROM requests ORDER BY id DESC LIMIT ?"
        for body, number in db.execute(sql, (MOST_REQUESTS,)).fetchall()[::-1]:
            self._requests[JobRequest(**json.loads(body))] = self._last_request_id = number

    def keep_account(self, pool_size: int) -> None:
        """Keep an account of what this process sends, where that can be; see `send_account`.

        Without one, whoever resumes the run after this process died goes by its signs of life.
        """
        self._account = send_account.keep(self.path, self._writer.durable, pool_size=pool_size)
        if self._account:
            self.set_meta(**{send_account.KEY: self._account.token})

    def _on_alive(self, at: float) -> None:
        if self._account:
            self._account.ledger_is_alive(at)

    def keep_reserve(self) -> None:
        """Keep room on the ledger's disk for the run's last words; see `rescue`."""
        rescue.keep_reserve(self.path)

    def plan(self, inputs: Sequence[InputFile]) -> None:
        """Keep the files of the plan, durably; raises LedgerError."""
        rows = [(number, *file.as_json()) for number, file in enumerate(inputs)]
        self.within(lambda db: db.executemany(statements.INPUT, rows))

    # -- durability

    def linger(self, linger_s: float) -> None:
        """Let statements that no job waits for wait so long (s) for company, from now on."""
        self._writer.linger_s = linger_s

    def within(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in one transaction, after all that was written; see `LedgerWriter.within`."""
        return self._writer.within(work)

    def settle(self) -> None:
        """Return when all that was written so far is on the disk; raises LedgerError."""
        self._writer.settle()

    @property
    def is_alive(self) -> bool:
        """True while the last durable sign of life is fresh, so that a job may be sent."""
        return self._writer.is_alive

    def await_alive(self) -> None:
        """Return when a job may be sent; raises LedgerError if the disk takes no more."""
        self._writer.await_alive()

    def close(self) -> None:
        """Write what waits, once more if the disk had refused it, and close the file.

        Raises LedgerError, with the path of a rescue file, where the disk still refuses.
        """
        try:
            self._close()
        finally:
            self._lock.release()

    def close_locked(self) -> ClosedLedger:
        """Close the file as `close` does, and keep other processes out.

        The lock goes with the returned ledger; where this raises LedgerError, nobody has it.
        """
        try:
            self._close()
        except BaseException:
            self._lock.release()
            raise
        return ClosedLedger(self.path, self._lock)

    def _close(self) -> None:
        try:
            self._writer.finish()
            if self._account:
                self._account.remove()  # the ledger has all that it says
                send_account.sweep(self.path)
        finally:
            self._writer.leave()
            self._let_go()

    def discard(self) -> None:
        """Let go of the file, whatever waits; for an end that never came to ``close``."""
        self._writer.discard()
        self._let_go()
        self._lock.release()

    def _let_go(self) -> None:
        if self._account:
            self._account.close()
        rescue.give_back(self.path)

    # -- what happened, in the order of a ticket's life

    def begin_cycle(self, cycle: int, started_at: float) -> None:
        """Note the moment (epoch seconds) from which the due times of ``cycle`` count.

        That of a cycle that an earlier session had begun stays.
        """
        self._writer.add(statements.BEGIN_CYCLE, cycle, started_at)

    def end_cycle(self, cycle: int, ended_at: float) -> None:
        """Note when (epoch seconds) the last ticket of ``cycle``, and those before, was closed."""
        sql = "UPDATE cycles SET ended_at = ? WHERE cycle <= ? AND ended_at IS NULL"
        self._writer.add(sql, ended_at, cycle)

    def lease(self, record: Record) -> PendingWrite:
        """The ticket may be submitted, once ``wait`` of what this returns has returned."""
        ticket = record.ticket
        request_id = self._request_id(record.request)
        number = self._writer.add(
            statements.LEASE,
            *(ticket.id, ticket.cycle, ticket.number, ticket.due_at, ticket.file),
            *(record.user_class, request_id, record.taken_at),
        )
        return PendingWrite(self._writer, number)

    def taken(self, record: Record) -> None:
        """A user has taken the leased ticket: now it is known what is to be submitted."""
        request_id = self._request_id(record.request)
        values = (record.user_class, request_id, record.taken_at, record.ticket.id)
        self._writer.add(statements.TAKE, *values)

    def reopen(self, ticket: Ticket) -> None:
        """The ticket was surely not submitted, and another user may take it."""
        self._writer.add(statements.REOPEN, ticket.id)

    def uploaded(self, record: Record, upload: Upload) -> None:
        """An upload of its file is over.

        Only once that is durable, and ``is_reused`` says no, may the job be submitted.
        """
        self._writer.add(
            statements.UPLOAD,
            *(record.ticket.id, upload.began_at, upload.ended_at, upload.size),
            *(upload.name or None, upload.error or None),
        )
        if upload.name:
            self._writer.add(statements.UPLOADED, upload.name, record.ticket.id)

    def is_reused(self, record: Record, upload: Upload) -> bool:
        """Whether the run has had the name of a ticket's last upload before.

        Asked once ``uploaded`` was said and is durable; raises LedgerError.
        """
        return bool(self.reused([(record.ticket.id, upload.name)])[0])

    def reused(self, uploads: Sequence[tuple[int, str]]) -> list[bool]:
        """The same of many, each a ticket's id and the name of its last upload.

        The earlier upload's object has been written over by then. Its ticket is named in the log
        and in the ledger's notes: its job may have worked on the other file.
        """
        earlier = self._writer.fetch(statements.REUSED, uploads)
        for (ticket_id, name), earlier_id in zip(uploads, earlier, strict=True):
            if earlier_id is not None and earlier_id != ticket_id:
                text = (
                    f"the Kiosk gave {excerpt(name)}, the upload of ticket {earlier_id}, to that of"
                    f" ticket {ticket_id} as well, which was uploaded again; the job of ticket"
                    f" {earlier_id} may have worked on the file of ticket {ticket_id}"
                )
                logger.warning("%s", text)
                self._writer.add(statements.NOTE, self._now(), int(earlier_id), text)
        return [earlier_id is not None for earlier_id in earlier]

    def about_to_send(self, record: Record) -> None:
        """The next request to submit the job is sent right after this."""
        if self._account:
            self._account.about_to_send(record)

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """Add one request to submit the job."""
        if self._account:
            self._account.ended(record, attempt)
        number = self._writer.add(
            statements.ATTEMPT,
            *(record.ticket.id, attempt.number, attempt.asked_at, attempt.sent_at),
            *(attempt.received_at, attempt.result.value, attempt.http_status),
            *(attempt.error or None, attempt.job_id or None),
        )
        if record.ambiguous:
            number = self._writer.add(statements.AMBIGUOUS, record.ticket.id)
        if self._account and attempt.result is AttemptResult.MAYBE:
            self._account.told(record, attempt.number, number)

    def submit(self, record: Record) -> None:
        """The job has an id."""
        values = record.job_id, record.submitted_at, record.ticket.id
        number = self._writer.add(statements.SUBMIT, *values)
        if self._account:
            self._account.told(record, len(record.attempts), number)

    def change(self, record: Record, change: StatusChange) -> None:
        """A poll saw a new status."""
        self._writer.add(
            statements.CHANGE,
            *(record.ticket.id, change.observed_at, change.after, change.status),
            *(change.updated_at, change.updated_by or None, change.phase or None),
        )
        self._writer.add(statements.STATUS, change.status, record.ticket.id)

    def close_ticket(self, record: Record, measures: Measures) -> None:
        """The ticket is closed with the record's outcome; a closed one stays as it is."""
        fields = record.snapshot.fields if record.snapshot else {}
        kept = {name: text for name, text in fields.items() if name not in LISTS_OF_KEYS}
        if record.snapshot and measures.images_failed and not fields.keys().isdisjoint(OF_CHILDREN):
            kept["failures"] = bounded(record.snapshot, record.job_id)
        self._writer.add(
            statements.CLOSE,
            *(record.outcome, record.reason or None, record.closed_at, record.polls),
            *(record.status or None, record.observed_after, record.observed_at),
            *(measures.images_done, measures.images_failed),
            *(measures.duration_s, measures.duration_from, measures.queue_wait_s),
            *(dumps(kept).decode() if kept else None, record.ticket.id),
        )

    def downloaded(self, record: Record, download: Download) -> None:
        """The download of what a closed job made is over."""
        self._writer.add(
            statements.DOWNLOAD,
            *(record.ticket.id, download.began_at, download.ended_at, download.size),
            *(download.tries, download.path or None, download.error or None),
        )

    def expire_failed(self, record: Record) -> None:
        """The hash of a closed job could not be told to expire."""
        sql = "UPDATE tickets SET expire_error = ? WHERE id = ?"
        self._writer.add(sql, record.expire_error, record.ticket.id)

    def close_never_leased(
        self, tickets: Iterable[Ticket], outcome: Outcome, reason: str, now: float
    ) -> None:
        """Close tickets that no job was made for; closed ones stay as they are."""
        for number, ticket in enumerate(tickets):
            self._writer.add(
                statements.NEVER_LEASED,
                *(ticket.id, ticket.cycle, ticket.number, ticket.due_at, ticket.file),
                *(outcome, reason, now),
            )
            if number % 10_000 == 9_999:  # a million of them must not stand in memory at once
                self.settle()

    def forget_open(self) -> None:
        """Drop tickets that were given back: an open-ended run never promised them."""
        self._writer.add("DELETE FROM tickets WHERE state = 'open'")

    def note(self, text: str, now: float, ticket: Ticket | None = None) -> None:
        """Keep a sentence for people."""
        self._writer.add(statements.NOTE, now, ticket.id if ticket else None, text)

    def set_meta(self, **values: str) -> None:
        """Set facts about the run."""
        for key, value in values.items():
            self._writer.add(statements.META, key, value)

    def forget_meta(self, key: str) -> None:
        """Drop a fact about the run."""
        self._writer.add("DELETE FROM meta WHERE key = ?", key)

    def begin_session(self, number: int, started_at: float, changed: str = "{}") -> None:
        """A process begins to work on the run; ``changed`` is the JSON of changed options."""
        sql = "INSERT INTO sessions (number, started_at, changed) VALUES (?, ?, ?)"
        self._writer.add(sql, number, started_at, changed)

    def set_session(self, **values: str | float) -> None:
        """Set facts about the session that is on: ``time_zero``, ``ended_at``, ``ended_by``."""
        for column, value in values.items():
            sql = f"UPDATE sessions SET {column} = ? WHERE number = (SELECT max(number) FROM sessions)"  # noqa: S608, E501  a keyword of ours
            self._writer.add(sql, value)

    def _request_id(self, request: JobRequest) -> int:
        known = self._requests.get(request)
        if known is None:
            if len(self._requests) >= MOST_REQUESTS:  # the oldest would get a second row
                del self._requests[next(iter(self._requests))]
            self._last_request_id += 1
            known = self._requests[request] = self._last_request_id
            body = json.dumps(asdict(request))
            self._writer.add("INSERT OR REPLACE INTO requests VALUES (?, ?)", known, body)
        return known


def _check_room(path: Path) -> None:
    """Raise LedgerError where a run would end for want of room as soon as it is begun."""
    if lack := disk_space.lack_of(path.parent, disk_space.JOBS):
        raise LedgerError(f"no run is begun or resumed with the ledger {path}: {lack} (OUTPUT_DIR)")
