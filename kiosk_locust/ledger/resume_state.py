"""What of a run is left to do: all of it at first, and the rest when a ledger is resumed.

A ticket that has a job id is *adopted*: polled on, never submitted again. One without is
submitted, again if it may have been before. What is needed of a million tickets is a byte each.
"""

# ruff: noqa: S608  the parts of the SQL here are constants of this module, no input

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from kiosk_locust.formatting import units
from kiosk_locust.ledger import recovery, sent_requests
from kiosk_locust.ledger.reader import opened
from kiosk_locust.ledger.send_account import Statement
from kiosk_locust.ledger.writer import ALIVE_BOUND_S
from kiosk_locust.model import arrivals
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Ticket,
)

DIED = "the process died"
MAYBE = "the run's process died when this may just have been sent"
SENT = "the run's process died after this was sent, before it was answered"
LOST = "the run's disk was lost when this may have been sent: no checkpoint knows"
GIVEN_UP = "perhaps submitted: the run's process died, or its answer was lost; --on-ambiguous close"

#: A master deals tickets to its workers 1 s before they are due (`distributed.messages.Terms`), and
#: they send those even after its death; half a second more for the clocks of two machines.
AHEAD_S = 1.5

#: Outcomes that are taken up again.
_OPEN_ENDS = "('unfinished', 'timeout', 'error')"
#: `state <> 'closed'` is there for SQLite, which else would not see that an index will do.
_IS = "state <> 'closed' AND state"
_HAS_NO_JOB = f"""job_id IS NULL AND id IN (
    SELECT id FROM tickets WHERE {_IS} IN ('open', 'leased') UNION ALL
    SELECT id FROM tickets WHERE outcome IN {_OPEN_ENDS} AND outcome <> 'timeout')"""

#: A lease that is due later than the last sign of life and its bound was surely not sent; nor was,
#: in a run that uploads (the last parameter), one whose upload is not known to be over.
_ADD_MAYBE = f"""INSERT INTO attempts (ticket_id, number, asked_at, result, error)
    SELECT id, (SELECT count(*) FROM attempts WHERE ticket_id = id) + 1,
    max(coalesce(due_at, taken_at), taken_at), 'maybe', ? FROM tickets
    WHERE {_IS} = 'leased' AND coalesce(due_at, taken_at) <= ?
    AND (uploaded_name IS NOT NULL OR NOT ?)"""
_MARK_AMBIGUOUS = f"""UPDATE tickets SET ambiguous = 1
    WHERE {_IS} = 'leased' AND coalesce(due_at, taken_at) <= ?
    AND (uploaded_name IS NOT NULL OR NOT ?)"""
_CLOSE_AMBIGUOUS = f"""UPDATE tickets SET state = 'closed', outcome = 'error',
    reason = coalesce(reason, ?), closed_at = coalesce(closed_at, ?)
    WHERE {_HAS_NO_JOB} AND ambiguous <> 0"""
_FORGET_UNTRIED = f"""DELETE FROM tickets WHERE {_HAS_NO_JOB}
    AND NOT EXISTS (SELECT 1 FROM attempts WHERE ticket_id = id)"""
_OPEN = f"""UPDATE tickets SET state = 'open', outcome = NULL, reason = NULL, closed_at = NULL
    WHERE {_HAS_NO_JOB}"""
_KEEP_CLOSED = " AND NOT (ambiguous <> 0 AND state = 'closed' AND outcome = 'error')"
_ADOPT = f"""UPDATE tickets SET state = 'submitted', outcome = NULL, reason = NULL,
    closed_at = NULL WHERE job_id IS NOT NULL AND state = 'closed' AND outcome IN {_OPEN_ENDS}"""
_LEFT = f"SELECT count(*) FROM tickets WHERE job_id IS NOT NULL AND outcome IN {_OPEN_ENDS}"
_KNOWN_TO_THE_KIOSK = f"""SELECT job_id FROM tickets WHERE job_id IS NOT NULL
    AND (state = 'submitted' OR outcome IN {_OPEN_ENDS} OR coalesce(expire_error, '') <> '')"""
#: By the ids, as the plan counts them: what a row says of its number is nobody's.
_SETTLED_BY_NUMBER = f"""SELECT id % ?1, count(*) FROM tickets WHERE id >= 0 AND id < ?1 * ?2 AND (
    state = 'submitted' OR (state = 'closed' AND (job_id IS NOT NULL OR outcome NOT IN
    {_OPEN_ENDS}))) GROUP BY 1"""
_END_LAST_SESSION = "UPDATE sessions SET ended_at = ?, ended_by = ? WHERE ended_at IS NULL"
#: What was found at the end of the session before; should this one die, it would be a lie.
_FORGET_END = """DELETE FROM meta
    WHERE key IN ('ended_at', 'ended_by', 'sendable_s', 'cost', 'judgement', 'page', 'finish',
        'finish_after')"""
