"""A ledger is taken up with the account that its process left: what was sent, answered, or not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.codec import encode
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger import recovery, send_account
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import Remains, take_up
from kiosk_locust.ledger.send_account import SendAccount
from kiosk_locust.model.record import Attempt, AttemptResult, JobRequest, Record
from kiosk_locust.model.ticket_events import Taken
from tests.helpers.scenarios import make_options, make_record

DIED_AT = 110.0  # tickets n are due at 100 + n, so by the old rule 0 to 10 may have been sent
ZERO_AT = 500.0


class Died:
    """A ledger and the account of its process, until that died."""

    def __init__(self, path: Path, *, keeps: bool = True) -> None:
        self.path = path
        self.ledger = Ledger.create(path, {"finished": "false"}, now=lambda: DIED_AT)
        self.ledger.begin_session(1, 90.0)
        self.ledger.begin_cycle(1, 100.0)
        self.account: SendAccount | None = None
        if keeps:
            self.ledger.keep_account(pool_size=4)
            self.account = self.ledger._account

    def leased(self, number: int) -> Record:
        record = make_record(number)
        self.ledger.lease(record)
        return record

    def sent(self, number: int) -> Record:
        record = self.leased(number)
        self.ledger.about_to_send(record)
        return record

    def answered(self, number: int, job_id: str = "") -> Record:
        """The answer is in the account, and what the ledger was told of it is lost."""
        record = self.sent(number)
        assert self.account is not None
        self.account.ended(record, accepted(1, job_id or f"s:{number}"))
        return record

    def left(self, **options: Any) -> Remains:
        self.ledger.settle()
        if self.account:
            self.account._leave()  # its process is dead: nobody holds the file
        planned = make_options(**({"count": 20, "users": 20, "start_delay_s": 1.0} | options))
        return self.ledger.within(lambda db: take_up(db, self.path, planned, now=ZERO_AT))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql).fetchall()

    @property
    def ambiguous(self) -> list[int]:
        return [i for (i,) in self.rows("SELECT id FROM tickets WHERE ambiguous ORDER BY id")]


def accepted(number: int, job_id: str) -> Attempt:
    return Attempt(number, 100.0, 100.5, 100.6, AttemptResult.ACCEPTED, 200, job_id=job_id)


@pytest.fixture
def died(tmp_path: Path) -> Iterator[Died]:
    made = Died(tmp_path / "run.db")
    yield made
    made.ledger.discard()


def test_of_what_was_leased_only_what_was_sent_and_not_answered_is_ambiguous(died: Died) -> None:
    for number in (0, 1, 2, 4):
        died.leased(number)
    died.sent(3)
    remains = died.left()
    assert died.ambiguous == [3]
    assert died.rows("SELECT ticket_id, number, result FROM attempts") == [(3, 1, "maybe")]
    assert [t.number for t in remains.tickets(1, ZERO_AT)] == list(range(20))
    assert str(remains).endswith(
        "; 1 ticket newly ambiguous: sent, and not answered, by the account"
    )


def test_what_was_answered_is_polled_on_and_never_sent_again(died: Died) -> None:
    died.answered(5)
    remains = died.left()
    (adopted,) = remains.adopt()
    assert (adopted.job_id, adopted.submitted_at, adopted.ambiguous) == ("s:5", 100.5, False)
    assert [(a.number, a.result, a.job_id) for a in adopted.attempts] == [(1, "accepted", "s:5")]
    assert 5 not in [ticket.number for ticket in remains.tickets(1, ZERO_AT)]
    assert remains.earlier.submitted == 1
    assert "1 of those polled on by the account of what was sent" in str(remains)


def test_what_the_kiosk_refused_is_not_ambiguous_though_the_ledger_lacks_it(died: Died) -> None:
    record = died.sent(2)
    assert died.account is not None
    died.account.ended(record, Attempt(1, 100.0, 100.1, 100.2, AttemptResult.REFUSED, 503))
    died.left()
    assert died.ambiguous == []


def test_what_the_ledger_has_already_is_not_told_twice(died: Died) -> None:
    maybe, done = died.sent(1), died.sent(2)
    lost = Attempt(1, 100.0, 100.1, None, AttemptResult.MAYBE, 500)
    maybe.attempts, maybe.ambiguous = [lost], True
    died.ledger.attempt(maybe, lost)
    done.attempts, done.job_id = [accepted(1, "s:2")], "s:2"
    died.ledger.attempt(done, done.attempts[0])
    died.ledger.submit(done)
    died.left()
    rows = died.rows("SELECT ticket_id, number, result, job_id FROM attempts ORDER BY ticket_id")
    assert rows == [(1, 1, "maybe", None), (2, 1, "accepted", "s:2")]


def test_a_second_job_of_a_ticket_is_an_attempt_more_and_makes_it_ambiguous(died: Died) -> None:
    record = died.answered(2, "s:first")
    record.job_id = "s:second"
    died.ledger.submit(record)
    died.left()
    assert died.ambiguous == [2]
    assert died.rows("SELECT job_id FROM tickets") == [("s:second",)]
    assert died.rows("SELECT number, job_id FROM attempts") == [(1, "s:first")]


def test_an_attempt_on_the_disk_whose_job_is_not_there_yet_is_adopted_too(died: Died) -> None:
    record = died.sent(2)
    record.attempts, record.job_id = [accepted(1, "s:2")], "s:2"
    died.ledger.attempt(record, record.attempts[0])  # and dies before the ledger is told more
    remains = died.left()
    assert [adopted.job_id for adopted in remains.adopt()] == ["s:2"]
    assert died.rows("SELECT number, job_id FROM attempts") == [(1, "s:2")]
    assert died.ambiguous == []


def test_it_is_taken_in_once_whoever_dies_afterwards(died: Died) -> None:
    died.answered(5)
    died.sent(6)
    first, second = died.left(), died.left()
    assert (first.adopted, second.adopted) == (1, 1)
    assert died.rows("SELECT ticket_id, result FROM attempts") == [(5, "accepted"), (6, "maybe")]
    assert died.rows("SELECT * FROM meta WHERE key = 'send_account'") == []


@pytest.mark.parametrize("lack", ["none was kept", "gone", "rolled back", "disk lost"])
def test_without_it_the_last_sign_of_life_decides(tmp_path: Path, lack: str) -> None:
    died = Died(tmp_path / "run.db", keeps=lack != "none was kept")
    for number in (9, 10, 11):
        died.leased(number)
    died.sent(3)
    path = send_account.path_of(died.path)
    if lack == "gone":
        path.unlink()
    elif lack == "rolled back":
        died.ledger.settle()
        assert died.account is not None
        died.account.ledger_is_alive(DIED_AT + 1)
    elif lack == "disk lost":
        mark = recovery.Mark(taken_at=DIED_AT, process="1", has_begun=True, next_id=12)
        died.ledger.set_meta(**{recovery.KEY: mark.as_text()})
    remains = died.left()
    assert set(died.ambiguous) >= {3, 9, 10}
    if lack == "disk lost":
        assert "checkpoint" in remains.note
    else:
        assert 11 not in died.ambiguous
        assert "3 tickets newly ambiguous: due until 500 ms after the last sign" in str(remains)
    died.ledger.discard()


def of_worker(died: Died, name: str) -> SendAccount:
    place = send_account.place_of(died.path)
    account = send_account.keep_at_worker(place, lambda: 0, pool_size=4)
    assert account is not None
    died.ledger.set_meta(**{f"send_account:{name}": account.token})
    return account


def test_a_masters_ledger_is_taken_up_with_the_accounts_of_all_its_workers(died: Died) -> None:
    records = [died.leased(number) for number in range(5)]
    first, second = of_worker(died, "a"), of_worker(died, "b")
    first.about_to_send(records[1])
    second.about_to_send(records[2])
    first.about_to_send(records[3])
    first.ended(records[3], accepted(1, "s:3"))
    for account in (first, second):
        account._leave()
    remains = died.left()
    assert died.ambiguous == [1, 2]
    assert [record.job_id for record in remains.adopt()] == ["s:3"]


@pytest.mark.parametrize("lack", ["keeps none", "is gone", "lives"])
def test_one_worker_without_an_account_and_nobody_concludes_from_a_silence(
    died: Died, lack: str
) -> None:
    records = [died.leased(number) for number in range(5)]
    first, second = of_worker(died, "a"), of_worker(died, "b")
    first.about_to_send(records[3])
    first.ended(records[3], accepted(1, "s:3"))
    first._leave()
    if lack == "keeps none":
        died.ledger.set_meta(**{"send_account:b": ""})
    elif lack == "is gone":
        second.remove()
    remains = died.left()
    assert died.ambiguous == [0, 1, 2, 4]
    assert [record.job_id for record in remains.adopt()] == ["s:3"]
    second.remove()


def test_a_job_of_a_worker_whose_news_were_lost_has_its_user_class_and_request(died: Died) -> None:
    record = make_record(3)
    record.user_class, record.request = "", JobRequest("", "", "")  # as a master leases it
    died.ledger.lease(record)
    request = JobRequest("mesmer", "b.tif", "uploads/b.tif", channels="0,1")
    account = of_worker(died, "a")
    account.about_to_send(record, dumps(encode(Taken("Two", request, 104.0))))
    account.ended(record, accepted(1, "m:3"))
    account._leave()
    (adopted,) = died.left().adopt()
    assert (adopted.user_class, adopted.request, adopted.taken_at) == ("Two", request, 104.0)
    died.ledger.within(died.ledger.learn_requests)
    died.leased(4)  # a request of another kind gets a number of its own
    died.ledger.settle()
    assert died.rows("SELECT count(*), count(DISTINCT id) FROM requests") == [(3, 3)]
