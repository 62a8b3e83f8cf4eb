"""What is left of a run, by a ledger whose process died or was interrupted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import OPEN_WORK, Remains, jobs_left_in_the_kiosk, take_up
from kiosk_locust.ledger.writer import ALIVE_BOUND_S
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record, Ticket
from tests.helpers.records import close_in
from tests.helpers.scenarios import make_options, make_record

DIED_AT = 110.0  # tickets n are due at 100 + n
ZERO_AT = 500.0


class Died:
    """A ledger that was written as a run would have, until its process died."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger.create(path, {"finished": "false"}, now=lambda: DIED_AT)
        self.ledger.begin_session(1, 90.0)
        self.ledger.begin_cycle(1, 100.0)

    def leased(self, number: int) -> Record:
        record = make_record(number)
        self.ledger.lease(record)
        return record

    def submitted(self, number: int) -> Record:
        record = self.leased(number)
        record.job_id, record.submitted_at = f"s:{number}", 100.0 + number
        self.tried(record, AttemptResult.ACCEPTED)
        self.ledger.submit(record)
        return record

    def tried(self, record: Record, result: AttemptResult) -> Record:
        attempt = Attempt(len(record.attempts) + 1, 100.0, 100.0, None, result)
        record.attempts.append(attempt)
        record.ambiguous |= result is AttemptResult.MAYBE
        self.ledger.attempt(record, attempt)
        return record

    def closed(self, record: Record, outcome: Outcome) -> Record:
        record.outcome, record.closed_at = outcome, 105.0
        close_in(self.ledger, record)
        return record

    def left(self, **options: Any) -> Remains:
        """What is left, by a session that begins at ZERO_AT."""
        self.ledger.settle()
        planned = planned_options(**options)
        return self.ledger.within(lambda db: take_up(db, self.path, planned, now=ZERO_AT))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql).fetchall()


def planned_options(**changes: Any) -> Options:
    return make_options(**({"count": 20, "users": 20, "start_delay_s": 1.0} | changes))


@pytest.fixture
def died(tmp_path: Path) -> Iterator[Died]:
    made = Died(tmp_path / "run.db")
    yield made
    made.ledger.close()


def numbers(tickets: Iterator[Ticket]) -> list[int]:
    return [ticket.number for ticket in tickets]


def test_a_new_run_has_all_of_its_schedule_left() -> None:
    remains = Remains(planned_options(num_cycles=2))
    assert list(remains.cycles) == [1, 2]
    assert numbers(remains.tickets(1, ZERO_AT)) == list(range(20))


def test_what_the_kiosk_ended_stays_closed_and_what_it_has_is_polled_on(died: Died) -> None:
    died.closed(died.submitted(0), Outcome.DONE)
    died.closed(died.submitted(1), Outcome.FAILED)
    died.submitted(2)
    for number, outcome in ((3, Outcome.UNFINISHED), (4, Outcome.TIMEOUT), (5, Outcome.ERROR)):
        died.closed(died.submitted(number), outcome)
    remains = died.left()
    assert remains.earlier.outcomes == {Outcome.DONE: 1, Outcome.FAILED: 1}
    assert [record.job_id for record in remains.adopt()] == ["s:2", "s:3", "s:4", "s:5"]
    assert numbers(remains.tickets(1, ZERO_AT)) == list(range(6, 20))
    states = died.rows("SELECT state, outcome FROM tickets ORDER BY id")
    assert states[2:] == [("submitted", None)] * 4


def test_only_a_lease_that_was_due_by_the_last_sign_of_life_may_have_been_sent(died: Died) -> None:
    last = int(DIED_AT + ALIVE_BOUND_S) - 100
    for number in (last, last + 1):
        died.leased(number)
    remains = died.left()
    assert {last, last + 1} <= set(numbers(remains.tickets(1, ZERO_AT)))
    assert died.rows("SELECT ticket_id, number, result FROM attempts") == [(last, 1, "maybe")]
    recalled = make_record(last)
    remains.recall(recalled)
    assert (recalled.ambiguous, len(recalled.attempts)) == (True, 1)


def test_what_a_masters_workers_may_have_sent_without_it_may_have_been_sent(died: Died) -> None:
    died.ledger.set_meta(sendable_s="5.0")
    last = int(DIED_AT + 5) - 100
    for number in (last, last + 1):
        died.leased(number)
    died.left()
    assert died.rows("SELECT ticket_id FROM attempts") == [(last,)]
    assert died.rows("SELECT value FROM meta WHERE key = 'sendable_s'") == []


def test_a_lease_that_was_promised_no_time_may_have_been_sent(died: Died) -> None:
    record = make_record(3)
    record.ticket = Ticket(3, 1, 3, None, "image.png")
    died.ledger.lease(record)
    died.left(workload="closed")
    assert died.rows("SELECT id, ambiguous FROM tickets") == [(3, 1)]