#: What its processes saw of themselves counts in this session's judgement.
_SET_ASIDE = "UPDATE OR REPLACE meta SET key = 'earlier_generator' WHERE key = 'generator'"
_ADOPTED = f"""SELECT tickets.*, requests.body FROM tickets
    JOIN requests ON requests.id = request_id WHERE {_IS} = 'submitted' ORDER BY tickets.id"""
#: What finds open work; none of it may look at every ticket.
OPEN_WORK = (
    *(_ADD_MAYBE, _MARK_AMBIGUOUS, _CLOSE_AMBIGUOUS, _FORGET_UNTRIED, _OPEN, _OPEN + _KEEP_CLOSED),
    *(_ADOPT, _ADOPTED, _LEFT),
)
_LAST_CHANGE = """SELECT status, observed_at, after, updated_at, coalesce(updated_by, ''),
    coalesce(phase, '') FROM changes WHERE ticket_id = ? ORDER BY observed_at DESC LIMIT 1"""
_ATTEMPTS = """SELECT number, asked_at, sent_at, received_at, result, http_status,
    coalesce(error, ''), coalesce(job_id, '') FROM attempts WHERE ticket_id = ? ORDER BY number"""

_SETTLED, _TRIED = 1, 2


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier sessions of a run came to, in jobs and images."""

    sessions: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)  # of tickets that stay closed
    submitted: int = 0
    images_done: int = 0
    images_failed: int = 0


class Remains:
    """What is left of the run that ``options`` plan.

    ``flags`` has a byte for each ticket, by its id, that the ledger at ``path`` knows; ``begun``
    are the cycles that had begun.
    """

    def __init__(
        self,
        options: Options,
        path: Path | None = None,
        *,
        earlier: Earlier | None = None,
        begun: int = 0,
        adopted: int = 0,
        flags: bytes = b"",
        note: str = "",
        doubts: str = "",
    ) -> None:
        self.note = note  # what is to be told of where it goes on from
        self.doubts = doubts  # how many tickets became ambiguous, and by which rule
        self.earlier = earlier or Earlier()
        self.adopted = adopted  # jobs to be polled on
        self.begun = begun
        self._options = options
        self._path = path
        self._flags = flags

    def __str__(self) -> str:
        closed = self.earlier.outcomes.total()
        planned = self._options.count * self._options.num_cycles
        rest = f", {planned - closed - self.adopted:,} are to be submitted" if planned else ""
        doubts = f"; {self.doubts}" if self.doubts else ""
        return f"{closed:,} jobs are closed, {self.adopted:,} are polled on{rest}{doubts}"

    @property
    def cycles(self) -> range:
        """The cycles to go through; the first has what is left of those that had begun."""
        return range(max(1, self.begun), self._options.num_cycles + 1)

    def tickets(self, cycle: int, zero_at: float) -> Iterator[Ticket]:
        """The tickets of ``cycle``, the first due at ``zero_at`` (epoch seconds).

        In a cycle that had begun, the schedule is shifted so that the first that is left is.
        """
        if cycle > self.begun:
            return arrivals.tickets(self._options, cycle, zero_at)
        return itertools.chain(
            *(self._late(early, zero_at) for early in range(1, cycle)), self._rest(cycle, zero_at)
        )

    def adopt(self) -> Iterator[Record]:
        """Jobs that were submitted and are to be polled on, one at a time."""
        if not self.adopted or self._path is None:
            return
        with opened(self._path) as db:
            rows = db.cursor()
            rows.row_factory = sqlite3.Row
            for row in rows.execute(_ADOPTED):
                yield _record(db, row)

    def is_settled(self, ticket_id: int) -> bool:
        """Whether nothing is left to submit for a ticket."""
        return self._flag(ticket_id) == _SETTLED

    def inputs_left(self) -> list[int]:
        """Numbers of the plan's files that a ticket is left for."""
        options = self._options
        files = len(options.transfers.inputs)
        tickets = range(options.count * options.num_cycles)
        left = {n % options.count % files for n in tickets if not self.is_settled(n)}
        return sorted(left)

    def recall(self, record: Record) -> None:
        """Give the record of a ticket that was tried before what it had by then."""
        if self._flag(record.ticket.id) != _TRIED or self._path is None:
            return
        with opened(self._path) as db:
            record.attempts = _attempts(db, record.ticket.id)
        record.ambiguous = any(a.result is AttemptResult.MAYBE for a in record.attempts)

    def _late(self, cycle: int, zero_at: float) -> Iterator[Ticket]:
        """What is left of a cycle that later ones had followed: it is overdue."""
        due_at = zero_at if self._options.workload == "open" else None
        for ticket in arrivals.tickets(self._options, cycle, zero_at):
            if self._flag(ticket.id) != _SETTLED:
                yield replace(ticket, due_at=due_at)

    def _rest(self, cycle: int, zero_at: float) -> Iterator[Ticket]:
        """What is left of a cycle, with its gaps; a closed one begins with a first round anew."""
        options = self._options
        shift_s: float | None = None
        first_round = max(0, options.users - self.adopted) if options.workload == "closed" else 0
        left = (t for t in arrivals.tickets(options, cycle, 0.0) if self._flag(t.id) != _SETTLED)
        for number, ticket in enumerate(left):
            if options.workload == "closed":
                due_at = zero_at + number * options.start_delay_s if number < first_round else None
            else:
                offset_s = ticket.due_at or 0.0
                shift_s = zero_at - offset_s if shift_s is None else shift_s
                due_at = offset_s + shift_s
            yield replace(ticket, due_at=due_at)

    def _flag(self, ticket_id: int) -> int:
        return self._flags[ticket_id] if ticket_id < len(self._flags) else 0


