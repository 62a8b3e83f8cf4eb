"""Takes the accounts of a session that died into its ledger: jobs it lacks, requests in doubt.

A session is silent about a ticket only if each process that could send has an account, and all of
them can be read to the end. Then a lease that none of them mentions was not sent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.apply_event import attempt_of, taken_of
from kiosk_locust.ledger.send_account import Sent, Statement
from kiosk_locust.model.record import Attempt, JobRequest

_TOKENS = "SELECT key, value FROM meta WHERE key = ?1 OR substr(key, 1, length(?1) + 1) = ?1 || ':'"
_FORGET = "DELETE FROM meta WHERE key = ?1 OR substr(key, 1, length(?1) + 1) = ?1 || ':'"
_ADD = """INSERT INTO attempts SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
    FROM attempts WHERE ticket_id = ?1"""
_SUBMIT = """UPDATE tickets SET state = 'submitted', job_id = ?, submitted_at = ?, outcome = NULL,
    reason = NULL, closed_at = NULL WHERE id = ? AND job_id IS NULL"""
_DUE = """SELECT coalesce(max(coalesce(due_at, taken_at), taken_at), due_at, ?) FROM tickets
    WHERE id = ?"""
_AMBIGUOUS = "UPDATE tickets SET ambiguous = 1 WHERE id = ?"
_AMBIGUOUS_IF_ANOTHER = _AMBIGUOUS + " AND job_id <> ?"
_TAKEN = """UPDATE tickets SET user_class = ?, taken_at = ?, request_id = ?
    WHERE id = ? AND user_class = ''"""


def gather(db: sqlite3.Connection, ledger: Path, alive_at: float) -> Statement:
    """Read all accounts of the session that the ledger's last process was in, as one.

    Forgets them: the next session has others. ``alive_at`` is the ledger's last sign of life.
    """
    rows = db.execute(_TOKENS, (send_account.KEY,)).fetchall()
    db.execute(_FORGET, (send_account.KEY,))
    if send_account.KEY not in dict(rows):
        return Statement()
    sent: list[Sent] = []
    why = ""
    for key, token in rows:
        statement = _statement(ledger, token, key == send_account.KEY, alive_at)
        sent += statement.sent
        why = why or statement.why
    tickets = {ticket for (ticket,) in _tickets_of(db, sent)}
    if any(request.ticket_id not in tickets for request in sent):
        why = why or "the account of what was sent is of another ledger"
    return Statement(tuple(s for s in sent if s.ticket_id in tickets), not why, why)


def _statement(ledger: Path, token: str, is_own: bool, alive_at: float) -> Statement:  # noqa: FBT001
    if not send_account.TOKEN.fullmatch(token):
        return Statement(why="a worker kept no account of what it sent")
    path = send_account.path_of(ledger, "" if is_own else token)
    return send_account.read(path, token, ledger_alive_at=alive_at if is_own else None)


def _tickets_of(db: sqlite3.Connection, sent: list[Sent]) -> Iterator[tuple[int]]:
    for request in sent:
        yield from db.execute("SELECT id FROM tickets WHERE id = ?", (request.ticket_id,))


def adopt_answered(db: sqlite3.Connection, sent: tuple[Sent, ...]) -> int:
    """Give tickets the jobs that were answered and are not in the ledger; returns how many.

    A second job of a ticket that has one is an attempt of its own, and makes it ambiguous.
    """
    adopted = 0
    for request in sent:
        answer = request.answer
        if answer is None:
            continue
        # The attempt may be on the disk, and that it made a job may not be: they are two news.
        if not _has_attempt(db, request.ticket_id, "job_id = ?", answer.job_id):
            _add(db, request.ticket_id, attempt_of(request))
        row = (answer.job_id, answer.sent_at, request.ticket_id)
        if db.execute(_SUBMIT, row).rowcount:
            adopted += 1
            _keep_taken(db, request)
        else:
            db.execute(_AMBIGUOUS_IF_ANOTHER, (request.ticket_id, answer.job_id))
    return adopted


def mark_unanswered(
    db: sqlite3.Connection, sent: tuple[Sent, ...], why: str, died_at: float
) -> int:
    """Add an attempt that may have arrived for each without an answer; returns the tickets.

    It counts as asked for when its ticket was due, or else at ``died_at`` (epoch seconds).
    """
    marked = set()
    for request in sent:
        is_maybe = "number = ? AND result = 'maybe'"
        if request.answer or _has_attempt(db, request.ticket_id, is_maybe, request.number):
            continue
        (due_at,) = db.execute(_DUE, (died_at, request.ticket_id)).fetchone()
        _add(db, request.ticket_id, attempt_of(request, why, due_at))
        db.execute(_AMBIGUOUS, (request.ticket_id,))
        marked.add(request.ticket_id)
    return len(marked)


def _has_attempt(db: sqlite3.Connection, ticket_id: int, which: str, value: object) -> bool:
    sql = f"SELECT 1 FROM attempts WHERE ticket_id = ? AND {which}"  # noqa: S608  ours
    return db.execute(sql, (ticket_id, value)).fetchone() is not None


def _add(db: sqlite3.Connection, ticket_id: int, attempt: Attempt) -> None:
    row = (
        *(ticket_id, attempt.asked_at, attempt.sent_at, attempt.received_at, attempt.result.value),
        *(attempt.http_status, attempt.error or None, attempt.job_id or None),
    )
    db.execute(_ADD, row)


def _keep_taken(db: sqlite3.Connection, request: Sent) -> None:
    """Write what a worker's news would have told, where they did not arrive."""
    taken = taken_of(request)
    if taken is not None:
        row = (taken.user_class, taken.taken_at, _request_id(db, taken.request), request.ticket_id)
        db.execute(_TAKEN, row)


def _request_id(db: sqlite3.Connection, request: JobRequest) -> int:
    body = json.dumps(asdict(request))
    row = db.execute("SELECT max(id) FROM requests WHERE body = ?", (body,)).fetchone()
    if row[0] is None:
        return int(db.execute("INSERT INTO requests (body) VALUES (?)", (body,)).lastrowid or 0)
    return int(row[0])
