"""What a checkpoint leaves in doubt: all that its process may have sent, and as little else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.ledger import recovery
from kiosk_locust.ledger.recovery import Mark, lease_doubtful, put_mark
from tests.helpers.scenarios import make_options

SCHEMA = resources.files("kiosk_locust.ledger").joinpath("ledger.sql").read_text("utf-8")
BEGUN_AT, TAKEN_AT = 1000.0, 1010.0


def empty_ledger() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    return connection


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(empty_ledger()) as connection:
        yield connection


def begin(db: sqlite3.Connection, cycle: int = 1) -> None:
    db.execute("INSERT INTO cycles VALUES (?, ?, NULL)", (cycle, BEGUN_AT))


def add(db: sqlite3.Connection, ticket: int, state: str, due_at: float | None) -> None:
    sql = "INSERT INTO tickets (id, cycle, number, state, due_at, file, taken_at, outcome)"
    outcome = "done" if state == "closed" else None
    row = (ticket, 1, ticket, state, due_at, "image.png", 1.0, outcome)
    db.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


def leased(db: sqlite3.Connection, until: float) -> list[int]:
    sql = "SELECT id FROM tickets WHERE state = 'leased' AND coalesce(due_at, taken_at) <= ?"
    return sorted(i for (i,) in db.execute(sql, (until,)))


def mark(**given: Any) -> Mark:
    return Mark(TAKEN_AT, "ours", **given)


def test_what_was_due_since_then_is_in_doubt_and_nothing_later(db: sqlite3.Connection) -> None:
    begin(db)
    options = make_options(count=100, users=100, start_delay_s=1.0, workload="open")
    for ticket in range(10):
        add(db, ticket, "closed" if ticket % 2 else "submitted", BEGUN_AT + ticket)
    add(db, 10, "leased", BEGUN_AT + 10)
    add(db, 11, "leased", BEGUN_AT + 11)
    known = mark(has_begun=True, next_id=12, next_due_at=BEGUN_AT + 12)
    assert lease_doubtful(db, options, known, BEGUN_AT + 20) == 11
    assert leased(db, BEGUN_AT + 20) == list(range(10, 21))


def test_a_run_that_had_ended_leaves_no_doubt(db: sqlite3.Connection) -> None:
    begin(db)
    db.execute("INSERT INTO meta VALUES ('ended_at', '1011.0')")
    options = make_options(count=100, users=100, workload="open")
    assert lease_doubtful(db, options, mark(has_begun=True, next_id=0), 9999.0) == 0
    assert leased(db, 9999.0) == []


def test_a_process_that_had_not_begun_can_have_begun_at_the_checkpoint_at_the_earliest(
    db: sqlite3.Connection,
) -> None:
    options = make_options(count=100, users=100, start_delay_s=1.0, workload="open")
    assert lease_doubtful(db, options, mark(), TAKEN_AT + 4.5) == 5
    assert leased(db, TAKEN_AT + 4.5) == [0, 1, 2, 3, 4]


def test_a_closed_workload_is_bounded_by_its_horizon_while_that_holds(
    db: sqlite3.Connection,
) -> None:
    begin(db)
    options = make_options(count=100, users=4, workload="closed")
    known = mark(has_begun=True, next_id=3, horizon=30, held_until=TAKEN_AT + 600)
    for ticket in range(3):
        add(db, ticket, "closed", None)
    assert lease_doubtful(db, options, known, TAKEN_AT + 599) == 27
    assert leased(db, TAKEN_AT + 599) == list(range(3, 30))


def test_once_the_horizon_no_longer_held_all_that_is_left_is_in_doubt(
    db: sqlite3.Connection,
) -> None:
    begin(db)
    options = make_options(count=100, users=4, workload="closed")
    known = mark(has_begun=True, next_id=3, horizon=30, held_until=TAKEN_AT + 600)
    assert lease_doubtful(db, options, known, TAKEN_AT + 601) == 100


def test_a_checkpoint_is_used_once(db: sqlite3.Connection) -> None:
    put_mark(db, mark(next_id=7, horizon=12))
    assert recovery.mark_of(db) == mark(next_id=7, horizon=12)
    lease_doubtful(db, make_options(), mark(), TAKEN_AT)
    assert recovery.mark_of(db) is None


@settings(max_examples=60)
@given(
    gap_s=st.floats(0.01, 5),
    taken=st.integers(0, 60),
    ahead=st.integers(0, 15),
    shift_s=st.floats(0, 500),
    later_s=st.floats(0, 60),
    cycles=st.integers(1, 3),
)
def test_whatever_a_process_sends_in_time_is_in_doubt(
    gap_s: float,
    taken: int,
    ahead: int,
    shift_s: float,
    later_s: float,
    cycles: int,
) -> None:
    """The process goes on by its schedule after the checkpoint, as fast as that lets it."""
    count = 60
    options = make_options(
        count=count, users=count, start_delay_s=gap_s, workload="open", num_cycles=cycles
    )
    zero_at = TAKEN_AT - shift_s

    def due_at(ticket: int) -> float:
        return zero_at + ticket * gap_s

    settled = max(0, min(taken, count) - ahead)
    with closing(empty_ledger()) as db:
        begin(db)
        for ticket in range(min(taken, count)):
            add(db, ticket, "closed" if ticket < settled else "leased", due_at(ticket))
        coming = taken if taken < count else None
        known = mark(
            has_begun=True, next_id=coming, next_due_at=None if coming is None else due_at(taken)
        )
        until = TAKEN_AT + later_s
        lease_doubtful(db, options, known, until)
        found = set(leased(db, until))
    sent = {ticket for ticket in range(settled, count) if due_at(ticket) <= until}
    if len(sent) == count - settled:  # the next cycle begins at once at the earliest
        second = max(TAKEN_AT, due_at(count - 1))
        sent |= {count + n for n in range(count) if second + n * gap_s <= until and cycles > 1}
    assert sent <= found
