"""Writes statements into a ledger's file, in groups, each a synced transaction of one real thread.

An fsync never stalls the greenlets. Whoever needs to know that what was added so far is durable
calls :meth:`LedgerWriter.settle`.

With each group, and several times a second where there is none, the moment is written, too: the
sign of life. A job is sent only while the last durable one is fresh, so that whoever resumes a
run whose process died knows which jobs cannot have been sent.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import gevent
from gevent.event import Event

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import connections, file
from kiosk_locust.ledger.durability import Durability, RoomWatch
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.rescue import Value, Write, give_back, save, write
from kiosk_locust.ledger.sql import META
from kiosk_locust.native_thread import RealThread, in_thread

T = TypeVar("T")

#: How long news wait for company before they are written; a commit takes some ms more. A job's
#: id must be durable within 50 ms; each commit costs half a millisecond of processor time.
LINGER_S = 0.025
#: How long they wait where a job waits for its lease, to be sent.
HASTE_S = 0.01
#: The longest time between two signs of life, but for the time that a commit takes.
HEARTBEAT_S = 0.1
#: A job is sent only while the last durable sign of life is younger than this. What was due in
#: so long a time before a crash may have been sent, so a longer one makes more jobs ambiguous;
#: a shorter one makes jobs wait for a slow disk.
ALIVE_BOUND_S = 0.5


class LedgerWriter:
    """Takes statements from greenlets, and writes them into one file in their order.

    ``on_failure`` is called with a LedgerError when the disk takes no more, and once before, when
    it has little room left: jobs under way can still be recorded then. ``on_alive`` is called with
    each durable sign of life. ``now`` gives epoch seconds.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        on_failure: Callable[[LedgerError], None],
        on_alive: Callable[[float], None],
        now: Callable[[], float],
    ) -> None:
        self.linger_s = LINGER_S
        self._path = path
        self._connection = connection
        self._on_failure = on_failure
        self._on_alive = on_alive
        self._now = now
        self._thread = RealThread()
        self._room = RoomWatch(path.parent, self._thread)
        self._durability = Durability()
        self._pending: list[Write] = []
        self._added = 0
        self._news = Event()
        self._haste = Event()  # a job waits for its lease
        self._loop = gevent.spawn(self._write_for_ever)

    def add(self, sql: str, *values: Value) -> int:
        """Have a statement written; returns its number among all that were added."""
        pending = self._pending
        pending.append(Write(sql, values))
        self._added += 1
        if len(pending) == 1:
            self._news.set()
        return self._added

    def within(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in the writer's thread in one transaction, all or nothing.

        Returns what it returns. What was added before is written before. Raises LedgerError, and
        what ``work`` raises.
        """
        self.settle()
        try:
            result: T = self._thread.apply(_in_transaction, (self._connection, work))
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be changed: {error}") from error
        return result

    def fetch(self, sql: str, rows: Sequence[tuple[Value, ...]]) -> list[Value]:
        """The first column of the first row of ``sql`` for each of ``rows``; None where none is.

        It is read in the writer's thread, after what was written before; see ``settle``. Raises
        LedgerError.
        """
        try:
            return self._thread.apply(_fetch, (self._connection, sql, rows))
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be read: {error}") from error

    # -- durability

    def durable(self) -> int:
        """Number of the last statement that is on the disk."""
        return self._durability.count

    def settle(self, until: int | None = None) -> None:
        """Return when all statements so far, or those to number ``until``, are on the disk.

        Raises LedgerError if they cannot be written.
        """
        wanted = self._added if until is None else until
        if self._durability.count >= wanted:
            return
        if until is not None:
            self._haste.set()
        self._durability.wait(wanted)

    @property
    def is_alive(self) -> bool:
        """True while the last durable sign of life is fresh, so that a job may be sent."""
        return self._now() - self._durability.alive_at < ALIVE_BOUND_S

    def await_alive(self) -> None:
        """Return when a job may be sent; raises LedgerError if the disk takes no more."""
        while not self.is_alive:
            self._news.set()
            self._durability.wait_next()

    # -- the end

    def finish(self) -> None:
        """Write what waits, once more if the disk had refused it, and no more after that.

        Raises LedgerError, with the path of a rescue file, where the disk still refuses.
        """
        with contextlib.suppress(LedgerError):  # the last try tells
            self.settle()
        self._loop.kill()
        if not self._pending:
            return
        error = self._thread.apply(self._write, (self._pending,))
        if error is not None and give_back(self._path):
            error = self._thread.apply(self._write, (self._pending,))
        if error is not None:
            try:
                where = save(self._path, self._pending)
            except OSError as second:
                raise LedgerError(
                    f"{self._path} took no more ({error}), nor could what it lacks be kept "
                    f"elsewhere ({second}): {len(self._pending):,} statements are lost; make room "
                    "where OUTPUT_DIR is, or set TMPDIR to a folder with room"
                ) from second
            raise LedgerError(
                f"{self._path} took no more ({error}); what it lacks is in {where}: when there is "
                f"room again, run: python -m kiosk_locust rescue {where} {self._path}"
            ) from error
        self._durability.advance(len(self._pending))

    def leave(self) -> None:
        """Close the file, once `finish` was called."""
        self._thread.apply(file.leave, (self._connection,))
        self._thread.kill()

    def discard(self) -> None:
        """Close the file, whatever waits."""
        self._loop.kill()
        self._thread.kill()
        file.leave(self._connection)

    # -- the loop

    def _write_for_ever(self) -> None:
        while not self._durability.failure:
            if self._news.wait(HEARTBEAT_S):
                self._linger()
            self._news.clear()
            self._haste.clear()
            group = self._pending
            self._pending = []
            now = self._now()
            sign = Write(META, ("alive_at", repr(now)))
            error = self._thread.apply(self._write, ([*group, sign],))
            if error is None:
                self._on_alive(now)
                self._durability.advance(len(group), now)
                if lack := self._room.new_lack(now):
                    message = f"no more jobs are submitted: {lack} (OUTPUT_DIR)"
                    gevent.spawn(self._on_failure, LedgerError(message))
            else:
                self._pending = group + self._pending
                failure = LedgerError(
                    f"the ledger {self._path} cannot be written: {error}; no more jobs are"
                    " submitted"
                )
                gevent.spawn(self._on_failure, failure)
                self._durability.fail(failure)

    def _linger(self) -> None:
        """Wait for more statements; less long where a job waits for them."""
        gevent.sleep(HASTE_S)
        self._haste.wait(self.linger_s - HASTE_S)

    def _write(self, group: list[Write]) -> Exception | None:
        """Write in the thread; what is raised there, gevent would print with a traceback.

        Whatever it is, the run must hear of it: nobody who settles may wait for ever.
        """
        try:
            write(self._connection, group)
        except Exception as error:  # noqa: BLE001
            return error
        return None


class PendingWrite:
    """A statement on its way to the disk, by its number."""

    __slots__ = ("_number", "_writer")

    def __init__(self, writer: LedgerWriter, number: int) -> None:
        self._writer = writer
        self._number = number

    def wait(self) -> None:
        """Return when it is on the disk; raises LedgerError if it cannot be written."""
        self._writer.settle(self._number)


class ClosedLedger:
    """A ledger that is complete but for single facts, which this process keeps others out of.

    Its file stands alone: there is nothing beside it, and no sign of life is written to it.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock

    def set_meta(self, **values: str) -> None:
        """Set facts about the run, durably, in one transaction; raises LedgerError.

        Who reads the ledger meanwhile is waited for, for 5 s; other greenlets go on.
        """
        try:
            in_thread(lambda: self._write([Write(META, fact) for fact in values.items()]))
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be written: {error}") from error

    def _write(self, group: list[Write]) -> None:
        with contextlib.closing(connections.connect(self.path, "rw")) as db:
            db.execute("PRAGMA synchronous = FULL")
            write(db, group)

    def settle(self) -> None:
        """Return at once: each fact is durable when ``set_meta`` returns."""

    def release(self) -> None:
        """Let other processes have it; harmless if that was done before."""
        self._lock.release()


def _fetch(
    connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Value, ...]]
) -> list[Value]:
    results = (connection.execute(sql, values).fetchone() for values in rows)
    return [row[0] if row else None for row in results]


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