def test_what_may_have_been_sent_is_closed_if_the_user_wants_it_so(died: Died) -> None:
    died.leased(0)
    died.closed(died.tried(died.leased(1), AttemptResult.MAYBE), Outcome.UNFINISHED)
    died.closed(died.tried(died.leased(2), AttemptResult.NOT_SENT), Outcome.ERROR)
    remains = died.left(on_ambiguous="close")
    assert remains.earlier.outcomes == {Outcome.ERROR: 2}
    assert numbers(remains.tickets(1, ZERO_AT)) == list(range(2, 20))
    again = died.left(on_ambiguous="resubmit")
    assert numbers(again.tickets(1, ZERO_AT)) == list(range(20))


def test_the_schedule_is_shifted_so_that_the_first_ticket_left_is_due_at_time_zero(
    died: Died,
) -> None:
    for number in (0, 1, 3):
        died.closed(died.submitted(number), Outcome.DONE)
    due = [(t.number, t.due_at) for t in died.left().tickets(1, ZERO_AT)]
    assert due[:3] == [(2, ZERO_AT), (4, ZERO_AT + 2), (5, ZERO_AT + 3)]


def test_a_closed_workload_begins_with_a_first_round_of_the_users_that_are_free(
    died: Died,
) -> None:
    for number in range(3):
        died.submitted(number)
    remains = died.left(workload="closed", users=5)
    due = [ticket.due_at for ticket in remains.tickets(1, ZERO_AT)]
    assert due[:3] == [ZERO_AT, ZERO_AT + 1, None]


def test_open_ends_of_an_earlier_cycle_come_first_and_are_overdue(died: Died) -> None:
    died.ledger.end_cycle(1, 130.0)
    died.ledger.begin_cycle(2, 140.0)
    for number in range(20):
        if number != 7:
            died.closed(died.submitted(number), Outcome.DONE)
    remains = died.left(num_cycles=3)
    assert list(remains.cycles) == [2, 3]
    found = [(t.cycle, t.number, t.due_at) for t in remains.tickets(2, ZERO_AT)]
    assert found[:2] == [(1, 7, ZERO_AT), (2, 0, ZERO_AT)]


def test_a_process_that_dies_right_after_it_took_up_leaves_the_same_truth(died: Died) -> None:
    died.closed(died.submitted(0), Outcome.DONE)
    died.submitted(1)
    died.leased(2)
    died.closed(died.leased(3), Outcome.UNFINISHED)
    first, second = died.left(), died.left()
    assert numbers(first.tickets(1, ZERO_AT)) == numbers(second.tickets(1, ZERO_AT))
    assert first.adopted == second.adopted == 1
    assert first.earlier.outcomes == second.earlier.outcomes
    assert died.rows("SELECT count(*) FROM attempts WHERE result = 'maybe'") == [(1,)]


def test_an_adopted_job_knows_when_it_was_last_seen_not_final(died: Died) -> None:
    record = died.submitted(4)
    record.observed_after = 106.0
    died.closed(record, Outcome.UNFINISHED)
    (adopted,) = died.left().adopt()
    assert (adopted.observed_after, adopted.submitted_at) == (106.0, 104.0)


def test_what_the_end_of_an_earlier_session_found_is_gone_or_set_aside(died: Died) -> None:
    died.ledger.set_meta(
        judgement="{}", page="{}", cost="{}", ended_by="us", generator="its figures"
    )
    died.left()
    kept = dict(died.rows("SELECT key, value FROM meta"))
    assert not {"judgement", "page", "cost", "ended_by", "generator"} & set(kept)
    assert kept["earlier_generator"] == "its figures"
    died.left()  # one that died before it was judged
    kept = dict(died.rows("SELECT key, value FROM meta"))
    assert kept["earlier_generator"] == "its figures"


@pytest.mark.parametrize("sql", OPEN_WORK)
def test_finding_open_work_never_scans_the_tickets(sql: str, tmp_path: Path) -> None:
    Ledger.create(tmp_path / "run.db", {}).close()
    with closing(sqlite3.connect(tmp_path / "run.db")) as db:
        values = [1] * sql.count("?")
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [step for step in plan if step.startswith("SCAN")], plan
    assert [step for step in plan if "tickets_not_closed" in step or "tickets_open_ends" in step]


def test_a_job_that_is_done_and_was_not_told_to_expire_is_left_in_the_kiosk(tmp_path: Path) -> None:
    died = Died(tmp_path / "a.db")
    for number in (1, 2):
        record = died.submitted(number)
        record.outcome, record.closed_at = Outcome.DONE, 105.0
        close_in(died.ledger, record)
        record.expire_error = "503: too busy" if number == 2 else ""
        died.ledger.expire_failed(record)
    died.ledger.close()
    with closing(sqlite3.connect(died.path)) as db:
        assert list(jobs_left_in_the_kiosk(db)) == ["s:2"]
