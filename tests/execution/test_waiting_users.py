"""Users that wait for their slots, and which of them takes what lost its user."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.clock import SystemClock
from kiosk_locust.execution.waiting_users import WaitingUsers
from kiosk_locust.model.record import Ticket


class Queue:
    """As many takers, and such a ticket that no user has, as a test wants."""

    takers = 0
    given_back: Ticket | None = None

    def earliest(self) -> Ticket | None:
        return self.given_back


class Scene:
    """Users that wait for the slots of tickets 3, 5 and 7, an hour away."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.queue = Queue()
        self.stopping = Event()
        queue: Any = self.queue  # it has what is asked of one
        self.users = WaitingUsers(queue, self.clock, self.stopping)
        self.waiting = {number: gevent.spawn(self._wait, number) for number in (3, 5, 7)}
        gevent.idle()

    def ticket(self, number: int, due_in_s: float = 3600.0) -> Ticket:
        return Ticket(number, 1, number, self.clock.now() + due_in_s, "")

    def _wait(self, number: int) -> bool:
        return self.users.await_slot(self.ticket(number))

    @property
    def roused(self) -> list[int]:
        """The users that wait no longer, each without its slot."""
        gevent.sleep(0.01)
        return [number for number, user in self.waiting.items() if user.value is False]


@pytest.fixture
def scene() -> Any:
    made = Scene()
    yield made
    gevent.killall(list(made.waiting.values()))


def test_a_ticket_without_a_time_has_its_slot_at_once(scene: Scene) -> None:
    assert scene.users.await_slot(Ticket(9, 1, 9, None, ""))


def test_a_slot_comes_when_its_time_has_come(scene: Scene) -> None:
    ticket = scene.ticket(9, due_in_s=0.05)
    assert scene.users.await_slot(ticket)
    assert ticket.due_at is not None
    assert scene.clock.now() >= ticket.due_at


def test_a_job_without_a_user_rouses_the_one_whose_slot_comes_last(scene: Scene) -> None:
    job = gevent.spawn(gevent.sleep, 0)
    scene.users.leave(job)
    assert scene.roused == [7]
    assert scene.users.next_orphan() is job
    assert scene.users.next_orphan() is None


def test_an_earlier_ticket_that_was_given_back_rouses_the_last_user(scene: Scene) -> None:
    scene.queue.given_back = scene.ticket(6)
    scene.users.rouse_one()
    assert scene.roused == [7]


def test_a_later_ticket_that_was_given_back_rouses_nobody(scene: Scene) -> None:
    scene.queue.given_back = scene.ticket(8)
    scene.users.rouse_one()
    assert scene.roused == []


def test_nobody_is_roused_for_a_ticket_while_a_user_has_nothing_to_do(scene: Scene) -> None:
    scene.queue.given_back, scene.queue.takers = scene.ticket(6), 1
    scene.users.rouse_one()
    assert scene.roused == []


def test_nobody_waits_for_a_slot_of_a_run_that_stops(scene: Scene) -> None:
    scene.stopping.set()
    scene.users.rouse_all()
    assert scene.roused == [3, 5, 7]
    assert not scene.users.await_slot(scene.ticket(9))
