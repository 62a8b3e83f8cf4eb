"""What may have been submitted after the last news of a run whose disk is lost.

A checkpoint knows what was submitted until it was taken. Its process went on, nobody knows for how
long, and what it did is gone with its disk. What bounds it:

- In an open workload no job is sent before it is due. The checkpoint says which ticket came next
  and when it was due, so the plan tells when all others were; what was not yet due when the run is
  taken up again was surely not sent.
- In a closed workload no time was promised. There a process hands out no ticket from the
  checkpoint's ``horizon`` on until a newer checkpoint stands in the bucket, or until
  ``held_until``.

Those tickets are made *leased*, which means to a resume that they may have been sent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from kiosk_locust.ledger import sql as statements
from kiosk_locust.model import arrivals
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Ticket

#: Under this key of a copy's ``meta`` stands what its process was about to do; no ledger that a
#: process writes to has it.
KEY = "checkpoint"

_LEASE = """INSERT INTO tickets (id, cycle, number, state, due_at, file, taken_at)
    VALUES (?, ?, ?, 'leased', ?, ?, ?)"""
_MAY_BE_SENT = "UPDATE tickets SET state = 'leased' WHERE id = ?"
_UNSETTLED = "('open', 'leased')"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a process that takes a checkpoint is about to do; times in epoch seconds."""

    taken_at: float
    process: str  # a number of its own, drawn at random
    has_begun: bool = False  # whether it has begun to hand out tickets
    next_id: int | None = None  # of the ticket that is handed out next; None: none in this cycle
    next_due_at: float | None = None
    horizon: int | None = None  # of a closed workload: tickets from this one on are held back,
    held_until: float = 0.0  # until a newer checkpoint stands, or until this moment

    def as_text(self) -> str:
        """As a ledger keeps it."""
        return json.dumps(asdict(self))


def mark_of(db: sqlite3.Connection) -> Mark | None:
    """The mark of a ledger that was a checkpoint; None of any other."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    return Mark(**json.loads(row[0])) if row else None


def put_mark(db: sqlite3.Connection, mark: Mark) -> None:
    """Make a ledger's copy a checkpoint."""
    db.execute(statements.META, (KEY, mark.as_text()))


def lease_doubtful(db: sqlite3.Connection, options: Options, mark: Mark, until: float) -> int:
    """Make leased what may have been sent until ``until`` (epoch seconds); returns how many.

    Takes the mark away. A run that had come to its end did not go on.
    """
    db.execute("DELETE FROM meta WHERE key = ?", (KEY,))
    if db.execute("SELECT 1 FROM meta WHERE key = 'ended_at'").fetchone():
        return 0
    for ticket in _doubtful(db, options, mark, until):
        row = (ticket.id, ticket.cycle, ticket.number, ticket.due_at, ticket.file, mark.taken_at)
        if not db.execute(_MAY_BE_SENT, (ticket.id,)).rowcount:
            db.execute(_LEASE, row)
    sql = "SELECT count(*) FROM tickets WHERE state = 'leased' AND coalesce(due_at, taken_at) <= ?"
    (number,) = db.execute(sql, (until,)).fetchone()
    return int(number)


def _doubtful(
    db: sqlite3.Connection, options: Options, mark: Mark, until: float
) -> Iterator[Ticket]:
    """Tickets of the plan that are neither submitted nor closed, and may have been by then."""
    settled = {
        ticket_id
        for (ticket_id,) in db.execute(f"SELECT id FROM tickets WHERE state NOT IN {_UNSETTLED}")  # noqa: S608  a constant of ours
    }
    leased = {i for (i,) in db.execute("SELECT id FROM tickets WHERE state = 'leased'")}
    begun = db.execute("SELECT coalesce(max(cycle), 0) FROM cycles").fetchone()[0]
    for cycle in range(1, options.num_cycles + 1):
        if options.workload == "closed":
            due = _handed_out(options, mark, cycle, until)
        else:
            due = _due(options, mark, cycle, _Known(begun, settled, until))
        yield from (t for t in due if t.id not in settled and t.id not in leased)


def _handed_out(options: Options, mark: Mark, cycle: int, until: float) -> Iterator[Ticket]:
    """Those below the horizon while it held, and afterwards all, unless they have no end."""
    plan = arrivals.tickets(options, cycle, mark.taken_at)
    is_bounded = mark.horizon is not None and (until <= mark.held_until or not options.count)
    for ticket in plan:
        if is_bounded and mark.horizon is not None and ticket.id >= mark.horizon:
            return
        yield Ticket(ticket.id, cycle, ticket.number, None, ticket.file)


class _Known(NamedTuple):
    """What a checkpoint knows, and until when jobs may have been sent."""

    begun: int  # the last cycle that had begun; 0: none had
    settled: set[int]  # tickets that are submitted or closed
    until: float


def _due(options: Options, mark: Mark, cycle: int, known: _Known) -> Iterator[Ticket]:
    """Those due by then: all that earlier cycles left, and later ones not before the checkpoint.

    In the cycle that had begun, the plan is shifted so that the ticket which came next was due
    when the mark says. A process that had not begun would have begun with the first one left, and
    not before the checkpoint.
    """
    is_over = cycle < known.begun or (
        cycle == known.begun and mark.has_begun and mark.next_id is None
    )
    if is_over:  # all were handed out; those that are not in the ledger are few, and overdue
        yield from arrivals.tickets(options, cycle, mark.taken_at)
        return
    plan = arrivals.tickets(options, cycle, 0.0)
    shift_s = mark.taken_at
    if cycle == known.begun:
        shift_s = _shift_s(arrivals.tickets(options, cycle, 0.0), mark, known.settled)
    for ticket in plan:
        due_at = (ticket.due_at or 0.0) + shift_s
        if due_at > known.until:
            return
        yield replace(ticket, due_at=due_at)


def _shift_s(plan: Iterator[Ticket], mark: Mark, settled: set[int]) -> float:
    """When the cycle would have begun with its first ticket, by the one that came next."""
    for ticket in plan:
        if mark.next_id is None and ticket.id not in settled:
            return mark.taken_at - (ticket.due_at or 0.0)
        if ticket.id == mark.next_id:
            return (mark.next_due_at or mark.taken_at) - (ticket.due_at or 0.0)
    return mark.taken_at
