"""What is said of a run, written in groups by one real thread, each a transaction that is synced.

An fsync never stalls the greenlets. Whoever needs to know that what was said so far is durable
calls :meth:`Journal.settle`.

With each group, and several times a second where there is none, the moment is written, too: the
sign of life. A job is sent only while the last durable one is fresh, so that whoever resumes a
run whose process died knows which jobs cannot have been sent.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import gevent
from gevent.event import Event

from kiosk_locust.errors import LedgerError
from kiosk_locust.filesystem import disk_space
from kiosk_locust.ledger import connections, file
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.rescue import Value, Write, give_back, save, write
from kiosk_locust.ledger.send_account import SendAccount, sweep
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
#: How often it is looked how much room the disk has.
LOOK_AT_ROOM_S = 1.0


class Journal:
    """Statements on their way into one file.

    ``on_failure`` is called with a LedgerError when the disk takes no more, and once before, when
    it has little room left: jobs under way can still be recorded then. ``now`` gives epoch
    seconds, for the signs of life.
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
        self.linger_s = LINGER_S
        self._account: SendAccount | None = None  # of what this process sends
        self._lock = lock
        self._now = now
        self._alive_at = -math.inf
        self._connection = connection
        self._on_failure = on_failure
        self._lack_of_room = ""  # as it was told
        self._room_seen_at = -math.inf
        self._thread = RealThread()
        self._pending: list[Write] = []
        self._said = 0
        self._durable = 0
        self._news = Event()
        self._haste = Event()  # a job waits for its lease
        self._waiting: list[tuple[int, Event]] = []  # for what was said so far to be durable
        self._written = Event()
        self._writer = gevent.spawn(self._write_for_ever)

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

    def fetch(self, sql: str, rows: Sequence[tuple[Value, ...]]) -> list[Value]:
        """The first column of the first row of ``sql`` for each of ``rows``; None where none is.

        It is read in the writer's thread, after what was written before; see ``settle``. Raises
        LedgerError.
        """
        try:
            return self._thread.apply(_fetch, (self._connection, sql, rows))
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be read: {error}") from error

    # -- durability

    def settle(self, until: int | None = None) -> None:
        """Return when what was said is on the disk: all so far, or ``until`` that number of it.

        Raises LedgerError if it cannot be written.
        """
        wanted = self._said if until is None else until
        if self._durable >= wanted:
            return
        if until is not None:
            self._haste.set()
        while self._durable < wanted:
            if self.failure:
                raise self.failure
            turn = Event()
            self._waiting.append((wanted, turn))
            turn.wait()

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
        try:
            self._close()
        finally:
            self._lock.release()

    def close_locked(self) -> ClosedLedger:
        """Close the file as `close` does, and keep other processes out.

        The lock goes with what is returned; where this raises LedgerError, nobody has it any more.
        """
        try:
            self._close()
        except BaseException:
            self._lock.release()
            raise
        return ClosedLedger(self.path, self._lock)

    def _close(self) -> None:
        with contextlib.suppress(LedgerError):  # the last try tells
            self.settle()
        self._writer.kill()
        try:
            self._last_try()
            if self._account:
                self._account.remove()  # the ledger has all that it says
                sweep(self.path)
        finally:
            self._thread.apply(file.leave, (self._connection,))
            self._thread.kill()
            if self._account:
                self._account.close()
            give_back(self.path)

    def discard(self) -> None:
        """Let go of the file, whatever waits; for an end that never came to ``close``."""
        self._writer.kill()
        self._thread.kill()
        file.leave(self._connection)
        if self._account:
            self._account.close()
        give_back(self.path)
        self._lock.release()

    def _last_try(self) -> None:
        if not self._pending:
            return
        error = self._thread.apply(self._write, (self._pending,))
        if error is not None and give_back(self.path):
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
                f"room again, run: python -m kiosk_locust rescue {where} {self.path}"
            ) from error
        self.failure = None
        self._durable = self._said

    def _say(self, sql: str, *values: Value) -> None:
        pending = self._pending
        pending.append(Write(sql, values))
        self._said += 1
        if len(pending) == 1:
            self._news.set()

    def _write_for_ever(self) -> None:
        while not self.failure:
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
                self._durable += len(group)
                self._alive_at = now
                if self._account:
                    self._account.ledger_is_alive(now)
            else:
                self._pending = group + self._pending
                self.failure = LedgerError(
                    f"the ledger {self.path} cannot be written: {error}; no more jobs are submitted"
                )
                gevent.spawn(self._on_failure, self.failure)
            self._wake()
            if error is None:
                self._look_at_room(now)

    def _look_at_room(self, now: float) -> None:
        """Have the run ended while there is room for the rest of it."""
        if self._lack_of_room or now - self._room_seen_at < LOOK_AT_ROOM_S:
            return
        self._room_seen_at = now
        self._lack_of_room = self._thread.apply(
            disk_space.lack_of, (self.path.parent, disk_space.JOBS)
        )
        if self._lack_of_room:
            message = f"no more jobs are submitted: {self._lack_of_room} (OUTPUT_DIR)"
            gevent.spawn(self._on_failure, LedgerError(message))

    def _linger(self) -> None:
        """Wait for more news; less long where a job waits for them."""
        gevent.sleep(HASTE_S)
        self._haste.wait(self.linger_s - HASTE_S)

    def _wake(self) -> None:
        """Let those look again whose words are durable; all of them, when they never will be."""
        written, self._written = self._written, Event()
        written.set()
        waiting, self._waiting = self._waiting, []
        for wanted, turn in waiting:
            if wanted <= self._durable or self.failure:
                turn.set()
            else:
                self._waiting.append((wanted, turn))

    def _write(self, group: list[Write]) -> Exception | None:
        """Write in the thread; what is raised there, gevent would print with a traceback.

        Whatever it is, the run must hear of it: nobody who settles may wait for ever.
        """
        try:
            write(self._connection, group)
        except Exception as error:  # noqa: BLE001
            return error
        return None


class Said:
    """A thing said to a journal, by its number among all that was said."""

    __slots__ = ("_journal", "_number")

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self._number = number

    def wait(self) -> None:
        """Return when it is on the disk; raises LedgerError if it cannot be written."""
        self._journal.settle(self._number)


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
        """All that was said is on the disk."""

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
