"""A worker's stock: each grant once, the earliest ticket first."""

from __future__ import annotations

from kiosk_locust.distributed.granted_tickets import Stock
from kiosk_locust.distributed.messages import Grant
from kiosk_locust.distributed.ticket_pool import UNKNOWN
from kiosk_locust.model.record import Record, Ticket


def record(number: int, due_at: float | None, job_id: str = "") -> Record:
    return Record(Ticket(number, 1, number, due_at, "a.png"), "", UNKNOWN, 0.0, job_id=job_id)


def numbers(stock: Stock) -> list[int]:
    return [r.ticket.id for r in stock.empty()]


def test_a_grant_that_comes_twice_is_taken_in_once() -> None:
    stock = Stock()
    grant = Grant(1, (record(1, 1.0),))
    stock.receive(grant)
    stock.receive(grant)
    assert (stock.ask, numbers(stock)) == (2, [1])


def test_tickets_are_taken_in_the_order_of_their_due_times_those_without_one_first() -> None:
    stock = Stock()
    stock.receive(Grant(1, (record(1, 9.0), record(2, 3.0), record(3, None))))
    assert numbers(stock) == [3, 2, 1]


def test_jobs_to_adopt_are_no_stock() -> None:
    stock = Stock()
    jobs = stock.receive(Grant(1, (record(1, 1.0, "job"), record(2, 1.0))))
    assert [r.job_id for r in jobs] == ["job"]
    assert numbers(stock) == [2]


def test_only_the_room_that_is_left_is_wanted() -> None:
    stock = Stock()
    stock.receive(Grant(1, (record(1, 1.0), record(2, 1.0))))
    assert (stock.wanted(5), stock.wanted(1)) == (3, 0)


def test_a_ticket_given_back_comes_before_later_ones() -> None:
    stock = Stock()
    stock.put(record(2, 2.0))
    stock.put(record(1, 1.0))
    assert [r and r.ticket.id for r in (stock.earliest(), stock.take())] == [1, 1]