def take_up(
    db: sqlite3.Connection, path: Path, options: Options, *, now: float, changed: str = "{}"
) -> Remains:
    """Make the ledger say what is left, begin a session in it, and return what is left.

    To be called in one transaction: a process that dies afterwards leaves the same truth.
    ``changed`` is the JSON of the options that changed, ``now`` in epoch seconds.
    """
    died_at = _alive_at(db)
    sendable_until = died_at + _sendable_s(db)
    uploads, why, note = options.transfers.upload, MAYBE, ""
    account = sent_requests.gather(db, path, died_at)
    if mark := recovery.mark_of(db):
        account = Statement()  # it would be of another process than the checkpoint
        # Nobody knows when its process died, nor what was uploaded meanwhile.
        sendable_until, uploads, why = now + AHEAD_S, False, LOST
        doubtful = recovery.lease_doubtful(db, options, mark, sendable_until)
        note = _note(mark, now, doubtful)
        db.execute("INSERT INTO notes VALUES (?, NULL, ?)", (now, note))
    learned = _learn(db, account, died_at, (why, sendable_until, uploads))
    doubts = "" if note else learned.in_words(sendable_until - died_at)
    kept = ""
    if options.on_ambiguous == "close":
        db.execute(_CLOSE_AMBIGUOUS, (GIVEN_UP, now))
        kept = _KEEP_CLOSED
    db.execute(_FORGET_UNTRIED)
    db.execute(_OPEN + kept)
    db.execute(_ADOPT)
    db.execute(_END_LAST_SESSION, (died_at, DIED))
    db.execute(_FORGET_END)
    db.execute(_SET_ASIDE)
    db.execute("UPDATE meta SET value = 'false' WHERE key = 'finished'")
    (sessions,) = db.execute("SELECT count(*) FROM sessions").fetchone()
    sql = "INSERT INTO sessions (number, started_at, changed) VALUES (?, ?, ?)"
    db.execute(sql, (sessions + 1, now, changed))
    return _remains(db, path, options, sessions, (note, doubts))


class _Learned(NamedTuple):
    """Counts of the jobs that a dead session's accounts told of, and of tickets in doubt."""

    adopted: int
    unanswered: int  # by the accounts
    by_time: int  # by the last sign of life
    why: str  # the accounts did not suffice; empty if they did

    def in_words(self, sendable_s: float) -> str:
        """For the log; empty where nothing is to be said."""
        words = []
        if self.adopted:
            words.append(f"{self.adopted:,} of those polled on by the account of what was sent")
        if self.unanswered:
            tickets = units.count(self.unanswered, "ticket")
            words.append(f"{tickets} newly ambiguous: sent, and not answered, by the account")
        if self.by_time:
            tickets, within = units.count(self.by_time, "ticket"), units.seconds(sendable_s)
            rule = f"due until {within} after the last sign of life ({self.why})"
            words.append(f"{tickets} newly ambiguous: {rule}")
        return "; ".join(words)


def _learn(
    db: sqlite3.Connection, account: Statement, died_at: float, rule: tuple[str, float, bool]
) -> _Learned:
    """Adopt the jobs that the account tells of, and mark what may have been sent.

    A complete account knows all that was. Else ``rule`` says what may have been: why, until
    when, and whether only after an upload.
    """
    adopted = sent_requests.adopt_answered(db, account.sent)
    by_time = 0
    if not account.is_complete:
        by_time = db.execute(_ADD_MAYBE, rule).rowcount
        db.execute(_MARK_AMBIGUOUS, rule[1:])
    unanswered = sent_requests.mark_unanswered(db, account.sent, SENT, died_at)
    return _Learned(adopted, unanswered, by_time, account.why)


