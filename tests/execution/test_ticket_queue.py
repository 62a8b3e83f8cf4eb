"""Who gets which ticket."""

from __future__ import annotations

from collections.abc import Iterator

import gevent

from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.model.record import Ticket


def of_cycle(cycle: int, started_at: float) -> Iterator[Ticket]:
    return (Ticket(10 * cycle + n, cycle, n, started_at + n, "a.png") for n in range(3))


def begun() -> Tickets:
    tickets = Tickets(of_cycle)
    tickets.begin(1, 100.0)
    return tickets


def take(tickets: Tickets) -> Ticket:
    ticket = tickets.take()
    assert ticket is not None
    return ticket


def test_tickets_are_handed_out_in_order_each_once() -> None:
    tickets = begun()
    assert [take(tickets).number for _ in range(3)] == [0, 1, 2]


def test_a_ticket_given_back_is_the_next_to_be_taken() -> None:
    tickets = begun()
    first = take(tickets)
    take(tickets)
    tickets.give_back(first)
    assert take(tickets) is first


def test_a_ticket_is_written_as_open_before_anybody_can_take_it_again() -> None:
    written: list[tuple[Ticket, Ticket | None]] = []
    tickets = Tickets(of_cycle, lambda ticket: written.append((ticket, tickets.earliest())))
    tickets.begin(1, 100.0)
    first = take(tickets)
    tickets.give_back(first)
    assert written == [(first, None)]


def test_who_waits_gets_the_ticket_that_is_given_back() -> None:
    tickets = begun()
    taken = [take(tickets) for _ in range(3)]
    waiting = gevent.spawn(tickets.take)
    gevent.idle()
    tickets.give_back(taken[1])
    assert waiting.get(timeout=5) is taken[1]


def test_who_waits_gets_none_when_it_is_over() -> None:
    tickets = begun()
    for _ in range(3):
        take(tickets)
    waiting = gevent.spawn(tickets.take)
    gevent.idle()
    tickets.stop()
    assert waiting.get(timeout=5) is None


def test_idle_means_none_left_and_none_out_even_if_nobody_asks_for_more() -> None:
    tickets = begun()
    taken = [take(tickets) for _ in range(3)]
    for ticket in taken[:2]:
        tickets.closed(ticket)
    assert not tickets.wait_idle(timeout_s=0)
    tickets.closed(taken[2])
    assert tickets.wait_idle(timeout_s=0)


def test_a_stopped_run_is_idle_when_what_was_taken_is_closed() -> None:
    tickets = begun()
    ticket = take(tickets)
    tickets.stop()
    assert not tickets.wait_idle(timeout_s=0)
    tickets.closed(ticket)
    assert tickets.wait_idle(timeout_s=0)


def test_left_are_those_taken_given_back_or_never_taken() -> None:
    tickets = begun()
    first = take(tickets)
    take(tickets)
    tickets.give_back(first)
    tickets.stop()
    assert sorted(t.number for t in tickets.left()) == [0, 1, 2]


def test_the_next_cycle_hands_out_its_own_tickets() -> None:
    tickets = begun()
    for _ in range(3):
        tickets.closed(take(tickets))
    waiting = gevent.spawn(tickets.take)
    gevent.idle()
    tickets.begin(2, 500.0)
    ticket = waiting.get(timeout=5)
    assert (ticket.cycle, ticket.number, ticket.due_at) == (2, 0, 500.0)