def _note(mark: recovery.Mark, now: float, doubtful: int) -> str:
    age = units.seconds(max(0.0, now - mark.taken_at))
    may = f"{units.count(doubtful, 'job')} may have been submitted since then"
    marked = ", and are marked ambiguous" if doubtful else ""
    return f"it goes on from a checkpoint that was {age} old: {may}{marked}"


def left_in_the_kiosk(path: Path) -> int:
    """How many jobs of an interrupted run the Kiosk has, and nobody polls."""
    with opened(path) as db:
        number: int = db.execute(_LEFT).fetchone()[0]
    return number


def inputs_left(db: sqlite3.Connection, files: int, options: Mapping[str, Any]) -> Iterable[int]:
    """Numbers of the plan's ``files`` that a ticket may be left for, before the run is taken up.

    ``options`` are the ledger's. Raises what odd ones make it raise.
    """
    count, cycles = int(options.get("count", 0)), max(1, int(options.get("num_cycles", 1)))
    if not files or not count:
        return range(files)
    settled = Counter(dict(db.execute(_SETTLED_BY_NUMBER, (count, cycles)).fetchall()))
    rounds = range(0, count, files)
    return (
        number
        for number in range(min(files, count))
        if any(settled[begin + number] < cycles for begin in rounds if begin + number < count)
    )


def jobs_left_in_the_kiosk(db: sqlite3.Connection) -> Iterator[str]:
    """The ids of these jobs, of those of a process that died, and of those not told to expire."""
    return (job_id for (job_id,) in db.execute(_KNOWN_TO_THE_KIOSK))


def _remains(
    db: sqlite3.Connection, path: Path, options: Options, sessions: int, words: tuple[str, str]
) -> Remains:
    begun, last_id = db.execute(
        "SELECT (SELECT max(cycle) FROM cycles), (SELECT max(id) FROM tickets)"
    ).fetchone()
    flags = bytearray(0 if last_id is None else last_id + 1)
    adopted = 0
    for ticket_id, state in db.execute("SELECT id, state FROM tickets"):
        adopted += state == "submitted"
        flags[ticket_id] = _TRIED if state == "open" else _SETTLED
    counted = db.execute(
        "SELECT outcome, count(*) FROM tickets WHERE outcome IS NOT NULL GROUP BY 1"
    )
    submitted, done, failed = db.execute(
        """SELECT count(job_id), coalesce(sum(images_done), 0), coalesce(sum(images_failed), 0)
        FROM tickets"""
    ).fetchone()
    outcomes = Counter({Outcome(outcome): number for outcome, number in counted})
    return Remains(
        options,
        path,
        earlier=Earlier(sessions, outcomes, submitted, done, failed),
        begun=begun or 0,
        adopted=adopted,
        flags=bytes(flags),
        note=words[0],
        doubts=words[1],
    )


def _alive_at(db: sqlite3.Connection) -> float:
    """The last sign of life; none at all means that nothing was sent."""
    row = db.execute("SELECT value FROM meta WHERE key = 'alive_at'").fetchone()
    return float(row[0]) if row else 0.0


def _sendable_s(db: sqlite3.Connection) -> float:
    """How long after the last sign of life jobs may have been sent; workers may for a lease."""
    row = db.execute("SELECT value FROM meta WHERE key = 'sendable_s'").fetchone()
    return float(row[0]) if row else ALIVE_BOUND_S


def _record(db: sqlite3.Connection, row: sqlite3.Row) -> Record:
    """The record of a job that was submitted, as far as the ledger knows it."""
    ticket = Ticket(row["id"], row["cycle"], row["number"], row["due_at"], row["file"])
    record = Record(
        ticket,
        row["user_class"],
        JobRequest(**json.loads(row["body"])),
        row["taken_at"],
        attempts=_attempts(db, ticket.id),
        ambiguous=bool(row["ambiguous"]),
        job_id=row["job_id"],
        submitted_at=row["submitted_at"],
        polls=row["polls"],
    )
    known_after = [row["observed_after"], record.submitted_at]
    if change := db.execute(_LAST_CHANGE, (ticket.id,)).fetchone():
        record.changes.append(StatusChange(*change))
        known_after.append(record.changes[-1].after)
    record.observed_after = max((at for at in known_after if at is not None), default=None)
    return record


def _attempts(db: sqlite3.Connection, ticket_id: int) -> list[Attempt]:
    rows: Iterator[tuple[Any, ...]] = db.execute(_ATTEMPTS, (ticket_id,))
    return [
        Attempt(number, asked, sent, received, AttemptResult(result), *rest)
        for number, asked, sent, received, result, *rest in rows
    ]
